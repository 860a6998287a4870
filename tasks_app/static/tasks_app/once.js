// A form is sent once: a second click, or Enter held down, would add the same thing again. One that is answered with a file stays on
// its page and may be sent again a little later.
(() => {
  "use strict";
  const AGAIN_AFTER_MS = 5000;
  let sentAt = new WeakMap();

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.getAttribute("method")?.toLowerCase() !== "post") return;
    if (event.timeStamp - (sentAt.get(form) ?? -Infinity) < AGAIN_AFTER_MS) event.preventDefault();
    else sentAt.set(form, event.timeStamp);
  });
  // Whoever comes back to the page may send it again.
  window.addEventListener("pageshow", () => (sentAt = new WeakMap()));
})();
