// Draws and edits one area on a map, by mouse, touch and keyboard. Places are Leaflet's; `area` is our GeoJSON.
(() => {
  "use strict";
  const HANDLES_AT_MOST = 300;
  const STEP_PIXELS = 5;
  const LEAST = { Polygon: 3, hole: 3, LineString: 2, Circle: 1 };

  const rounded = ({ lat, lng }) => [Number(lng.toFixed(6)), Number(lat.toFixed(6))];
  const toPlace = ([longitude, latitude]) => L.latLng(latitude, longitude);
  const closedRing = (ring) => [...ring.map(rounded), rounded(ring[0])];
  const openRing = (ring) => ring.slice(0, -1).map(toPlace);

  // Lists of places in place of coordinates, rings without their last point, which repeats the first.
  function toShape(area) {
    if (area.type === "Circle") return { type: "Circle", center: toPlace(area.coordinates), radius: area.radius_meters };
    if (area.type === "LineString") return { type: "LineString", line: area.coordinates.map(toPlace), width: area.width_meters ?? 50 };
    const polygons = area.type === "Polygon" ? [area.coordinates] : area.coordinates;
    return { type: "Polygon", polygons: polygons.map((rings) => rings.map(openRing)) };
  }

  function toArea(shape) {
    if (!shape) return null;
    if (shape.type === "Circle") return { type: "Circle", coordinates: rounded(shape.center), radius_meters: Math.round(shape.radius * 10) / 10 };
    if (shape.type === "LineString") return { type: "LineString", coordinates: shape.line.map(rounded), width_meters: shape.width };
    const polygons = shape.polygons.map((rings) => rings.map(closedRing));
    return polygons.length === 1 ? { type: "Polygon", coordinates: polygons[0] } : { type: "MultiPolygon", coordinates: polygons };
  }

  function holds(ring, { lat, lng }) {
    let isInside = false;
    ring.forEach((one, index) => {
      const other = ring.at(index - 1);
      if (one.lat > lat !== other.lat > lat && lng < ((other.lng - one.lng) * (lat - one.lat)) / (other.lat - one.lat) + one.lng) isInside = !isInside;
    });
    return isInside;
  }

  TrackerMap.editor = (map, element, texts, onChange) => {
    const { leaflet } = map;
    const drawn = L.featureGroup().addTo(leaflet);
    const handles = L.layerGroup().addTo(leaflet);
    let shape = null;
    let drawing = null;
    let isDragging = false;

    function paths() {
      if (!shape || shape.type === "Circle") return [];
      if (shape.type === "LineString") return [{ points: shape.line, isClosed: false, least: 2 }];
      return shape.polygons.flatMap((rings) => rings.map((points) => ({ points, isClosed: true, least: 3 })));
    }

    function drawShape() {
      drawn.clearLayers();
      const style = { color: TrackerMap.colours(element).warn, weight: 3, fillOpacity: 0.2, interactive: false };
      const area = toArea(shape);
      if (area) drawn.addLayer(TrackerMap.shapeOf(area, style));
      if (drawing?.points.length) drawn.addLayer(L.polyline(drawing.points, { ...style, dashArray: "6 6" }));
      for (const point of drawing?.points ?? []) drawn.addLayer(L.circleMarker(point, { ...style, radius: 5, fillOpacity: 1 }));
      TrackerMap.fitWidths(drawn, leaflet);
    }

    function handle(place, title, isMiddle) {
      const icon = L.divIcon({ className: isMiddle ? "tk-vertex is-middle" : "tk-vertex", iconSize: isMiddle ? [16, 16] : [22, 22] });
      const marker = L.marker(place, { icon, draggable: true, title, alt: title, keyboard: true, autoPan: true }).addTo(handles);
      marker.getElement().setAttribute("aria-label", title);
      marker.on("dragstart", () => (isDragging = true));
      marker.on("dragend", () => (isDragging = false));
      return marker;
    }

    // Moves by mouse, touch and arrow keys; what it moves is drawn meanwhile, the handles afterwards.
    function movable(marker, move, remove) {
      marker.on("drag", () => (move(marker.getLatLng()), drawShape()));
      marker.on("dragend", changed);
      marker.getElement().addEventListener("keydown", (event) => {
        const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
        if (by) {
          const step = event.shiftKey ? 5 * STEP_PIXELS : STEP_PIXELS;
          marker.setLatLng(leaflet.layerPointToLatLng(leaflet.latLngToLayerPoint(marker.getLatLng()).add(L.point(by).multiplyBy(step))));
          move(marker.getLatLng());
          drawShape();
          onChange(toArea(shape));
        } else if (remove && ["Delete", "Backspace"].includes(event.key)) remove();
        else return;
        event.preventDefault();
        event.stopPropagation();
      });
      if (remove) marker.on("contextmenu", remove);
    }

    function vertexHandles({ points, isClosed, least }) {
      const view = leaflet.getBounds().pad(0.1);
      points.forEach((place, index) => {
        if (!view.contains(place)) return;
        const remove = () => !isDragging && points.length > least && (points.splice(index, 1), changed());
        movable(handle(place, texts.vertex, false), (to) => (points[index] = to), remove);
        const next = points[index + 1] ?? (isClosed ? points[0] : null);
        if (!next || points.length > HANDLES_AT_MOST / 4) return;
        const middle = handle(L.latLng((place.lat + next.lat) / 2, (place.lng + next.lng) / 2), texts.middle, true);
        const insert = (to) => points.splice(index + 1, 0, to);
        middle.once("dragstart", () => insert(middle.getLatLng()));
        middle.on("drag", () => ((points[index + 1] = middle.getLatLng()), drawShape()));
        middle.on("dragend", changed);
        middle.on("click keypress", () => (insert(middle.getLatLng()), changed()));
      });
    }

    function circleHandles() {
      const edge = () => leaflet.unproject(leaflet.project(shape.center).add([shape.radius / metersPerPixel(), 0]));
      const metersPerPixel = () => (leaflet.distance(shape.center, leaflet.unproject(leaflet.project(shape.center).add([100, 0]))) || 1) / 100;
      const rim = handle(edge(), texts.radius, false);
      movable(handle(shape.center, texts.center, false), (to) => ((shape.center = to), rim.setLatLng(edge())));
      movable(rim, (to) => (shape.radius = Math.max(1, leaflet.distance(shape.center, to))));
    }

    function showHandles() {
      // Dragged to its edge, a handle moves the map, which must not take the handle away; the end of the drag draws them anew.
      if (isDragging) return;
      handles.clearLayers();
      if (drawing || !shape) return;
      if (shape.type === "Circle") return circleHandles();
      const view = leaflet.getBounds().pad(0.1);
      const count = paths().reduce((sum, { points }) => sum + points.filter((place) => view.contains(place)).length, 0);
      if (count <= HANDLES_AT_MOST) paths().forEach(vertexHandles);
    }

    function changed() {
      // Two quick taps are two points, and no closer look at the map.
      leaflet.doubleClickZoom[drawing ? "disable" : "enable"]();
      drawShape();
      showHandles();
      onChange(toArea(shape), drawing);
    }

    function add(place) {
      if (!drawing) return;
      if (drawing.kind === "Circle") {
        const size = leaflet.getSize();
        const radius = leaflet.distance(leaflet.containerPointToLatLng([0, 0]), leaflet.containerPointToLatLng([Math.min(size.x, size.y) / 5, 0]));
        shape = { type: "Circle", center: place, radius: Math.max(1, Math.round(radius)) };
        drawing = null;
      } else drawing.points.push(place);
      changed();
    }

    function finish() {
      if (!drawing || drawing.points.length < LEAST[drawing.kind]) return;
      const { kind, points } = drawing;
      if (kind === "hole") (shape.polygons.find(([outer]) => holds(outer, points[0])) ?? shape.polygons[0]).push(points);
      else if (kind === "Polygon") shape = { type: "Polygon", polygons: [[points]] };
      else shape = { type: "LineString", line: points, width: shape?.width ?? 50 };
      drawing = null;
      changed();
    }

    leaflet.on("click", ({ latlng }) => add(latlng));
    leaflet.on("moveend", () => !element.contains(document.activeElement?.closest(".tk-vertex")) && showHandles());
    leaflet.on("zoomend", () => TrackerMap.fitWidths(drawn, leaflet));

    return {
      start: (kind) => ((drawing = { kind, points: [] }), changed()),
      addAtMiddle: () => add(leaflet.getCenter()),
      undo: () => (drawing?.points.pop(), changed()),
      cancel: () => ((drawing = null), changed()),
      canFinish: () => drawing !== null && drawing.points.length >= LEAST[drawing.kind],
      finish,
      setSize: (meters) => ((shape[shape.type === "Circle" ? "radius" : "width"] = meters), changed()),
      show: (area) => ((shape = area && toShape(area)), (drawing = null), leaflet.doubleClickZoom.enable(), drawShape(), showHandles()),
      bounds: () => drawn.getBounds(),
    };
  };
})();
