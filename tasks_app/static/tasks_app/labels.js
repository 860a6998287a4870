// Names for screen readers where the theme leaves controls without: autocompletes, whose box is not the labelled
// <select>, and the cells of inline tables, whose label is the head of the column. Roles where it has the wrong ones.
(() => {
  const labelOf = (field) => {
    const label = field.labels && field.labels[0];
    if (label) return label.textContent;
    const cell = field.closest("td");
    const head = cell && cell.closest("table").querySelectorAll("thead th")[cell.cellIndex];
    return head ? head.textContent : "";
  };

  const nameOne = (select) => {
    const name = labelOf(select).replace("*", "").trim();
    if (!name) return;
    if (!select.labels.length) select.setAttribute("aria-label", name);
    const box = select.parentElement.querySelector(".select2-selection");
    if (!box) return;
    const chosen = box.querySelector(".select2-selection__rendered");
    // Both, as "Fleet: North": an aria-labelledby that names the chosen value alone hides what is being chosen.
    box.removeAttribute("aria-labelledby");
    box.setAttribute("aria-label", [name, chosen && chosen.textContent.trim()].filter(Boolean).join(": "));
    if (chosen) chosen.setAttribute("aria-label", name);
    const search = box.querySelector("input");
    if (search) search.setAttribute("aria-label", name);
  };

  const nameAll = () => document.querySelectorAll("#content-main select, form select").forEach(nameOne);

  // Boxes that are scrolled can be by the keyboard, too; its tooltips have a name without a role.
  const mendRoles = () => {
    document.querySelectorAll("[data-simplebar]").forEach((box) => {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    });
    document.querySelectorAll(".help-tooltip").forEach((tip) => tip.setAttribute("role", "img"));
    document.querySelectorAll("ul.select2-selection__rendered").forEach((list) => list.setAttribute("role", "presentation"));
  };

  // On a phone cells are labelled by their column's name, which the theme leaves as it stands in the models.
  document.querySelectorAll("td[data-label], th[data-label]").forEach((cell) => {
    const label = cell.dataset.label;
    cell.dataset.label = label.charAt(0).toUpperCase() + label.slice(1);
  });

  const mendAll = () => (nameAll(), mendRoles());

  window.addEventListener("load", () => {
    // After other scripts, which wait for the same event.
    setTimeout(mendAll);
    document.addEventListener("formset:added", () => setTimeout(mendAll));
    if (!window.django || !django.jQuery) return;
    // Autocompletes are made when jQuery says that it is ready, which may be later still.
    django.jQuery(() => setTimeout(mendAll));
    django.jQuery(document).on("change", "select", mendAll);
  });
})();
