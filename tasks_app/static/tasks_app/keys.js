// Single keys on the pages of jobs: j and k go through the rows, Enter opens one, x ticks it, and an element with data-key is
// used by its key. They rest while one writes, and the reader may switch them off. All is reachable with Tab without them.
(() => {
  "use strict";
  const KEY = "tracker.keys";
  const toggle = document.querySelector("[data-keys-toggle]");
  if (!toggle) return;
  toggle.checked = localStorage.getItem(KEY) !== "off";
  toggle.addEventListener("change", () => localStorage.setItem(KEY, toggle.checked ? "on" : "off"));

  const writes = (node) => node.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
  const rows = () => [...document.querySelectorAll("[data-row]")];

  function move(step) {
    const all = rows();
    const here = all.findIndex((row) => row.contains(document.activeElement));
    const next = all[here < 0 ? 0 : Math.max(0, Math.min(all.length - 1, here + step))];
    next?.querySelector("a")?.focus();
  }

  const focused = () => rows().find((row) => row.contains(document.activeElement))?.querySelector("input[type=checkbox]");

  // A button of a form with rows is about the ticked ones, without any about the one that has the focus.
  function use(target) {
    if (target.matches("input")) return target.focus();
    const ticks = target.matches("button") && target.form ? rows().map((row) => row.querySelector("input[type=checkbox]")) : [];
    if (ticks.length && !ticks.some((tick) => tick?.checked)) {
      if (!focused()) return;
      focused().checked = true;
    }
    target.click();
  }

  const steps = { j: () => move(1), k: () => move(-1), x: () => focused()?.click() };

  document.addEventListener("keydown", (event) => {
    if (!toggle.checked || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || writes(event.target)) return;
    const target = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    const step = steps[event.key] ?? (target && (() => use(target)));
    if (!step) return;
    event.preventDefault();
    step();
  });
})();
