// The base of what we draw ourselves on a map: one canvas, larger than the map, so that a pan only moves it.
// Places are held in "world" units: both axes from 0 to 1, west to east and north to south (Web Mercator).
window.TrackerMap = (() => {
  "use strict";
  const TILE = 256;
  const MAX_LATITUDE = 85.0511287798;

  function toWorld(latitude, longitude) {
    const sine = Math.sin((Math.max(-MAX_LATITUDE, Math.min(MAX_LATITUDE, latitude)) * Math.PI) / 180);
    return [longitude / 360 + 0.5, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
  }

  const latitudeOf = (y) => (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI;

  // A layer calls `draw(context, frame)`; the frame turns places into pixels of the canvas.
  const CanvasLayer = L.Layer.extend({
    options: { padding: 0.25, pane: "overlayPane" },

    onAdd(map) {
      this._canvas = L.DomUtil.create("canvas", "tk-map-canvas leaflet-zoom-animated", this.getPane());
      this._canvas.setAttribute("aria-hidden", "true");
      this._context = this._canvas.getContext("2d");
      this._map = map;
      this._drawNow();
    },

    onRemove() {
      cancelAnimationFrame(this._waiting);
      this._waiting = 0;
      this._canvas.remove();
    },

    getEvents() {
      return { move: this._onMove, moveend: this._drawNow, zoomanim: this._onZoom, resize: this._drawNow };
    },

    redraw() {
      if (this._canvas?.isConnected) this._waiting ||= requestAnimationFrame(() => this._drawNow());
    },

    _drawNow() {
      cancelAnimationFrame(this._waiting);
      this._waiting = 0;
      const size = this._map.getSize();
      if (!size.x || !size.y) return;
      const frame = this._frame(size);
      this._place(frame);
      this._context.clearRect(0, 0, frame.width, frame.height);
      this.draw(this._context, frame);
      this._drawn = frame;
    },

    _frame(size) {
      const margin = size.multiplyBy(this.options.padding).round();
      const [width, height] = [size.x + 2 * margin.x, size.y + 2 * margin.y];
      const start = this._map.getPixelBounds().min.subtract(margin);
      const scale = TILE * 2 ** this._map.getZoom();
      const middle = (start.x + width / 2) / scale;
      return {
        width, height, scale, start, margin, zoom: this._map.getZoom(),
        // The copy of the world that is nearest to the middle: the map has no edge at the 180th meridian.
        x: (world) => (world + Math.round(middle - world)) * scale - start.x,
        y: (world) => world * scale - start.y,
      };
    },

    _place({ width, height, margin, zoom }) {
      const ratio = window.devicePixelRatio || 1;
      const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (this._canvas.width !== wide || this._canvas.height !== high) {
        Object.assign(this._canvas, { width: wide, height: high });
        Object.assign(this._canvas.style, { width: `${width}px`, height: `${height}px` });
      }
      this._context.setTransform(ratio, 0, 0, ratio, 0, 0);
      this._corner = this._map.containerPointToLatLng(margin.multiplyBy(-1));
      this._cornerZoom = zoom;
      L.DomUtil.setPosition(this._canvas, this._map.containerPointToLayerPoint(margin.multiplyBy(-1)));
    },

    _onMove() {
      if (!this._drawn) return;
      const moved = this._map.getPixelBounds().min.subtract(this._drawn.start).subtract(this._drawn.margin);
      const isPast = Math.abs(moved.x) > this._drawn.margin.x || Math.abs(moved.y) > this._drawn.margin.y;
      if (isPast || this._drawn.zoom !== this._map.getZoom()) this._drawNow();
    },

    _onZoom({ center, zoom }) {
      const half = this._map.getSize().divideBy(2);
      const shift = this._map.containerPointToLayerPoint([0, 0]);
      const origin = this._map.project(center, zoom).subtract(half).subtract(shift).round();
      const corner = this._map.project(this._corner, zoom).subtract(origin);
      L.DomUtil.setTransform(this._canvas, corner, this._map.getZoomScale(zoom, this._cornerZoom));
    },
  });

  // The theme's colours as the element has them, so that light and dark follow it.
  function colours(element) {
    const style = getComputedStyle(element);
    const of = (name) => style.getPropertyValue(name).trim();
    return {
      line: of("--tk-line"), subtle: of("--tk-subtle"), strong: of("--tk-strong"), link: of("--tk-link"), good: of("--tk-good"),
      bad: of("--tk-bad"), warn: of("--tk-warn"), ground: of("--tk-map"), font: style.fontFamily,
    };
  }

  return { CanvasLayer, toWorld, latitudeOf, colours };
})();
