// Keeps the part of a page marked data-live fresh: fetches the same address and replaces that part.
// The page is complete without it. It rests while the tab is hidden and stops when the reader says so.
(() => {
  "use strict";
  const live = document.querySelector("[data-live]");
  const toggle = document.querySelector("[data-live-toggle]");
  const trouble = document.querySelector("[data-live-trouble]");
  if (!live || !toggle) return;
  const KEY = "tracker.live";
  const TICKS = "input.action-select";
  const LONGEST_ANSWER_MS = 20000;
  const LONGEST_PAUSE_MS = 30000;
  // What a reader scrolls within the part.
  const SCROLLED = ".tk-pre, .tk-scroll";
  const seconds = Number(live.dataset.live) || 3;
  let pauseMs = seconds * 1000;
  let restsUntil = 0;
  let busy = false;
  let isMissed = false;

  toggle.checked = localStorage.getItem(KEY) !== "off";
  toggle.addEventListener("change", () => localStorage.setItem(KEY, toggle.checked ? "on" : "off"));

  const isInUse = (node) => node.contains(document.activeElement) || String(window.getSelection()) !== "";

  // What stands on the page is old until the server answers again: it is asked with growing pauses. A page that is gone, or whose
  // reader is logged out, asks when they come back to it.
  function say(what) {
    const text = trouble.dataset[what] ?? "";
    if (trouble.textContent !== text) trouble.textContent = text;
    restsUntil = { "": 0, lost: Date.now() + pauseMs * (0.5 + Math.random() / 2) }[what] ?? Infinity;
    pauseMs = what === "lost" ? Math.min(LONGEST_PAUSE_MS, pauseMs * 2) : seconds * 1000;
  }

  async function refresh() {
    const current = document.querySelector("[data-live]");
    if (busy || !toggle.checked || document.hidden || !current || isInUse(current)) return;
    busy = true;
    try {
      const signal = AbortSignal.timeout(LONGEST_ANSWER_MS);
      const answer = await fetch(window.location.href, { headers: { "X-Requested-With": "fetch" }, signal });
      if (answer.redirected) return say("ended");
      if ([403, 404].includes(answer.status)) return say("gone");
      if (!answer.ok) return say("lost");
      say("");
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("[data-live]");
      if (!fresh) return window.location.reload();
      if (!isInUse(current)) renew(current, fresh);
    } catch {
      // The page keeps what it shows, says so, and asks again.
      say("lost");
    } finally {
      busy = false;
      if (isMissed) (isMissed = false), refresh();
    }
  }

  function renew(before, after) {
    if (before.querySelector(TICKS)) return renewRows(before, after);
    keepState(before, after);
    const places = [...before.querySelectorAll(SCROLLED)].map(({ scrollLeft, scrollTop }) => [scrollLeft, scrollTop]);
    before.replaceWith(after);
    const scrolled = after.querySelectorAll(SCROLLED);
    if (scrolled.length === places.length) scrolled.forEach((node, index) => node.scrollTo(...places[index]));
  }

  // Scripts of the admin's own lists hold on to the ticks and what stands around the rows: there only the cells are renewed. Where
  // other rows came, the page is loaded anew, unless that would take something from its reader.
  function renewRows(before, after) {
    const rowsOf = (part) => new Map([...part.querySelectorAll(TICKS)].map((tick) => [tick.value, tick.closest("tr")]));
    const [rows, fresh] = [rowsOf(before), rowsOf(after)];
    for (const [value, row] of rows) {
      const cells = fresh.get(value)?.children ?? [];
      if (cells.length !== row.children.length) continue;
      [...row.children].forEach((cell, at) => cell.querySelector(TICKS) || cell.replaceWith(cells[at].cloneNode(true)));
    }
    const isSame = String([...rows.keys()]) === String([...fresh.keys()]);
    if (!isSame && !before.querySelector(`${TICKS}:checked`) && document.activeElement === document.body) window.location.reload();
  }

  function keepState(before, after) {
    for (const ticked of before.querySelectorAll("input[type=checkbox]:checked[value]")) {
      const same = after.querySelector(`input[name="${ticked.name}"][value="${CSS.escape(ticked.value)}"]`);
      if (same) same.checked = true;
    }
    for (const fold of before.querySelectorAll("details[id]")) {
      after.querySelector(`#${CSS.escape(fold.id)}`)?.toggleAttribute("open", fold.open);
    }
  }

  // What knows better than the clock when something changed says so (commands.js), also while an older answer is awaited.
  document.addEventListener("tracker:changed", () => (busy ? (isMissed = true) : refresh()));
  // Whoever comes back to a page, or to the network, does not wait until it is time.
  document.addEventListener("visibilitychange", refresh);
  window.addEventListener("online", refresh);
  setInterval(() => Date.now() >= restsUntil && refresh(), seconds * 1000);
})();
