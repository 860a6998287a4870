// The area of a geofence: joins the map, the buttons above it and the form's text field, which is what is sent.
(() => {
  "use strict";
  const box = document.querySelector("[data-area-editor]");
  if (!box) return;
  const texts = JSON.parse(document.getElementById("area-editor-texts").textContent);
  const form = box.closest("form");
  const field = document.getElementById(box.dataset.field);
  const part = (name) => box.querySelector(`[data-part="${name}"]`);
  const element = document.getElementById("area-map");
  const FAR_METERS = 100_000;
  const MOST_BYTES = 1_000_000;
  let devices = [];
  let area = null;
  let current = null;

  const map = TrackerMap.create(element, { onEnter: () => editor?.addAtMiddle(), picksDevices: false });
  const editor = field && TrackerMap.editor(map, element, texts, changed);

  function say(text) {
    part("hint").textContent = text;
  }

  function changed(now, drawing = null) {
    area = now;
    current = drawing;
    if (now) field.value = JSON.stringify(now, null, 2);
    showButtons();
    doubt();
  }

  function showButtons() {
    for (const name of ["finish", "undo", "cancel"]) part(name).hidden = !current;
    part("finish").disabled = !editor.canFinish();
    element.classList.toggle("is-drawing", current !== null);
    for (const button of box.querySelectorAll("[data-draw]")) {
      button.setAttribute("aria-pressed", String(button.dataset.draw === current?.kind));
      if (button.dataset.draw === "hole") button.disabled = !["Polygon", "MultiPolygon"].includes(area?.type);
    }
    const size = area?.type === "Circle" ? "radius_meters" : area?.type === "LineString" ? "width_meters" : null;
    part("size-label").hidden = !size || current !== null;
    if (!size) return;
    part("size-name").textContent = texts[size];
    if (document.activeElement !== part("size")) part("size").value = area[size];
  }

  // --- What looks wrong ---

  function pointsOf({ type, coordinates }) {
    if (type === "Circle") return [coordinates];
    return type === "LineString" ? coordinates : type === "Polygon" ? coordinates[0] : coordinates.flatMap(([outer]) => outer);
  }

  const away = ([longitude, latitude]) =>
    devices.reduce((least, { state }) => Math.min(least, map.leaflet.distance([state.latitude, state.longitude], [latitude, longitude])), Infinity);

  function crosses(ring) {
    const side = (a, b, c) => Math.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]));
    for (let i = 1; i < ring.length; i += 1) {
      for (let j = i + 2; j < ring.length - (i === 1 ? 1 : 0); j += 1) {
        const [a, b, c, d] = [ring[i - 1], ring[i], ring[j - 1], ring[j]];
        if (side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0) return true;
      }
    }
    return false;
  }

  function doubt() {
    const node = part("doubt");
    const [first] = area ? pointsOf(area) : [];
    const rings = area?.type === "Polygon" ? area.coordinates : area?.type === "MultiPolygon" ? area.coordinates.flat() : [];
    let text = "";
    if (rings.some((ring) => ring.length < 1000 && crosses(ring))) text = texts.crosses;
    else if (first && devices.length && away(first) > FAR_METERS) {
      const isSwapped = Math.abs(first[0]) <= 90 && away([first[1], first[0]]) < FAR_METERS;
      text = isSwapped ? texts.swapped : texts.far;
    }
    node.textContent = text;
    node.hidden = !text;
  }

  // --- Text and files ---

  async function read(text) {
    const body = new FormData();
    body.set("text", text);
    const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
    try {
      const answer = await fetch(box.dataset.reader, { method: "POST", body, headers: { "X-CSRFToken": token } });
      const { area: found, error } = await answer.json();
      if (!found) return say(error);
      say("");
      editor.show(found);
      changed(found);
      map.fit(editor.bounds());
    } catch {
      say(texts.unread);
    }
  }

  async function take(file) {
    if (file.size > MOST_BYTES) return say(texts.large);
    await read(await file.text());
  }

  function showField() {
    if (!field.value.trim()) return editor.show((area = null)), changed(null);
    read(field.value);
  }

  // --- Vehicles and other geofences ---

  async function showOthers() {
    const answer = await fetch(`${box.dataset.geofences}?limit=500`, { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const { results } = await answer.json();
    map.geofences.show(results.filter(({ id }) => String(id) !== box.dataset.own));
  }

  function showDevices(known) {
    devices = [...known.devices.values()].filter(({ state }) => typeof state?.latitude === "number");
    map.devices.show(devices);
    doubt();
    if (!area && !current && !box.dataset.isFitted) box.dataset.isFitted = map.fit() ? "yes" : "";
  }

  if (editor) {
    for (const button of box.querySelectorAll("[data-draw]")) {
      button.addEventListener("click", () => (editor.start(button.dataset.draw), say(texts.hints[button.dataset.draw]), element.focus()));
    }
    part("finish").addEventListener("click", () => (editor.finish(), say(texts.hints.edit), element.focus()));
    part("undo").addEventListener("click", editor.undo);
    part("cancel").addEventListener("click", () => (editor.cancel(), say("")));
    part("size").addEventListener("change", ({ target }) => target.valueAsNumber > 0 && editor.setSize(target.valueAsNumber));
    part("size").addEventListener("keydown", (event) => event.key === "Enter" && (event.preventDefault(), event.target.dispatchEvent(new Event("change"))));
    part("file").addEventListener("change", ({ target }) => target.files[0] && take(target.files[0]).then(() => (target.value = "")));
    field.addEventListener("change", showField);
    showField();
  }
  showOthers().catch(() => {});
  const address = new URL(box.dataset.socket, window.location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  TrackerLive.open(address.href, { onChange: showDevices, onStatus: () => {}, trailMinutes: 1 });
})();
