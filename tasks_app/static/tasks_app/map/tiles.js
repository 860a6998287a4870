// Pictures of the tile server, if the settings name one. Whatever it does, the map beneath stays usable.
(() => {
  "use strict";
  const TROUBLE_AFTER = 4;

  // Adds the tiles and says through `onTrouble(isTrouble)` when they fail to come, and when they come again.
  TrackerMap.addTiles = (map, { url, attribution, max_zoom }, onTrouble) => {
    const tiles = L.tileLayer(url, {
      attribution,
      maxNativeZoom: max_zoom,
      maxZoom: map.getMaxZoom(),
      // Public tile servers refuse requests without the site's address; ours would be left out otherwise.
      referrerPolicy: "strict-origin",
    });
    let failed = 0;
    tiles.on("tileerror", () => (failed += 1) === TROUBLE_AFTER && onTrouble(true));
    tiles.on("tileload", () => {
      if (failed >= TROUBLE_AFTER) onTrouble(false);
      failed = 0;
    });
    return tiles.addTo(map);
  };
})();
