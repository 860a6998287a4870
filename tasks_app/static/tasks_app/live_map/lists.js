// The lists beside the live map: devices, and the latest events.
(() => {
  "use strict";
  const { part, texts, locale, element, say, setText, nameOf } = LiveMap;
  const LISTED = 200;
  const LISTED_EVENTS = 20;
  const BADGES = { online: "is-good", offline: "is-bad", unknown: "" };
  const rows = new Map();
  let shownEvents = "";
  const order = new Intl.Collator(locale, { numeric: true });

  function rowOf(device, onSelect) {
    if (rows.has(device.id)) return rows.get(device.id);
    const item = element("li");
    const button = element("button", "tk-live-device");
    button.type = "button";
    for (const name of ["name", "speed", "status", "age"]) button.append(element("span", `tk-live-${name}`));
    button.addEventListener("click", () => onSelect(device.id));
    item.append(button);
    rows.set(device.id, item);
    return item;
  }

  function fill(item, device, selectedId) {
    const [button] = item.children;
    const [name, pace, status, age] = button.children;
    setText(name, nameOf(device));
    setText(pace, LiveMap.speed(device.state));
    setText(status, texts.statuses[device.state.status] ?? device.state.status);
    status.className = `tk-live-status ${BADGES[device.state.status] ?? ""}`;
    setText(age, LiveMap.ago(device.state.fix_time));
    button.setAttribute("aria-pressed", String(device.id === selectedId));
  }

  LiveMap.listDevices = (found, known, selectedId, onSelect) => {
    const shown = found.sort((a, b) => order.compare(nameOf(a), nameOf(b))).slice(0, LISTED);
    const list = part("devices");
    const items = shown.map((device) => rowOf(device, onSelect));
    // Those that go, first; the others are moved only where the order changed: the focus stays where it is.
    const staying = new Set(items);
    for (const item of [...list.children]) if (!staying.has(item)) item.remove();
    items.forEach((item, index) => {
      fill(item, shown[index], selectedId);
      if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
    });
    for (const id of rows.keys()) if (!known.devices.has(id)) rows.delete(id);
    setText(part("count"), say(texts.count, { shown: found.length, all: known.devices.size }));
    const rest = found.length - shown.length;
    setText(part("rest"), rest ? say(texts.rest, { number: rest }) : found.length ? "" : texts.nothing);
  };

  // Drawn anew only where they or their devices' names changed, so that marked text stays.
  LiveMap.listEvents = (known) => {
    const shown = JSON.stringify([known.droppedEvents, known.events.slice(0, LISTED_EVENTS).map(({ id, device_id }) => [id, known.devices.get(device_id)?.name])]);
    if (shown === shownEvents) return;
    shownEvents = shown;
    const items = known.events.slice(0, LISTED_EVENTS).map((event) => {
      const item = element("li", "tk-live-event");
      const time = element("time", "tk-subtle tk-num", LiveMap.clock(event.occurred_at));
      time.dateTime = event.occurred_at;
      const device = known.devices.get(event.device_id);
      item.append(time, element("span", "tk-strong", device ? nameOf(device) : `#${event.device_id}`));
      item.append(element("span", "", texts.kinds[event.kind] ?? event.kind));
      return item;
    });
    part("events").replaceChildren(...items);
    part("no-events").hidden = items.length > 0;
    setText(part("dropped"), known.droppedEvents ? say(texts.dropped, { number: known.droppedEvents }) : "");
  };
})();
