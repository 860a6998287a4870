// The filters of the live map: text, fleet, status. They stand in the address too, so that a link keeps them.
(() => {
  "use strict";
  const { page, part, locale, nameOf, element } = LiveMap;
  const NAMES = ["q", "fleet", "status"];
  const fields = Object.fromEntries(NAMES.map((name) => [name, part(`filter-${name}`)]));
  const given = new URLSearchParams(window.location.search);
  // The fleets are known later; until then the one of the address is remembered.
  let wantedFleet = given.get("fleet") ?? "";

  fields.q.value = given.get("q") ?? "";
  fields.status.value = given.get("status") ?? "";
  if (fields.status.selectedIndex < 0) fields.status.value = "";

  function remember() {
    const parameters = new URLSearchParams(NAMES.filter((name) => fields[name].value).map((name) => [name, fields[name].value]));
    window.history.replaceState(null, "", parameters.size ? `?${parameters}` : window.location.pathname);
  }

  LiveMap.onFilter = (act) =>
    page.querySelector("form").addEventListener("input", () => {
      wantedFleet = fields.fleet.value;
      remember();
      act();
    });

  LiveMap.listFleets = (fleets) => {
    const sorted = [...fleets].sort((a, b) => a[1].localeCompare(b[1], locale, { numeric: true }));
    const options = sorted.map(([id, name]) => Object.assign(element("option", "", name), { value: String(id) }));
    fields.fleet.replaceChildren(fields.fleet.options[0], ...options);
    fields.fleet.value = fleets.has(Number(wantedFleet)) ? wantedFleet : "";
  };

  LiveMap.filtered = ({ devices, fleets }) => {
    const words = fields.q.value.trim().toLocaleLowerCase();
    const [fleet, status] = [Number(fields.fleet.value), fields.status.value];
    const text = (device) => `${nameOf(device)} ${device.unique_id} ${fleets.get(device.fleet_id)}`.toLocaleLowerCase();
    return [...devices.values()].filter(
      (device) =>
        (!fleet || device.fleet_id === fleet) &&
        (!status || TrackerMap.kindOf(device.state) === status) &&
        (!words || text(device).includes(words)),
    );
  };

  page.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
})();
