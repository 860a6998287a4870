// Geofences on a map: `area` is our GeoJSON (Polygon, MultiPolygon, Circle with radius_meters, LineString with width_meters).
(() => {
  "use strict";
  const EARTH_METERS = 6378137;
  const turned = ([longitude, latitude]) => [latitude, longitude];

  // Meters of one pixel at this place and zoom.
  const metersPerPixel = (latitude, zoom) =>
    (Math.cos((latitude * Math.PI) / 180) * 2 * Math.PI * EARTH_METERS) / (256 * 2 ** zoom);

  function shapeOf(area, style) {
    const points = area.coordinates;
    if (area.type === "Circle") return L.circle(turned(points), { ...style, radius: area.radius_meters });
    if (area.type === "Polygon") return L.polygon(points.map((ring) => ring.map(turned)), style);
    if (area.type === "MultiPolygon") return L.polygon(points.map((rings) => rings.map((ring) => ring.map(turned))), style);
    return L.polyline(points.map(turned), { ...style, fill: false, widthMeters: area.width_meters ?? 50, opacity: 0.35 });
  }

  TrackerMap.shapeOf = shapeOf;

  function linesOf({ type, coordinates }) {
    if (type === "Circle") return [[coordinates, coordinates]];
    if (type === "LineString") return [coordinates];
    return type === "Polygon" ? coordinates : coordinates.flat();
  }

  // Meters from a place outside of an area to its border, in the plane around that place: right for what is near.
  TrackerMap.distanceMeters = (area, latitude, longitude) => {
    const up = (Math.PI / 180) * EARTH_METERS;
    const right = up * Math.cos((latitude * Math.PI) / 180);
    const plane = ([lon, lat]) => L.point((((((lon - longitude + 180) % 360) + 360) % 360) - 180) * right, (lat - latitude) * up);
    const here = L.point(0, 0);
    let least = Infinity;
    for (const line of linesOf(area)) {
      const points = line.map(plane);
      for (let n = 1; n < points.length; n += 1) least = Math.min(least, L.LineUtil.pointToSegmentDistance(here, points[n - 1], points[n]));
    }
    const reach = area.type === "Circle" ? area.radius_meters : area.type === "LineString" ? (area.width_meters ?? 50) / 2 : 0;
    return Math.max(0, least - reach);
  };

  // A corridor is a line as wide as its meters are at this zoom.
  TrackerMap.fitWidths = (group, map) =>
    group.eachLayer((shape) => {
      if (!shape.options.widthMeters) return;
      const middle = shape.getBounds().getCenter().lat;
      shape.setStyle({ weight: Math.max(2, shape.options.widthMeters / metersPerPixel(middle, map.getZoom())) });
    });

  TrackerMap.geofences = (map, element) => {
    const renderer = L.canvas({ pane: "geofences", padding: 0.25 });
    const group = L.featureGroup().addTo(map);
    let shown = [];

    function show(geofences) {
      shown = geofences;
      group.clearLayers();
      const colour = TrackerMap.colours(element).link;
      for (const { name, area } of shown) {
        const shape = shapeOf(area, { renderer, pane: "geofences", color: colour, weight: 1.5, fillOpacity: 0.1 });
        const text = document.createElement("span");
        text.textContent = name;
        group.addLayer(shape.bindTooltip(text, { sticky: true }));
      }
      TrackerMap.fitWidths(group, map);
    }

    map.on("zoomend", () => TrackerMap.fitWidths(group, map));
    return { show, recolour: () => show(shown), bounds: () => group.getBounds() };
  };
})();
