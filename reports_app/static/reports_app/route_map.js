// Draws the way of a route report.
(() => {
  "use strict";
  const map = TrackerMap.create(document.getElementById("route-map"));
  map.track.setTrack(JSON.parse(document.getElementById("route-points").textContent));
  map.fit();
})();
