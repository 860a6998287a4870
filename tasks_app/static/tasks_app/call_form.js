// The form of a call: shows the fields that the choices so far need, and what the server says is wrong with the input,
// beside each field that was touched. Without this script all fields stand there and the server answers when it is sent.
(() => {
  "use strict";
  const form = document.querySelector("form[data-check]");
  if (!form) return;
  const WAIT_MS = 500;
  const touched = new Set();
  let asked = 0;
  let timer;

  const valueOf = (name) => {
    const found = form.elements[name];
    return found ? (found.value ?? "") : "";
  };
  const fieldOf = (name) => form.querySelector(`[data-field="${CSS.escape(name)}"]`);

  // data-only-for="start=at": of an input, the name beside it in its form; of a section, the whole name.
  function arrange() {
    const instead = new Map();
    form.querySelectorAll("[data-instead-of]").forEach((choice) =>
      choice.dataset.insteadOf.split(" ").forEach((name) => instead.set(name, choice.value !== "")));
    instead.forEach((isHidden, name) => fieldOf(name)?.toggleAttribute("hidden", isHidden));
    form.querySelectorAll("[data-only-for]").forEach((node) => {
      const [name, values] = node.dataset.onlyFor.split("=");
      const whole = node.name?.includes("-") ? `${node.name.split("-")[0]}-${name}` : name;
      const target = node.name ? node.closest(".tk-field") : node;
      const isHidden = !values.split(" ").includes(valueOf(whole));
      target.toggleAttribute("hidden", isHidden);
      // What is not seen is not sent: it would be refused.
      if (node.name) node.disabled = isHidden;
    });
    const button = form.querySelector("[data-label-repeat]");
    if (button) {
      button.dataset.label ??= button.textContent;
      button.textContent = valueOf("option-start") === "repeat" ? button.dataset.labelRepeat : button.dataset.label;
    }
  }

  function show(errors) {
    form.querySelectorAll("[data-field]").forEach((field) => {
      const name = field.dataset.field;
      if (!touched.has(name)) return;
      const sentences = errors[name] ?? [];
      field.classList.toggle("is-wrong", sentences.length > 0);
      field.querySelector(".tk-field-errors").replaceChildren(...sentences.map((text) => {
        const item = document.createElement("li");
        item.textContent = text;
        return item;
      }));
      field.querySelectorAll("input, select, textarea").forEach((input) =>
        sentences.length ? input.setAttribute("aria-invalid", "true") : input.removeAttribute("aria-invalid"));
    });
  }

  // As the form itself is sent: one that only reads has its input in the address.
  function ask(input) {
    if (form.method === "post") return fetch(form.dataset.check, { method: "POST", body: input });
    return fetch(`${form.dataset.check}?${new URLSearchParams(input)}`);
  }

  async function check() {
    const number = (asked += 1);
    try {
      const answer = await ask(new FormData(form));
      if (answer.ok && number === asked) report(await answer.json());
    } catch {
      // The server does not answer: it will say what is wrong when the form is sent.
    }
  }

  function report(answer) {
    show(answer.errors);
    const preview = form.querySelector("[data-preview]");
    if (preview && answer.preview !== undefined) preview.textContent = answer.preview;
  }

  function note(event) {
    const field = event.target.closest("[data-field]");
    if (field) touched.add(field.dataset.field);
    // The end of a range is wrong or right with its start.
    if (event.target.name === "arg-start") touched.add("arg-end");
    arrange();
    clearTimeout(timer);
    timer = setTimeout(check, WAIT_MS);
  }

  form.addEventListener("input", note);
  form.addEventListener("change", note);
  arrange();
})();
