// In place of the theme's own scroll bars, which it looks for: scrolled boxes have those of the browser (theme.css).
window.SimpleBar = { instances: new Map() };

window.addEventListener("load", () => {
  const here = document.querySelector("#nav-sidebar-apps a.active");
  if (here) here.scrollIntoView({ block: "nearest" });
});

// The theme hides a page until its scripts have run. A browser that draws it before that passes over the field with autofocus.
window.addEventListener("load", () => {
  if (document.activeElement === document.body) document.querySelector("[autofocus]")?.focus();
});
