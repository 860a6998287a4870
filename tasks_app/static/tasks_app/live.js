// Keeps the part of a page marked data-live fresh: fetches the same address and replaces that part.
// The page is complete without it. It rests while the tab is hidden and stops when the reader says so.
(() => {
  "use strict";
  const live = document.querySelector("[data-live]");
  const toggle = document.querySelector("[data-live-toggle]");
  const trouble = document.querySelector("[data-live-trouble]");
  if (!live || !toggle) return;
  const KEY = "tracker.live";
  const seconds = Number(live.dataset.live) || 3;
  let busy = false;

  toggle.checked = localStorage.getItem(KEY) !== "off";
  toggle.addEventListener("change", () => localStorage.setItem(KEY, toggle.checked ? "on" : "off"));

  const isInUse = (node) => node.contains(document.activeElement) || String(window.getSelection()) !== "";

  // What stands on the page is old until the server answers again.
  function say(what) {
    const text = trouble.dataset[what] ?? "";
    if (trouble.textContent !== text) trouble.textContent = text;
  }

  async function refresh() {
    const current = document.querySelector("[data-live]");
    if (busy || !toggle.checked || document.hidden || !current || isInUse(current)) return;
    busy = true;
    try {
      const answer = await fetch(window.location.href, { headers: { "X-Requested-With": "fetch" } });
      if (answer.redirected) return say("ended");
      if (!answer.ok) return say("lost");
      say("");
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("[data-live]");
      if (!fresh) return window.location.reload();
      if (!isInUse(current)) keepOpen(current, fresh), current.replaceWith(fresh);
    } catch {
      // The page keeps what it shows, says so, and asks again.
      say("lost");
    } finally {
      busy = false;
    }
  }

  function keepOpen(before, after) {
    for (const ticked of before.querySelectorAll("input[type=checkbox]:checked[value]")) {
      const same = after.querySelector(`input[name="${ticked.name}"][value="${CSS.escape(ticked.value)}"]`);
      if (same) same.checked = true;
    }
    for (const open of before.querySelectorAll("details[open][id]")) {
      after.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
    }
  }

  // What knows better than the clock when something changed says so (commands.js).
  document.addEventListener("tracker:changed", refresh);
  setInterval(refresh, seconds * 1000);
})();
