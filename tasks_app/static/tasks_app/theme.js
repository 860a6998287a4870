// In place of the theme's own scroll bars, which it looks for: scrolled boxes have those of the browser (theme.css).
window.SimpleBar = { instances: new Map() };

window.addEventListener("load", () => {
  const here = document.querySelector("#nav-sidebar-apps a.active");
  if (here) here.scrollIntoView({ block: "nearest" });
});
