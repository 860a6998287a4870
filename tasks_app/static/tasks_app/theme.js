// In place of the theme's own scroll bars, which it looks for: scrolled boxes have those of the browser (theme.css).
window.SimpleBar = { instances: new Map() };

// The page one is on is in sight in the side bar. Not by scrollIntoView: for Chromium the keyboard goes on from there, behind the
// link that skips the side bar.
window.addEventListener("load", () => {
  const box = document.querySelector("#nav-sidebar-apps");
  const here = box?.querySelector("a.active");
  if (!here) return;
  const [link, seen] = [here.getBoundingClientRect(), box.getBoundingClientRect()];
  box.scrollTop += Math.max(0, link.bottom - seen.bottom) - Math.max(0, seen.top - link.top);
});

// The theme hides a page until its scripts have run. A browser that draws it before that passes over the field with autofocus.
window.addEventListener("load", () => {
  if (document.activeElement === document.body) document.querySelector("[autofocus]")?.focus();
});
