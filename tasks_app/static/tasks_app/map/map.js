// A map on a page: TrackerMap.create(element, options), where `element` comes from {% map %} (docs/map.md).
(() => {
  "use strict";
  const CLOSEST = 19;
  const CLOSE = 16;
  const PANES = { graticule: 150, geofences: 410, track: 420, devices: 430 };

  const settingsOf = (element) => JSON.parse(document.getElementById(`${element.id}-settings`).textContent);

  function addPanes(map) {
    for (const [name, order] of Object.entries(PANES)) {
      const pane = map.createPane(name);
      pane.style.zIndex = order;
      if (name !== "geofences") pane.style.pointerEvents = "none";
    }
  }

  function icon(path) {
    const picture = L.SVG.create("svg");
    const line = L.SVG.create("path");
    picture.setAttribute("viewBox", "0 0 18 18");
    picture.setAttribute("aria-hidden", "true");
    line.setAttribute("d", path);
    picture.append(line);
    return picture;
  }

  function addButtons(map, element, texts, fit) {
    const bar = L.DomUtil.create("div", "leaflet-bar tk-map-buttons");
    const button = (path, title, act) => {
      const node = L.DomUtil.create("button", "", bar);
      Object.assign(node, { type: "button", title });
      node.append(icon(path));
      node.setAttribute("aria-label", title);
      node.addEventListener("click", act);
      return node;
    };
    button("M4 4h10v10h-10z M9 1v3 M9 14v3 M1 9h3 M14 9h3", texts.show_all, fit);
    if (element.requestFullscreen) {
      button("M2 6v-4h4 M12 2h4v4 M16 12v4h-4 M6 16h-4v-4", texts.fullscreen, () => (document.fullscreenElement ? document.exitFullscreen() : element.requestFullscreen()));
    }
    L.DomEvent.disableClickPropagation(bar);
    const Bar = L.Control.extend({ onAdd: () => bar });
    new Bar({ position: "topleft" }).addTo(map);
  }

  // A list of the devices of a cluster that no zoom takes apart.
  function listOf(devices, onSelect) {
    const list = L.DomUtil.create("ul", "tk-map-list");
    for (const device of devices.slice(0, 50)) {
      const button = L.DomUtil.create("button", "", L.DomUtil.create("li", "", list));
      Object.assign(button, { type: "button", textContent: device.name || `#${device.id}` });
      button.addEventListener("click", () => onSelect(device.id));
    }
    return list;
  }

  function themeChanges(act) {
    new MutationObserver(act).observe(document.documentElement, { attributeFilter: ["class", "data-theme"] });
    for (const chosen of ["prefers-color-scheme: dark", "forced-colors: active"]) window.matchMedia(`(${chosen})`).addEventListener("change", act);
  }

  // Nothing glides for people who asked for less motion: what moves is there at once.
  const isCalm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const CALM = { zoomAnimation: false, fadeAnimation: false, markerZoomAnimation: false, inertia: false };

  function calmed(map) {
    const panBy = map.panBy;
    map.panBy = (offset, options) => panBy.call(map, offset, { ...options, animate: false });
  }

  function create(element, { onSelect = () => {}, onEnter, picksDevices = true } = {}) {
    const { tiles, texts } = settingsOf(element);
    const map = L.map(element, { zoomControl: false, worldCopyJump: true, minZoom: 2, maxZoom: CLOSEST, attributionControl: Boolean(tiles), zoomSnap: 0.5, ...(isCalm && CALM) });
    if (isCalm) calmed(map);
    map.setView([0, 0], 2);
    addPanes(map);
    new TrackerMap.Graticule(element).addTo(map);
    if (tiles) addTiles();
    const geofences = TrackerMap.geofences(map, element);
    const track = TrackerMap.track(map, element);
    const devices = new TrackerMap.Devices(element, { onSelect, onCluster: openCluster, isPickable: picksDevices }).addTo(map);

    L.control.zoom({ position: "topleft", zoomInTitle: texts.zoom_in, zoomOutTitle: texts.zoom_out }).addTo(map);
    addButtons(map, element, texts, () => fit());
    L.control.scale({ imperial: false, position: "bottomright" }).addTo(map);
    themeChanges(() => (geofences.recolour(), track.recolour(), map.fire("moveend")));
    new ResizeObserver(() => map.invalidateSize({ animate: false })).observe(element);
    element.addEventListener("keydown", onKey);

    function addTiles() {
      const note = L.DomUtil.create("p", "tk-map-note", element);
      Object.assign(note, { hidden: true, textContent: texts.tiles_fail });
      note.setAttribute("role", "status");
      map.attributionControl.setPrefix(false);
      TrackerMap.addTiles(map, tiles, (isTrouble) => (note.hidden = !isTrouble));
    }

    function openCluster(members) {
      const bounds = L.latLngBounds(members.map(({ state }) => [state.latitude, state.longitude]));
      if (map.getZoom() < CLOSEST && map.getBoundsZoom(bounds) > map.getZoom()) map.fitBounds(bounds, { padding: [40, 40] });
      else map.openPopup(listOf(members, onSelect), bounds.getCenter());
    }

    // Shows all of what is given, or of what the map holds; answers whether there is anything.
    function fit(bounds = devices.bounds()) {
      const all = [bounds, track.bounds(), geofences.bounds()].find((one) => one.isValid());
      if (all) map.fitBounds(all, { padding: [32, 32], maxZoom: CLOSE });
      return Boolean(all);
    }

    function center(latitude, longitude) {
      map.setView([latitude, longitude], Math.max(map.getZoom(), CLOSE - 1));
    }

    function onKey(event) {
      if (event.target !== element || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "0") fit();
      else if (event.key === "Enter" && onEnter) onEnter();
      else if (event.key === "Enter") devices.choose(devices.nearestToMiddle());
      else return;
      event.preventDefault();
    }

    // Other scripts of the page find it at the element.
    element.trackerMap = { leaflet: map, devices, geofences, track, fit, center };
    return element.trackerMap;
  }

  TrackerMap.create = create;
})();
