// One device's way on a map, and a marker that moves along it.
(() => {
  "use strict";
  // Points are [latitude, longitude]; null interrupts the line (no data, or a new trip).
  function pieces(points) {
    const found = [[]];
    for (const point of points) {
      if (point) found.at(-1).push(point);
      else found.push([]);
    }
    return found.filter((piece) => piece.length);
  }

  TrackerMap.track = (map, element) => {
    const renderer = L.canvas({ pane: "track", padding: 0.25 });
    const style = { renderer, pane: "track", interactive: false };
    const group = L.featureGroup().addTo(map);
    let shown = [];
    let cursor = null;

    function setTrack(points) {
      shown = points;
      group.clearLayers();
      cursor = null;
      const lines = pieces(points);
      if (!lines.length) return;
      const ink = TrackerMap.colours(element);
      group.addLayer(L.polyline(lines, { ...style, color: ink.link, weight: 4, opacity: 0.85, smoothFactor: 1.5 }));
      const end = (at, colour) => L.circleMarker(at, { ...style, radius: 6, color: ink.ground, weight: 2, fillColor: colour, fillOpacity: 1 });
      group.addLayer(end(lines[0][0], ink.good)).addLayer(end(lines.at(-1).at(-1), ink.bad));
    }

    // The marker of a replay; null takes it away.
    function setCursor(point) {
      if (!point) {
        if (cursor) group.removeLayer(cursor);
        cursor = null;
        return;
      }
      const ink = TrackerMap.colours(element);
      if (cursor) cursor.setLatLng(point);
      else {
        cursor = L.circleMarker(point, { ...style, radius: 9, color: ink.strong, weight: 3, fillColor: ink.warn, fillOpacity: 1 });
        group.addLayer(cursor);
      }
    }

    return { setTrack, setCursor, recolour: () => setTrack(shown), bounds: () => group.getBounds() };
  };
})();
