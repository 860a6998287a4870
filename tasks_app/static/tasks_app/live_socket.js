// The connection to /ws/live/: opens it, opens it again with growing pauses, and keeps the state it is sent (docs/live.md).
window.TrackerLive = (() => {
  "use strict";
  const LOGGED_OUT = 4401;
  const TOO_MANY = 4429;
  const FIRST_PAUSE_MS = 1000;
  const LONGEST_PAUSE_MS = 30000;
  // The server says something at least every 25 s.
  const SILENCE_MS = 40000;
  const KEPT_EVENTS = 50;

  function open(address, { onChange, onStatus, onGeofences = () => {}, trailMinutes }) {
    const known = { fleets: new Map(), devices: new Map(), events: [], droppedEvents: 0 };
    let socket = null;
    let pauseMs = FIRST_PAUSE_MS;
    let retryTimer = 0;
    let silenceTimer = 0;
    let isOver = false;
    let snapshotIds = null;
    let hasSnapshot = false;

    function connect() {
      clearTimeout(retryTimer);
      if (isOver || socket) return;
      onStatus("connecting");
      const own = (socket = new WebSocket(address));
      own.onmessage = (event) => {
        if (own !== socket) return;
        listen();
        receive(JSON.parse(event.data));
      };
      own.onclose = (event) => own === socket && lost(event.code);
      listen();
    }

    function listen() {
      clearTimeout(silenceTimer);
      silenceTimer = setTimeout(drop, SILENCE_MS);
    }

    function drop() {
      socket?.close();
      lost(0);
    }

    function lost(code) {
      socket = null;
      clearTimeout(silenceTimer);
      if (code === LOGGED_OUT) return end();
      const waitMs = (code === TOO_MANY ? LONGEST_PAUSE_MS : pauseMs) * (0.5 + Math.random() / 2);
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
      retryTimer = setTimeout(connect, waitMs);
      onStatus("waiting");
    }

    function end() {
      isOver = true;
      onStatus("logged-out");
    }

    function receive(message) {
      if (message.type === "authenticate") return socket.close(), (socket = null), clearTimeout(silenceTimer), end();
      if (message.type === "snapshot") return takeSnapshot(message);
      if (message.type === "update") take(message);
    }

    // A snapshot of many devices comes in several messages; what none of them names is no longer ours to see.
    function takeSnapshot(message) {
      if (message.fleets) [snapshotIds, known.events] = [new Set(), []];
      for (const device of message.devices ?? []) snapshotIds.add(device.id);
      take(message);
      if (message.more) return;
      for (const id of known.devices.keys()) if (!snapshotIds.has(id)) known.devices.delete(id);
      snapshotIds = null;
      // While nothing was heard, geofences may have changed, too.
      if (hasSnapshot) onGeofences();
      hasSnapshot = true;
      pauseMs = FIRST_PAUSE_MS;
      onStatus("open");
      onChange(known);
    }

    function take(message) {
      if (message.fleets) known.fleets = new Map(message.fleets.map((fleet) => [fleet.id, fleet.name]));
      for (const device of message.devices ?? []) {
        known.devices.set(device.id, { trail: [], ...known.devices.get(device.id), ...device });
        leaveTrail(known.devices.get(device.id));
      }
      const gone = new Set(message.removed);
      for (const [id, device] of known.devices) {
        if (device.fleet_id !== undefined && !known.fleets.has(device.fleet_id)) gone.add(id);
      }
      for (const id of gone) known.devices.delete(id);
      takeEvents(message.events ?? [], gone);
      if (message.geofences_changed) onGeofences();
      known.droppedEvents += message.dropped_events ?? 0;
      if (!message.more) onChange(known);
    }

    // A device that goes to another fleet takes its events along: they come again with it, or are no longer ours to see.
    function takeEvents(events, gone) {
      const told = new Set(known.events.map(({ id }) => id));
      const fresh = events.filter(({ id }) => !told.has(id)).reverse();
      known.events = [...fresh, ...known.events].filter((event) => !gone.has(event.device_id)).slice(0, KEPT_EVENTS);
    }

    // [latitude, longitude, time of the fix] of the last minutes.
    function leaveTrail(device) {
      const { latitude, longitude, fix_time } = device.state ?? {};
      if (typeof latitude !== "number") return;
      const at = Date.parse(fix_time);
      const isNew = at > (device.trail.at(-1)?.[2] ?? -Infinity);
      const trail = isNew ? [...device.trail, [latitude, longitude, at]] : device.trail;
      device.trail = trail.filter((point) => point[2] > at - trailMinutes * 60_000);
    }

    const again = () => !document.hidden && !socket && ((pauseMs = FIRST_PAUSE_MS), connect());
    window.addEventListener("online", again);
    window.addEventListener("offline", () => socket && drop());
    document.addEventListener("visibilitychange", again);
    connect();
  }

  return { open };
})();
