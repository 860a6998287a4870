// Devices on a map: symbols by status, clusters, names, trails. Ten thousand of them are one canvas.
(() => {
  "use strict";
  const DOT = 7;
  const RING = 16;
  const REACH = 22;
  const NAMED_AT_MOST = 400;
  const KINDS = ["unknown", "offline", "standing", "moving"];
  const widths = new Map();

  const isPlaced = (device) => typeof device.state?.latitude === "number" && typeof device.state.longitude === "number";
  const nameOf = (device) => device.name || `#${device.id}`;

  TrackerMap.Devices = TrackerMap.CanvasLayer.extend({
    options: { pane: "devices" },

    initialize(element, { onSelect, onCluster, isPickable }) {
      this._element = element;
      this._onSelect = onSelect;
      this._onCluster = onCluster;
      this._isPickable = isPickable;
      this._entries = [];
      this._marks = [];
      this._selectedId = null;
      this._chosen = undefined;
    },

    getEvents() {
      const events = TrackerMap.CanvasLayer.prototype.getEvents.call(this);
      return this._isPickable ? { ...events, click: this._click, mousemove: this._hover } : events;
    },

    // `devices` are those of /ws/live/ ({id, name, state}, with `trail` as [[latitude, longitude], ...] or none).
    show(devices, selectedId = null) {
      this._entries = devices.filter(isPlaced).map((device) => {
        const [x, y] = TrackerMap.toWorld(device.state.latitude, device.state.longitude);
        return { device, x, y, kind: TrackerMap.kindOf(device.state) };
      });
      this._selectedId = selectedId;
      this._chosen = this._entries.find(({ device }) => device.id === selectedId);
      this._grouped = null;
      this.redraw();
    },

    // A fleet on both sides of the 180th meridian lies together: the narrower of both ways around.
    bounds() {
      const places = this._entries.map(({ device }) => [device.state.latitude, device.state.longitude]);
      const straight = L.latLngBounds(places);
      const around = L.latLngBounds(places.map(([latitude, longitude]) => [latitude, longitude < 0 ? longitude + 360 : longitude]));
      const width = (bounds) => (bounds.isValid() ? bounds.getEast() - bounds.getWest() : 0);
      return width(around) < width(straight) ? around : straight;
    },

    // The device next to the middle of the map, for the keyboard.
    nearestToMiddle() {
      return this._at(this._map.getSize().divideBy(2), Infinity);
    },

    draw(context, frame) {
      const ink = TrackerMap.colours(this._element);
      const { singles, clusters } = this._groups(frame);
      const inside = (one) => this._placed(one, frame);
      const alone = singles.map(inside).filter(Boolean);
      const chosen = this._chosen ? [inside(this._chosen)].filter(Boolean) : [];
      const joined = clusters.map(inside).filter(Boolean);
      if (alone.length <= NAMED_AT_MOST) for (const { entry } of alone) this._trail(context, frame, entry, ink, false);
      if (this._chosen) this._trail(context, frame, this._chosen, ink, true);
      for (const kind of KINDS) this._symbols(context, [...alone, ...chosen].filter(({ entry }) => entry.kind === kind), kind, ink);
      for (const mark of joined) this._cluster(context, mark, ink);
      for (const mark of chosen) this._ring(context, mark, ink);
      this._marks = [...chosen, ...alone, ...joined];
      this._names(context, alone.length <= NAMED_AT_MOST ? this._marks : chosen, ink);
    },

    _groups({ scale }) {
      if (this._grouped?.scale !== scale) this._grouped = { scale, ...TrackerMap.clustered(this._entries, scale, this._selectedId) };
      return this._grouped;
    },

    _placed(entry, frame) {
      const [x, y] = [frame.x(entry.x), frame.y(entry.y)];
      if (x < -REACH || y < -REACH || x > frame.width + REACH || y > frame.height + REACH) return null;
      const isSure = entry === this._chosen;
      return { entry, x, y, isSure, radius: this._radius(entry), name: entry.members ? "" : nameOf(entry.device) };
    },

    _radius({ members, device }) {
      if (members) return 13 + 2.5 * Math.log10(members.length);
      return device === this._chosen?.device ? RING : DOT + 1;
    },

    _trail(context, frame, { device }, ink, isSelected) {
      if (!(device.trail?.length > 1)) return;
      Object.assign(context, { strokeStyle: ink.link, globalAlpha: isSelected ? 0.9 : 0.4, lineWidth: isSelected ? 4 : 2, lineJoin: "round" });
      context.beginPath();
      for (const [latitude, longitude] of device.trail) {
        const [x, y] = TrackerMap.toWorld(latitude, longitude);
        context.lineTo(frame.x(x), frame.y(y));
      }
      context.stroke();
      context.globalAlpha = 1;
    },

    // Shape and colour say the same: an arrow moves, a dot stands, a ring is offline or was never heard of.
    _symbols(context, marks, kind, ink) {
      if (!marks.length) return;
      context.beginPath();
      for (const { entry, x, y } of marks) {
        const course = entry.device.state.course_degrees;
        if (kind === "moving" && typeof course === "number") this._arrow(context, x, y, (course * Math.PI) / 180);
        else context.moveTo(x + DOT - 1, y), context.arc(x, y, DOT - 1, 0, 2 * Math.PI);
      }
      const colour = { moving: ink.link, standing: ink.good, offline: ink.bad, unknown: ink.subtle }[kind];
      const isFull = kind === "moving" || kind === "standing";
      Object.assign(context, { fillStyle: isFull ? colour : ink.ground, strokeStyle: isFull ? ink.ground : colour, lineWidth: isFull ? 1.5 : 2.5 });
      context.fill();
      context.stroke();
    },

    _arrow(context, x, y, angle) {
      const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
      [[0, -11], [8, 9], [0, 5], [-8, 9]].forEach(([right, down], index) => {
        const [atX, atY] = [x + right * cosine - down * sine, y + right * sine + down * cosine];
        if (index) context.lineTo(atX, atY);
        else context.moveTo(atX, atY);
      });
      context.closePath();
    },

    // A ring with the share of each status around the number.
    _cluster(context, { entry, x, y, radius }, ink) {
      const colours = { moving: ink.link, standing: ink.good, offline: ink.bad, unknown: ink.subtle };
      context.fillStyle = ink.ground;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
      context.lineWidth = 4;
      let from = -Math.PI / 2;
      for (const kind of KINDS) {
        if (!entry.counts[kind]) continue;
        const to = from + (2 * Math.PI * entry.counts[kind]) / entry.members.length;
        context.strokeStyle = colours[kind];
        context.beginPath();
        context.arc(x, y, radius - 2, from, to);
        context.stroke();
        from = to;
      }
      Object.assign(context, { fillStyle: ink.strong, font: `600 12px ${ink.font}`, textAlign: "center" });
      context.fillText(String(entry.members.length), x, y + 4);
      context.textAlign = "start";
    },

    _ring(context, { x, y }, ink) {
      Object.assign(context, { strokeStyle: ink.strong, lineWidth: 2.5 });
      context.beginPath();
      context.arc(x, y, RING, 0, 2 * Math.PI);
      context.stroke();
    },

    _names(context, marks, ink) {
      context.font = `12px ${ink.font}`;
      const widthOf = (name) => {
        if (!widths.has(name)) widths.set(name, context.measureText(name).width);
        return widths.get(name);
      };
      Object.assign(context, { lineWidth: 3, strokeStyle: ink.ground, fillStyle: ink.strong, lineJoin: "round" });
      for (const { name, x, y } of TrackerMap.placeNames(marks, widthOf)) {
        context.strokeText(name, x, y);
        context.fillText(name, x, y);
      }
    },

    _at(point, within) {
      if (!this._drawn) return null;
      const moved = this._map.getPixelBounds().min.subtract(this._drawn.start);
      let best = null;
      for (const mark of this._marks) {
        const distance = Math.hypot(mark.x - point.x - moved.x, mark.y - point.y - moved.y);
        if (distance < Math.max(within, mark.radius) && !(best?.distance <= distance)) best = { ...mark, distance };
      }
      return best?.entry ?? null;
    },

    _click({ containerPoint, originalEvent }) {
      if (originalEvent && !this._element.contains(originalEvent.target)) return;
      this.choose(this._at(containerPoint, REACH));
    },

    choose(entry) {
      if (entry?.members) this._onCluster(entry.members.map(({ device }) => device));
      else if (entry) this._onSelect(entry.device.id);
    },

    _hover({ containerPoint }) {
      this._element.classList.toggle("is-over-device", this._at(containerPoint, 12) !== null);
    },
  });
})();
