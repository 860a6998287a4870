// One device's way on a map, and a marker that moves along it.
(() => {
  "use strict";
  // The copy of a longitude that is nearest to another one: a way over the 180th meridian goes on.
  const near = (longitude, other) => longitude + 360 * Math.round((other - longitude) / 360);

  function unrolled(points) {
    let last;
    return points.map((point) => point && [point[0], (last = near(point[1], last ?? point[1]))]);
  }

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
      const lines = pieces(unrolled(points));
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
      const place = [point[0], group.getBounds().isValid() ? near(point[1], group.getBounds().getCenter().lng) : point[1]];
      if (cursor) cursor.setLatLng(place);
      else {
        cursor = L.circleMarker(place, { ...style, radius: 9, color: ink.strong, weight: 3, fillColor: ink.warn, fillOpacity: 1 });
        group.addLayer(cursor);
      }
    }

    return { setTrack, setCursor, recolour: () => setTrack(shown), bounds: () => group.getBounds() };
  };
})();
