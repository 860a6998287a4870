// The page "Live map": joins the connection (live_socket.js), the drawing (live_canvas.js) and the lists beside it.
(() => {
  "use strict";
  const page = document.querySelector("[data-live-map]");
  if (!page) return;
  const part = (name) => page.querySelector(`[data-part="${name}"]`);
  const texts = JSON.parse(document.getElementById("live-map-texts").textContent);
  const locale = document.documentElement.lang || undefined;
  const LISTED = 200;
  const LISTED_EVENTS = 20;
  const BADGES = { online: "is-good", offline: "is-bad", unknown: "" };

  let known = { fleets: new Map(), devices: new Map(), events: [], droppedEvents: 0 };
  let selectedId = null;
  let isFollowing = false;
  const rows = new Map();
  const canvas = TrackerCanvas.create(part("canvas"), { onSelect: (id) => select(id, false) });

  function element(tag, className, text) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  }

  const say = (template, values) => template.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const setText = (node, text) => node.textContent !== text && (node.textContent = text);
  const nameOf = (device) => device.name ?? `#${device.id}`;

  function ago(time) {
    if (!time) return texts.never;
    const seconds = Math.round((Date.parse(time) - Date.now()) / 1000);
    const format = new Intl.RelativeTimeFormat(locale, { style: "narrow", numeric: "always" });
    const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
    const [unit, size] = units.find(([, one]) => Math.abs(seconds) >= one) ?? ["second", 1];
    return format.format(Math.trunc(Math.min(0, seconds) / size), unit);
  }

  const speed = (state) =>
    typeof state.speed_kph === "number" ? `${state.is_speed_derived ? "≈ " : ""}${Math.round(state.speed_kph)} km/h` : "–";

  // --- List of devices ---

  function found() {
    const words = part("filter").value.trim().toLocaleLowerCase();
    const text = (device) => `${nameOf(device)} ${device.unique_id} ${known.fleets.get(device.fleet_id)}`;
    return [...known.devices.values()]
      .filter((device) => !words || text(device).toLocaleLowerCase().includes(words))
      .sort((a, b) => nameOf(a).localeCompare(nameOf(b), locale, { numeric: true }));
  }

  function rowOf(device) {
    if (rows.has(device.id)) return rows.get(device.id);
    const item = element("li");
    const button = element("button", "tk-live-device");
    button.type = "button";
    for (const name of ["name", "speed", "status", "age"]) button.append(element("span", `tk-live-${name}`));
    button.addEventListener("click", () => select(device.id, true));
    item.append(button);
    rows.set(device.id, item);
    return item;
  }

  function fill(item, device) {
    const [button] = item.children;
    const [name, pace, status, age] = button.children;
    setText(name, nameOf(device));
    setText(pace, speed(device.state));
    setText(status, texts.statuses[device.state.status] ?? device.state.status);
    status.className = `tk-live-status ${BADGES[device.state.status] ?? ""}`;
    setText(age, ago(device.state.fix_time));
    button.setAttribute("aria-pressed", String(device.id === selectedId));
  }

  function listDevices() {
    const all = found();
    const shown = all.slice(0, LISTED);
    const list = part("devices");
    shown.forEach((device, index) => {
      const item = rowOf(device);
      fill(item, device);
      // Moved only where the order changed, so that the focus stays where it is.
      if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
    });
    while (list.children.length > shown.length) list.lastChild.remove();
    for (const id of rows.keys()) if (!known.devices.has(id)) rows.delete(id);
    setText(part("count"), say(texts.count, { shown: all.length, all: known.devices.size }));
    const rest = all.length - shown.length;
    setText(part("rest"), rest ? say(texts.rest, { number: rest }) : all.length ? "" : texts.nothing);
  }

  // --- The chosen device ---

  function select(id, moveThere) {
    selectedId = id === selectedId && moveThere ? null : id;
    isFollowing = selectedId !== null && moveThere;
    render();
  }

  function describe(device) {
    const box = part("chosen");
    box.hidden = !device;
    if (!device) return;
    const { state } = device;
    setText(part("chosen-name"), nameOf(device));
    part("chosen-link").href = page.dataset.deviceUrl.replace("/0/", `/${device.id}/`);
    const place = typeof state.latitude === "number" ? `${state.latitude.toFixed(5)}, ${state.longitude.toFixed(5)}` : "–";
    const fixed = state.fix_time ? new Date(state.fix_time).toLocaleString(locale) : texts.never;
    const values = { fleet: known.fleets.get(device.fleet_id) ?? "–", fix: fixed, speed: speed(state), place };
    for (const [name, value] of Object.entries(values)) setText(part(`chosen-${name}`), value);
  }

  // --- Events ---

  function listEvents() {
    const items = known.events.slice(0, LISTED_EVENTS).map((event) => {
      const item = element("li", "tk-live-event");
      const time = element("time", "tk-subtle tk-num", new Date(event.occurred_at).toLocaleTimeString(locale));
      time.dateTime = event.occurred_at;
      const device = known.devices.get(event.device_id);
      item.append(time, element("span", "tk-strong", device ? nameOf(device) : `#${event.device_id}`));
      item.append(element("span", "", texts.kinds[event.kind] ?? event.kind));
      return item;
    });
    part("events").replaceChildren(...items);
    part("no-events").hidden = items.length > 0;
    setText(part("dropped"), known.droppedEvents ? say(texts.dropped, { number: known.droppedEvents }) : "");
  }

  // --- Everything ---

  function render() {
    const chosen = known.devices.get(selectedId);
    listDevices();
    describe(chosen);
    canvas.show([...known.devices.values()], selectedId);
    if (chosen && isFollowing) canvas.center(chosen);
  }

  let lastEvent = null;
  function changed(now) {
    known = now;
    render();
    if (known.events[0]?.id !== lastEvent || !lastEvent) listEvents();
    lastEvent = known.events[0]?.id ?? null;
  }

  function status(kind) {
    const node = part("connection");
    setText(node, texts.connection[kind]);
    node.dataset.kind = kind;
    part("log-in").hidden = kind !== "logged-out";
  }

  part("filter").addEventListener("input", render);
  part("fit").addEventListener("click", () => ((isFollowing = false), canvas.fit()));
  part("zoom-in").addEventListener("click", canvas.zoomIn);
  part("zoom-out").addEventListener("click", canvas.zoomOut);
  part("canvas").addEventListener("pointerdown", () => (isFollowing = false));
  part("canvas").addEventListener("keydown", (event) => event.key.startsWith("Arrow") && (isFollowing = false));
  setInterval(() => !document.hidden && listDevices(), 5000);

  const address = new URL(page.dataset.socket, window.location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  TrackerLive.open(address.href, { onChange: changed, onStatus: status });
})();
