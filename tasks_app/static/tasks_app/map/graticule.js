// Lines of latitude and longitude with their degrees: the background of a map that has no tiles, or whose tiles fail.
(() => {
  "use strict";
  const STEPS = [30, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001];
  const LEAST_PIXELS = 90;

  TrackerMap.Graticule = TrackerMap.CanvasLayer.extend({
    options: { pane: "graticule" },

    initialize(element) {
      this._element = element;
    },

    draw(context, frame) {
      const ink = TrackerMap.colours(this._element);
      const step = STEPS.findLast((one) => (one / 360) * frame.scale >= LEAST_PIXELS) ?? STEPS[0];
      const digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
      Object.assign(context, { strokeStyle: ink.line, fillStyle: ink.subtle, lineWidth: 1, font: `11px ${ink.font}` });
      this._meridians(context, frame, step, digits);
      this._parallels(context, frame, step, digits);
    },

    _meridians(context, frame, step, digits) {
      const degrees = (pixel) => ((frame.start.x + pixel) / frame.scale - 0.5) * 360;
      for (let n = Math.ceil(degrees(0) / step); n * step <= degrees(frame.width); n += 1) {
        const x = Math.round((((n * step) / 360 + 0.5) * frame.scale - frame.start.x)) + 0.5;
        this._line(context, x, 0, x, frame.height);
        const longitude = ((((n * step + 180) % 360) + 360) % 360) - 180;
        const text = `${longitude.toFixed(digits)}°`;
        for (let y = frame.margin.y + 14; y < frame.height; y += 480) context.fillText(text, x + 4, y);
      }
    },

    _parallels(context, frame, step, digits) {
      const degrees = (pixel) => TrackerMap.latitudeOf(Math.max(0, Math.min(1, (frame.start.y + pixel) / frame.scale)));
      for (let n = Math.ceil(degrees(frame.height) / step); n * step <= degrees(0); n += 1) {
        const y = Math.round(frame.y(TrackerMap.toWorld(n * step, 0)[1])) + 0.5;
        this._line(context, 0, y, frame.width, y);
        for (let x = frame.margin.x + 4; x < frame.width; x += 640) context.fillText(`${(n * step).toFixed(digits)}°`, x, y - 4);
      }
    },

    _line(context, fromX, fromY, toX, toY) {
      context.beginPath();
      context.moveTo(fromX, fromY);
      context.lineTo(toX, toY);
      context.stroke();
    },
  });
})();
