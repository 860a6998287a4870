// The popup of the chosen device: its state, the nearest place, its last events, and where to go from here.
(() => {
  "use strict";
  const { page, texts, element, say, setText, nameOf } = LiveMap;
  const LISTED_EVENTS = 3;
  const [NARROWEST, WIDEST] = [220, 280];
  // Of a popup around its content, and of the map beside it.
  const FRAME = 84;

  // The geofences it is in, or the nearest one of its fleet; else its coordinates.
  function placeOf({ fleet_id, state }, geofences) {
    const inside = (state.geofence_ids ?? []).map((id) => geofences.get(id)?.name).filter(Boolean);
    if (inside.length) return say(texts.inside, { places: inside.join(", ") });
    let nearest = null;
    for (const geofence of geofences.values()) {
      if (geofence.fleet_id !== fleet_id) continue;
      const meters = TrackerMap.distanceMeters(geofence.area, state.latitude, state.longitude);
      if (!(nearest?.meters <= meters)) nearest = { meters, name: geofence.name };
    }
    if (!nearest) return "";
    return say(texts.near, { distance: LiveMap.distance(nearest.meters), place: nearest.name });
  }

  function factsOf(known, device, geofences) {
    const { state } = device;
    return [
      [texts.facts.status, texts.statuses[state.status] ?? state.status],
      [texts.facts.fleet, known.fleets.get(device.fleet_id) ?? "–"],
      [texts.facts.speed, LiveMap.speed(state)],
      [texts.facts.fix, `${LiveMap.dateAndTime(state.fix_time)} (${LiveMap.ago(state.fix_time)})`],
      [texts.facts.position, `${state.latitude.toFixed(5)}, ${state.longitude.toFixed(5)}`],
      [texts.facts.place, placeOf(device, geofences)],
    ].filter(([, text]) => text);
  }

  function eventItems(events, device) {
    return events.filter((event) => event.device_id === device.id).slice(0, LISTED_EVENTS).map((event) => {
      const item = element("li", "", `${texts.kinds[event.kind] ?? event.kind} `);
      item.append(element("span", "tk-subtle tk-num", LiveMap.ago(event.occurred_at)));
      return item;
    });
  }

  LiveMap.popup = (map, onClose) => {
    const box = element("div", "tk-live-popup");
    const [name, facts, list, links] = [element("strong"), element("dl"), element("ul"), element("p", "tk-live-links")];
    const popup = L.popup({ offset: [0, -8], autoPanPadding: [24, 24] });
    let shownId = null;
    let earlier = [];
    let isPressed = false;
    box.append(name, facts, list, links);
    popup.setContent(box);
    popup.on("remove", () => shownId !== null && ((shownId = null), onClose()));

    // Nothing moves under a finger: a link that is gone from there when it is let go was not followed.
    box.addEventListener("pointerdown", () => ((isPressed = true), holdStill()));
    for (const kind of ["pointerup", "pointercancel"]) window.addEventListener(kind, () => (isPressed = false));

    // To stop is a last step of the way that the map is on, a long one after frames that came late: it is taken back.
    function holdStill() {
      const placeOfMap = () => L.DomUtil.getPosition(map.leaflet.getPane("mapPane"));
      const seen = placeOfMap();
      map.leaflet.stop();
      map.leaflet.panBy(placeOfMap().subtract(seen), { animate: false });
    }

    async function askEarlier(id) {
      const address = new URL(page.dataset.events, window.location.href);
      address.search = new URLSearchParams({ device: id, limit: LISTED_EVENTS });
      try {
        const answer = await fetch(address, { headers: { Accept: "application/json" } });
        if (answer.ok && shownId === id) earlier = (await answer.json()).results;
      } catch {
        // Offline: what the socket told is shown.
      }
    }

    // Renewed in place, so that a reader's focus on a link stays. The map makes room where the popup opens or grows.
    function show(known, device, geofences, isOpening, hasGrown = false) {
      if (isPressed && !isOpening) return;
      const place = [device.state.latitude, device.state.longitude];
      setText(name, nameOf(device));
      facts.replaceChildren(...factsOf(known, device, geofences).flatMap(([label, text]) => [element("dt", "", label), element("dd", "tk-num", text)]));
      const newer = new Set(known.events.map(({ id }) => id));
      list.replaceChildren(...eventItems([...known.events, ...earlier.filter(({ id }) => !newer.has(id))], device));
      popup.options.autoPan = isOpening || hasGrown;
      popup.setLatLng(place);
      if (!isOpening) return;
      const named = { id: device.id, unique_id: encodeURIComponent(device.unique_id) };
      links.replaceChildren(...texts.links.map(([label, url]) => Object.assign(element("a", "tk-link", label), { href: say(url, named) })));
      shownId = device.id;
      earlier = [];
      const maxWidth = Math.min(WIDEST, map.leaflet.getSize().x - FRAME);
      Object.assign(popup.options, { maxWidth, minWidth: Math.min(NARROWEST, maxWidth) });
      popup.openOn(map.leaflet);
      askEarlier(device.id).then(() => shownId === device.id && show(known, device, geofences, false, true));
    }

    return {
      show: (known, device, geofences) => show(known, device, geofences, shownId !== device.id),
      close: () => ((shownId = null), popup.remove()),
    };
  };
})();
