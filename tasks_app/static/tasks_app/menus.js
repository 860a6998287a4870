// Menus in the header close when something else is clicked, and with Escape; the row of pages shows the one that is open.
(() => {
  "use strict";
  const open = () => document.querySelectorAll("details.tk-menu[open]");

  const current = document.querySelector(".tk-nav [aria-current]");
  if (current) current.parentElement.scrollLeft = current.offsetLeft - current.parentElement.offsetLeft - 16;

  document.addEventListener("click", (event) => {
    for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of open()) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
})();
