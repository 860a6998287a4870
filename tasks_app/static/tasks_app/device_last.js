// The last known place of a device on the map of a day without positions.
(() => {
  "use strict";
  const { latitude, longitude } = JSON.parse(document.getElementById("device-last-point").textContent);
  const map = TrackerMap.create(document.getElementById("device-last-map"));
  map.track.setTrack([[latitude, longitude]]);
  map.track.setCursor([latitude, longitude]);
  map.fit();
})();
