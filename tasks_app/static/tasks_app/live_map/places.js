// What the live map asks the API for: geofences, and the last minutes of the chosen device.
(() => {
  "use strict";
  const { page } = LiveMap;
  const MOST_GEOFENCES = 2000;

  async function json(address) {
    const askedAt = Date.now();
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    LiveMap.setClock(answer.headers.get("Date"), askedAt);
    if (!answer.ok) throw new Error(`${answer.status}`);
    return answer.json();
  }

  // All geofences by id, page by page; those that were known before and what could be read, if the rest cannot.
  LiveMap.geofences = async (known) => {
    const found = new Map();
    let address = `${page.dataset.geofences}?limit=500`;
    try {
      while (address && found.size < MOST_GEOFENCES) {
        const { results, next } = await json(address);
        for (const geofence of results) if (geofence.is_active) found.set(geofence.id, geofence);
        // The address of `next` has the host that the server sees, which behind a proxy may be another one.
        address = next && `${page.dataset.geofences}${new URL(next).search}`;
      }
      return found;
    } catch {
      return new Map([...known, ...found]);
    }
  };

  // The way of a device until the first position that the page saw itself, as a trail.
  LiveMap.earlierTrail = async (device, minutes) => {
    const from = new Date(LiveMap.now() - minutes * 60_000).toISOString();
    const parameters = new URLSearchParams({ device: device.id, from, limit: 500 });
    try {
      const { results } = await json(`${page.dataset.positions}?${parameters}`);
      return results
        .map(({ latitude, longitude, fix_time }) => [latitude, longitude, Date.parse(fix_time)])
        .sort((a, b) => a[2] - b[2]);
    } catch {
      return [];
    }
  };
})();
