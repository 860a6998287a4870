// Names beside symbols that cover neither a symbol nor each other. A name that finds no place is left out.
(() => {
  "use strict";
  const HEIGHT = 16;
  const MOST = 150;
  const CELL = 64;
  const MOST_LETTERS = 30;

  // Rectangles that are taken, found again by the cells they touch.
  function occupied() {
    const cells = new Map();
    const touched = ([left, top, right, bottom]) => {
      const keys = [];
      for (let x = Math.floor(left / CELL); x <= Math.floor(right / CELL); x += 1) {
        for (let y = Math.floor(top / CELL); y <= Math.floor(bottom / CELL); y += 1) keys.push(x * 65536 + y);
      }
      return keys;
    };
    const meets = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
    return {
      take: (box) => touched(box).forEach((key) => cells.set(key, [...(cells.get(key) ?? []), box])),
      isFree: (box) => touched(box).every((key) => !(cells.get(key) ?? []).some((other) => meets(box, other))),
    };
  }

  const around = ({ x, y, radius }, width) => [
    [x + radius + 4, y - HEIGHT / 2],
    [x - radius - 4 - width, y - HEIGHT / 2],
    [x - width / 2, y - radius - 2 - HEIGHT],
    [x - width / 2, y + radius + 2],
  ];

  const cut = (name) => (name.length > MOST_LETTERS ? `${[...name].slice(0, MOST_LETTERS - 1).join("").trimEnd()}…` : name);

  // `marks` are {x, y, radius, name} in the order of their importance, those without a name only take their place. A mark that
  // `isSure` has its name in any case.
  TrackerMap.placeNames = (marks, widthOf) => {
    const taken = occupied();
    for (const { x, y, radius } of marks) taken.take([x - radius, y - radius, x + radius, y + radius]);
    const placed = [];
    for (const mark of marks) {
      if (!mark.name || placed.length >= MOST) continue;
      const name = cut(mark.name);
      const width = widthOf(name);
      const spot = around(mark, width).find(([left, top]) => mark.isSure || taken.isFree([left, top, left + width, top + HEIGHT]));
      if (!spot) continue;
      taken.take([spot[0], spot[1], spot[0] + width, spot[1] + HEIGHT]);
      placed.push({ name, x: spot[0], y: spot[1] + HEIGHT - 4 });
    }
    return placed;
  };
})();
