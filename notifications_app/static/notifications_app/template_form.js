// The page of a message template: the message as the server renders what is typed, and the names that can stand in it.
(() => {
  "use strict";
  const panel = document.querySelector(".tk-beside[data-form-check]");
  const form = panel.closest("form");
  const part = (name, inside = panel) => inside.querySelector(`[data-${name}]`);

  function node(tag, className, text) {
    const made = document.createElement(tag);
    made.className = className;
    made.textContent = text;
    return made;
  }

  function showOwn(preview) {
    const own = panel.querySelector("[data-preview-of=own]");
    part("stale").hidden = Boolean(preview) || own.hidden;
    if (!preview) return;
    own.hidden = false;
    part("subject", own).textContent = preview.subject;
    part("text", own).textContent = preview.text;
    const frame = own.querySelector("iframe");
    if (frame.srcdoc !== preview.html) frame.srcdoc = preview.html;
  }

  function showOthers(others) {
    part("others").hidden = others.length === 0;
    part("other-list").replaceChildren(...others.map(({ language, subject, text }) => {
      const box = node("div", "tk-preview", "");
      const body = node("pre", "tk-pre", text);
      body.tabIndex = 0;
      box.append(node("p", "tk-subtle", language), node("p", "tk-strong", subject), body);
      return box;
    }));
  }

  function showExamples(examples, chosen) {
    const select = part("example");
    const texts = examples.map(({ id, text }) => new Option(text, id, false, id === chosen));
    select.replaceChildren(select.options[0], ...texts);
    select.value = chosen;
  }

  form.addEventListener("tk:checked", ({ detail }) => {
    part("hint")?.remove();
    showOwn(detail.preview);
    showOthers(detail.others);
    showExamples(detail.examples, detail.example);
    part("names").replaceChildren(...detail.names.flatMap((name) => [node("code", "", `{{ ${name} }}`), " "]));
  });
  // A new template begins with the first kind, whose built-in text is shown.
  if (part("hint")) form.dispatchEvent(new Event("tk:check-now"));
})();
