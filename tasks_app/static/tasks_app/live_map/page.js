// The live map: joins the connection (live_socket.js), the map and the lists beside it.
(() => {
  "use strict";
  const { page, part, texts, setText, nameOf } = LiveMap;
  const TRAIL_MINUTES = 10;
  const FOLLOWED_AT = 0.75;
  const ASKED_WITHIN_MS = 2000;
  let known = { fleets: new Map(), devices: new Map(), events: [], droppedEvents: 0 };
  let geofences = new Map();
  let selectedId = null;
  let isFollowing = false;
  // What is there first, be it geofences only, and then the devices once; nothing moves what a reader has moved.
  let isFitted = false;

  const map = TrackerMap.create(document.getElementById("live-map"), { onSelect: (id) => select(id) });
  const popup = LiveMap.popup(map, () => select(null));
  const follow = part("follow");

  function select(id) {
    selectedId = id;
    isFollowing &&= id !== null;
    const device = known.devices.get(id);
    if (!device) popup.close();
    else if (typeof device.state.latitude === "number") {
      if (!map.leaflet.getBounds().contains([device.state.latitude, device.state.longitude])) map.center(device.state.latitude, device.state.longitude);
      completeTrail(device);
    }
    render();
  }

  async function completeTrail({ id }) {
    const earlier = await LiveMap.earlierTrail(known.devices.get(id), TRAIL_MINUTES);
    const device = known.devices.get(id);
    if (!device) return;
    const first = device.trail[0]?.[2] ?? Infinity;
    device.trail = [...earlier.filter(([, , at]) => at < first), ...device.trail];
    render();
  }

  // In the middle, and so low that the popup above it is seen whole.
  function keepInView({ latitude, longitude }) {
    const size = map.leaflet.getSize();
    const now = map.leaflet.latLngToContainerPoint([latitude, longitude]);
    map.leaflet.panBy(now.subtract([size.x / 2, size.y * FOLLOWED_AT]), { animate: false });
  }

  function render() {
    const found = LiveMap.filtered(known);
    const chosen = found.find(({ id }) => id === selectedId);
    LiveMap.listDevices(found, known, selectedId, (id) => select(id === selectedId ? null : id));
    map.devices.show(found, selectedId);
    if (!isFitted && map.fit()) isFitted = map.devices.bounds().isValid();
    const isPlaced = typeof chosen?.state.latitude === "number";
    if (isPlaced && isFollowing) keepInView(chosen.state);
    if (isPlaced) popup.show(known, chosen, geofences);
    else if (selectedId !== null && !chosen) popup.close();
    follow.hidden = !isPlaced;
    follow.setAttribute("aria-pressed", String(isFollowing));
    if (chosen) setText(follow, LiveMap.say(texts.follow, { name: nameOf(chosen) }));
  }

  let fleetNames = "";
  function changed(now) {
    known = now;
    const names = JSON.stringify([...known.fleets]);
    if (names !== fleetNames) {
      LiveMap.listFleets(known.fleets);
      if (fleetNames) showGeofences();
    }
    fleetNames = names;
    render();
    LiveMap.listEvents(known);
  }

  function status(kind) {
    const node = part("connection");
    setText(node, texts.connection[kind]);
    node.dataset.kind = kind;
    part("log-in").hidden = kind !== "logged-out";
  }

  for (const kind of ["pointerdown", "wheel", "keydown"]) {
    page.addEventListener(kind, (event) => (isFitted ||= event.target.closest("#live-map") !== null), { passive: true });
  }
  const letGo = () => isFollowing && ((isFollowing = false), render());
  follow.addEventListener("click", () => ((isFollowing = !isFollowing), render()));
  map.leaflet.on("dragstart", letGo);
  page.addEventListener("keydown", (event) => event.target.id === "live-map" && event.key.startsWith("Arrow") && letGo());
  LiveMap.onFilter(() => (render(), (isFitted = map.fit())));
  setInterval(() => !document.hidden && render(), 5000);

  // Those of the fleets that its reader sees at this time; of answers that cross the one that was asked for last.
  let asked = 0;
  async function showGeofences() {
    const number = (asked += 1);
    const found = await LiveMap.geofences(geofences);
    if (number !== asked) return;
    geofences = found;
    map.geofences.show([...geofences.values()]);
    render();
  }

  // All who look at a fleet hear of a change at once: they do not ask at once.
  let waiting = 0;
  const askSoon = () => (waiting ||= setTimeout(() => ((waiting = 0), showGeofences()), Math.random() * ASKED_WITHIN_MS));

  showGeofences();
  const address = new URL(page.dataset.socket, window.location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  TrackerLive.open(address.href, { onChange: changed, onStatus: status, onGeofences: askSoon, trailMinutes: TRAIL_MINUTES });
})();
