// A form of the admin that is checked by the server while it is filled in. The element with data-form-check has the
// address, which answers {errors, missing, ...}: sentences by name of input, about wrong and about missing input. They are
// shown beside their fields, those about missing input only where the reader has been. Other scripts of the page take the
// rest of the answer from the event "tk:checked" of the form. Without this script the server answers when it is saved.
(() => {
  "use strict";
  const panel = document.querySelector("[data-form-check]");
  const form = panel?.closest("form");
  if (!form || !panel.dataset.formCheck) return;
  const WAIT_MS = 400;
  const touched = new Set();
  let asked = 0;
  let timer;

  // The names of inputs of one field begin with its name: windows-0-from.
  const isTouched = (name) => [...touched].some((one) => one === name || one.startsWith(`${name}-`));

  function placeOf(name) {
    const own = name.replace(/^.*-\d+-/, "");
    const input = form.querySelector(`[name="${CSS.escape(name)}"], [name^="${CSS.escape(name)}-"]`);
    const field = input?.closest(`.field-${CSS.escape(own)}`) ?? form.querySelector(`.field-${CSS.escape(own)}`);
    return field?.querySelector(":scope > .grow") ?? field;
  }

  function listIn(place) {
    const found = place.querySelector(":scope > [data-checked]");
    if (found) return found;
    const list = document.createElement("ul");
    list.className = "tk-field-errors";
    list.dataset.checked = "";
    list.setAttribute("aria-live", "polite");
    place.append(list);
    return list;
  }

  const items = (sentences) => sentences.map((text) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  });

  function show({ errors = {}, missing = {} }) {
    form.querySelectorAll("[data-checked]").forEach((list) => list.replaceChildren());
    // What was refused when it was saved stands there once, as the check says it.
    form.querySelectorAll(".errorlist").forEach((list) => list.remove());
    form.querySelectorAll("[aria-invalid]").forEach((input) => input.removeAttribute("aria-invalid"));
    const lacking = Object.entries(missing).filter(([name]) => isTouched(name));
    const general = [];
    for (const [name, sentences] of [...Object.entries(errors), ...lacking]) {
      const place = name && placeOf(name);
      if (!place) {
        general.push(...sentences);
        continue;
      }
      listIn(place).append(...items(sentences));
      form.querySelectorAll(`[name="${CSS.escape(name)}"]`).forEach((input) => input.setAttribute("aria-invalid", "true"));
    }
    panel.querySelector("[data-form-errors]")?.replaceChildren(...items(general));
  }

  async function check() {
    const number = (asked += 1);
    const address = new URL(panel.dataset.formCheck, window.location.href);
    const request = new CustomEvent("tk:check", { detail: { address } });
    form.dispatchEvent(request);
    try {
      const answer = await fetch(address, { method: "POST", body: new FormData(form) });
      if (!answer.ok || number !== asked) return;
      const found = await answer.json();
      show(found);
      form.dispatchEvent(new CustomEvent("tk:checked", { detail: found }));
    } catch {
      // The server does not answer: it will say what is wrong when the form is saved.
    }
  }

  function note(event) {
    if (event.target.name) touched.add(event.target.name);
    clearTimeout(timer);
    timer = setTimeout(check, WAIT_MS);
  }

  form.addEventListener("input", note);
  form.addEventListener("change", note);
  form.addEventListener("tk:check-now", check);
  // The selects of the admin tell only jQuery that they changed, and rows are added and removed by its events.
  const jquery = window.django?.jQuery;
  if (jquery) jquery(form).on("change", "select", note);
  document.addEventListener("formset:removed", () => note({ target: form }));
})();
