// Devices that lie close together on the screen, taken as one: at no zoom is more drawn than fits.
(() => {
  "use strict";
  const CELL = 56;
  const JOINED_FROM = 3;
  const ROW = 2 ** 26;

  const kindOf = ({ status, is_moving }) => (status === "online" ? (is_moving ? "moving" : "standing") : status === "offline" ? "offline" : "unknown");

  // The middle of the members, held so far from the edges of the cell that neighbours do not cover each other.
  function middle(members, scale) {
    const mean = (axis) => members.reduce((sum, one) => sum + one[axis], 0) / members.length;
    const held = (value) => {
      const cell = Math.floor((value * scale) / CELL) + 0.5;
      return (Math.max(cell - 0.2, Math.min(cell + 0.2, (value * scale) / CELL)) * CELL) / scale;
    };
    return { x: held(mean("x")), y: held(mean("y")) };
  }

  // `entries` are {device, x, y, kind}; answers those that stand alone, and clusters {x, y, members, counts}.
  TrackerMap.clustered = (entries, scale, selectedId) => {
    const cells = new Map();
    const singles = [];
    for (const entry of entries) {
      if (entry.device.id === selectedId) continue;
      const key = Math.floor((entry.x * scale) / CELL) * ROW + Math.floor((entry.y * scale) / CELL);
      const cell = cells.get(key);
      if (cell) cell.push(entry);
      else cells.set(key, [entry]);
    }
    const clusters = [];
    for (const members of cells.values()) {
      if (members.length < JOINED_FROM) {
        singles.push(...members);
        continue;
      }
      const counts = { moving: 0, standing: 0, offline: 0, unknown: 0 };
      for (const { kind } of members) counts[kind] += 1;
      clusters.push({ ...middle(members, scale), members, counts });
    }
    return { singles, clusters };
  };

  TrackerMap.kindOf = kindOf;
})();
