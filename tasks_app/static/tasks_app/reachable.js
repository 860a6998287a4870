// What the theme makes of boxes that are clicked (the menu of the person, the side bar, filters) is a button for the keyboard, too.
// Escape closes what it opened.
(() => {
  "use strict";
  const CLICKED = ":is(div, span, a:not([href]))[x-on\\:click]:not([tabindex])";
  const CONTROLS = "a[href], button, input, select, textarea";
  // What stands elsewhere in the page than what opens it.
  const OPENED = "nav[id^='related-widget-wrapper-'], #changelist-filter";
  const OPENED_AFTER_MS = 200;
  let opener = null;

  function textOf(node) {
    const copy = node.cloneNode(true);
    copy.querySelectorAll(".material-symbols-outlined").forEach((icon) => icon.remove());
    return node.classList.contains("material-symbols-outlined") ? "" : copy.textContent.trim();
  }

  function mend() {
    for (const node of document.querySelectorAll(CLICKED)) {
      if (!node.textContent.trim() || node.querySelector(CONTROLS)) continue;
      node.tabIndex = 0;
      node.setAttribute("role", "button");
      const { pages, more } = document.body.dataset;
      if (!textOf(node)) node.setAttribute("aria-label", node.closest("#header-inner") ? pages : more);
    }
  }

  const shown = () => [...document.querySelectorAll(OPENED)].filter((box) => box.checkVisibility());

  function enter(opened) {
    [...(opened?.querySelectorAll(CONTROLS) ?? [])].find((control) => control.checkVisibility())?.focus();
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && opener?.isConnected) {
      document.body.click();
      opener.focus();
      opener = null;
    }
    if (!["Enter", " "].includes(event.key) || !event.target.matches('[x-on\\:click][role="button"]')) return;
    event.preventDefault();
    opener = event.target;
    const before = shown();
    opener.click();
    setTimeout(() => enter(shown().find((box) => !before.includes(box))), OPENED_AFTER_MS);
  });
  document.addEventListener("DOMContentLoaded", () => {
    mend();
    document.addEventListener("formset:added", mend);
  });
})();
