// Writes beside a date or time what was chosen, as these pages write it: the browser's own field follows the browser's
// language, in which 2/3 is February or March.
(() => {
  "use strict";
  const locale = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
  const month = document.documentElement.lang.startsWith("en") ? "short" : "2-digit";
  const day = new Intl.DateTimeFormat(locale, { weekday: "short", day: "2-digit", month, year: "numeric", timeZone: "UTC" });
  let count = 0;

  // Both kinds of fields have their value in ISO 8601, without a zone, or nothing.
  function text(value) {
    const [date, time] = value.split("T");
    const at = new Date(`${date}T00:00:00Z`);
    return Number.isNaN(at.getTime()) ? "" : [day.format(at), time].filter(Boolean).join(", ");
  }

  document.querySelectorAll("input[type=date], input[type=datetime-local]").forEach((input) => {
    const note = document.createElement("span");
    note.className = "tk-chosen";
    note.id = `chosen-${(count += 1)}`;
    input.after(note);
    input.setAttribute("aria-describedby", [input.getAttribute("aria-describedby"), note.id].filter(Boolean).join(" "));
    const show = () => (note.textContent = text(input.value));
    ["input", "change"].forEach((name) => input.addEventListener(name, show));
    show();
  });
})();
