// Draws devices on a plain canvas: a grid of degrees, trails and markers. Nothing is loaded from anywhere.
window.TrackerCanvas = (() => {
  "use strict";
  const EARTH_METERS = 6371008.8;
  const CLOSEST = 4e7; // pixels per radian: about 16 cm per pixel
  const FARTHEST = 50;
  const MARGIN = 48;
  const NAMED_AT_MOST = 60;
  const RADIAN = Math.PI / 180;

  const TURN = 2 * Math.PI;
  const worldX = (longitude) => longitude * RADIAN;
  // The same place on the side of the map where `x` is: a map without an edge at the 180th meridian.
  const near = (x, other) => other + ((((x - other + Math.PI) % TURN) + TURN) % TURN) - Math.PI;
  const worldY = (latitude) => Math.log(Math.tan(Math.PI / 4 + (Math.max(-85, Math.min(85, latitude)) * RADIAN) / 2));
  const latitudeOf = (y) => (2 * Math.atan(Math.exp(y)) - Math.PI / 2) / RADIAN;
  const isPlaced = (device) => typeof device.state?.latitude === "number";

  function create(canvas, { onSelect }) {
    const view = { x: 0, y: 0, scale: FARTHEST, fits: true };
    let devices = [];
    let selectedId = null;
    let frame = 0;
    let drag = null;
    const context = canvas.getContext("2d");

    const width = () => canvas.clientWidth;
    const height = () => canvas.clientHeight;
    const toScreen = (latitude, longitude) => [
      width() / 2 + (near(worldX(longitude), view.x) - view.x) * view.scale,
      height() / 2 - (worldY(latitude) - view.y) * view.scale,
    ];
    const redraw = () => (frame ||= requestAnimationFrame(draw));
    const limited = (scale) => Math.max(FARTHEST, Math.min(CLOSEST, scale));

    function show(all, selected) {
      devices = all.filter(isPlaced);
      selectedId = selected;
      redraw();
    }

    function fit() {
      view.fits = true;
      redraw();
    }

    function fitNow() {
      if (!devices.length) return;
      const first = worldX(devices[0].state.longitude);
      const xs = devices.map((device) => near(worldX(device.state.longitude), first));
      const ys = devices.map((device) => worldY(device.state.latitude));
      const [west, east] = [xs.reduce((a, b) => Math.min(a, b)), xs.reduce((a, b) => Math.max(a, b))];
      const [south, north] = [ys.reduce((a, b) => Math.min(a, b)), ys.reduce((a, b) => Math.max(a, b))];
      view.x = (west + east) / 2;
      view.y = (south + north) / 2;
      const across = (width() - 2 * MARGIN) / Math.max(east - west, 2e-5);
      view.scale = limited(Math.min(across, (height() - 2 * MARGIN) / Math.max(north - south, 2e-5)));
    }

    function center(device) {
      if (!isPlaced(device)) return;
      view.fits = false;
      view.x = worldX(device.state.longitude);
      view.y = worldY(device.state.latitude);
      view.scale = Math.max(view.scale, 3e5);
      redraw();
    }

    function move(right, down) {
      view.fits = false;
      view.x += right / view.scale;
      view.y = Math.max(-3.1, Math.min(3.1, view.y - down / view.scale));
      redraw();
    }

    function zoom(factor, [atX, atY] = [width() / 2, height() / 2]) {
      const before = view.scale;
      view.fits = false;
      view.scale = limited(before * factor);
      const share = 1 / before - 1 / view.scale;
      view.x += (atX - width() / 2) * share;
      view.y -= (atY - height() / 2) * share;
      redraw();
    }

    function draw() {
      frame = 0;
      const ratio = window.devicePixelRatio || 1;
      if (!width() || !height()) return;
      canvas.width = Math.round(width() * ratio);
      canvas.height = Math.round(height() * ratio);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      if (view.fits) fitNow();
      const ink = colours();
      context.font = "12px Inter, system-ui, sans-serif";
      drawGrid(ink);
      for (const device of devices) drawTrail(device, ink);
      const names = devices.length <= NAMED_AT_MOST;
      for (const device of devices) if (device.id !== selectedId) drawDevice(device, ink, names);
      const selected = devices.find((device) => device.id === selectedId);
      if (selected) drawDevice(selected, ink, true);
      drawScale(ink);
    }

    // The theme's own colours, so that light and dark follow it.
    function colours() {
      const style = getComputedStyle(canvas);
      const of = (name) => style.getPropertyValue(name).trim();
      return { line: of("--tk-line"), text: of("--tk-subtle"), strong: of("--tk-strong"), moving: of("--tk-link"),
        good: of("--tk-good"), bad: of("--tk-bad"), ground: of("--tk-map") };
    }

    function drawGrid(ink) {
      const steps = [30, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001];
      const step = steps.findLast((one) => one * RADIAN * view.scale >= 90) ?? 30;
      const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
      context.strokeStyle = ink.line;
      context.fillStyle = ink.text;
      context.lineWidth = 1;
      const halfX = width() / 2 / view.scale;
      const halfY = height() / 2 / view.scale;
      const first = (value) => Math.ceil(value / step);
      for (let n = first((view.x - halfX) / RADIAN); n * step <= (view.x + halfX) / RADIAN; n += 1) {
        const [x] = toScreen(0, n * step);
        line([[x, 0], [x, height()]]);
        context.fillText(`${(n * step).toFixed(digits)}°`, x + 4, 14);
      }
      for (let n = first(latitudeOf(view.y - halfY)); n * step <= latitudeOf(view.y + halfY); n += 1) {
        const [, y] = toScreen(n * step, 0);
        line([[0, y], [width(), y]]);
        if (y > 34) context.fillText(`${(n * step).toFixed(digits)}°`, 4, y - 4);
      }
    }

    function line(points) {
      context.beginPath();
      points.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
      context.stroke();
    }

    function drawTrail(device, ink) {
      if (device.trail.length < 2) return;
      context.strokeStyle = ink.moving;
      context.globalAlpha = device.id === selectedId ? 0.9 : 0.35;
      context.lineWidth = device.id === selectedId ? 3 : 2;
      line(device.trail.map(([latitude, longitude]) => toScreen(latitude, longitude)));
      context.globalAlpha = 1;
    }

    // Shape and colour say the same: an arrow moves, a dot stands, a ring is offline or was never heard of.
    function drawDevice(device, ink, withName) {
      const { latitude, longitude, status, is_moving, course_degrees } = device.state;
      const [x, y] = toScreen(latitude, longitude);
      if (x < -20 || y < -20 || x > width() + 20 || y > height() + 20) return;
      context.save();
      context.translate(x, y);
      context.lineWidth = 2;
      context.beginPath();
      if (status === "online" && is_moving && typeof course_degrees === "number") {
        context.rotate(course_degrees * RADIAN);
        [[0, -10], [7, 8], [0, 4], [-7, 8]].forEach(([dx, dy]) => context.lineTo(dx, dy));
        context.closePath();
      } else {
        context.arc(0, 0, 6, 0, 2 * Math.PI);
      }
      if (status === "online") {
        context.fillStyle = is_moving ? ink.moving : ink.good;
        context.strokeStyle = ink.ground;
        context.fill();
      } else {
        context.fillStyle = ink.ground;
        context.strokeStyle = status === "offline" ? ink.bad : ink.text;
        context.fill();
      }
      context.stroke();
      context.restore();
      if (device.id === selectedId) {
        context.strokeStyle = ink.strong;
        context.lineWidth = 2;
        context.beginPath();
        context.arc(x, y, 15, 0, 2 * Math.PI);
        context.stroke();
      }
      if (withName) drawName(device, x, y, ink);
    }

    function drawName(device, x, y, ink) {
      const name = device.name ?? `#${device.id}`;
      const away = device.id === selectedId ? 20 : 14;
      const length = context.measureText(name).width;
      const left = x + away + length > width() ? x - away - length : x + away;
      context.lineWidth = 3;
      context.strokeStyle = ink.ground;
      context.strokeText(name, left, y + 4);
      context.fillStyle = ink.strong;
      context.fillText(name, left, y + 4);
    }

    function drawScale(ink) {
      const metersPerPixel = (EARTH_METERS * Math.cos(latitudeOf(view.y) * RADIAN)) / view.scale;
      const most = metersPerPixel * 120;
      const power = 10 ** Math.floor(Math.log10(most));
      const meters = [5, 2, 1].find((one) => one * power <= most) * power;
      const right = width() - 12;
      context.strokeStyle = ink.strong;
      context.fillStyle = ink.strong;
      context.lineWidth = 2;
      const left = right - meters / metersPerPixel;
      line([[left, height() - 16], [left, height() - 10], [right, height() - 10], [right, height() - 16]]);
      context.fillText(meters >= 1000 ? `${meters / 1000} km` : `${meters} m`, left + 4, height() - 16);
    }

    function nearest(atX, atY) {
      let best = null;
      for (const device of devices) {
        const [x, y] = toScreen(device.state.latitude, device.state.longitude);
        const distance = Math.hypot(x - atX, y - atY);
        if (distance < 20 && (!best || distance < best.distance)) best = { device, distance };
      }
      return best?.device;
    }

    canvas.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 160 : 40;
      const actions = {
        ArrowLeft: () => move(-step, 0), ArrowRight: () => move(step, 0), ArrowUp: () => move(0, -step),
        ArrowDown: () => move(0, step), "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: fit,
      };
      if (event.ctrlKey || event.metaKey || event.altKey || !actions[event.key]) return;
      event.preventDefault();
      actions[event.key]();
    });
    canvas.addEventListener("wheel", (event) => {
      // The page scrolls; with Ctrl (and so with two fingers on a pad) the map is zoomed.
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoom(Math.exp(-event.deltaY / 200), [event.offsetX, event.offsetY]);
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      drag = { x: event.offsetX, y: event.offsetY, moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!drag) return;
      const [right, down] = [event.offsetX - drag.x, event.offsetY - drag.y];
      if (!drag.moved && Math.hypot(right, down) < 4) return;
      drag = { x: event.offsetX, y: event.offsetY, moved: true };
      move(-right, -down);
    });
    canvas.addEventListener("pointerup", (event) => {
      if (drag && !drag.moved) {
        const device = nearest(event.offsetX, event.offsetY);
        if (device) onSelect(device.id);
      }
      drag = null;
    });
    canvas.addEventListener("pointercancel", () => (drag = null));
    new ResizeObserver(redraw).observe(canvas);
    new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["class"] });

    return { show, fit, center, zoomIn: () => zoom(1.5), zoomOut: () => zoom(1 / 1.5) };
  }

  return { create };
})();
