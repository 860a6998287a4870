// A form is sent once: a second click, or Enter held down, would add the same thing again, however long the first answer takes. One
// that is answered with a file (data-answer="file") stays on its page, and may be sent again.
(() => {
  "use strict";
  let sent = new WeakSet();
  const forget = () => (sent = new WeakSet());

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.getAttribute("method")?.toLowerCase() !== "post") return;
    if (form.querySelector('[data-answer="file"]')) return;
    if (sent.has(form)) event.preventDefault();
    else sent.add(form);
  });
  // Whoever comes back to the page, or stops the answer on its way, may send it again.
  window.addEventListener("pageshow", forget);
  document.addEventListener("keydown", (event) => event.key === "Escape" && forget());

  // What is shown once is gone when the page is loaded again: that goes to the page it names, and does not send the form again.
  document.addEventListener("DOMContentLoaded", () => {
    const shown = document.querySelector("[data-shown-once]");
    if (shown) window.history.replaceState(null, "", shown.dataset.shownOnce);
  });
})();
