// The page of a rule: its sentence and its map, as stored and, while the form is filled in, as the server answers.
(() => {
  "use strict";
  const map = TrackerMap.create(document.getElementById("rule-map"), { picksDevices: false });
  const panel = document.querySelector("[data-form-check]");
  const sentence = panel.querySelector("[data-sentence]");
  const form = panel.closest("form");
  let key = "";

  function show(watched) {
    if (!watched) return;
    key = watched.key;
    map.geofences.show(watched.geofences);
    map.devices.show(watched.devices);
    document.querySelector("[data-device-count]").textContent = watched.device_count;
    document.querySelector("[data-geofence-count]").textContent = watched.geofence_count;
    const places = L.latLngBounds([]).extend(map.devices.bounds()).extend(map.geofences.bounds());
    if (places.isValid()) map.fit(places);
  }

  form.addEventListener("tk:check", ({ detail }) => detail.address.searchParams.set("map", key));
  form.addEventListener("tk:checked", ({ detail }) => {
    sentence.textContent = detail.sentence || sentence.dataset.wrong;
    panel.classList.toggle("is-wrong", !detail.sentence);
    show(detail.map);
  });
  show(JSON.parse(document.getElementById("rule-watched").textContent));
})();
