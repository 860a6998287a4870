// Completes the term that is being written in a search: names of terms first, then their values from the server.
// The search works without it.
(() => {
  "use strict";
  const data = document.getElementById("search-help");
  const input = document.querySelector('[role="search"] input[name="search"]');
  if (!data || !input) return;
  const { names, url, label } = JSON.parse(data.textContent);
  const list = document.createElement("ul");
  list.className = "tk-options";
  list.id = "search-options";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", label);
  list.hidden = true;
  input.after(list);
  for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-controls": list.id, "aria-expanded": "false" })) {
    input.setAttribute(name, value);
  }
  let chosen = -1;
  let asked = 0;

  // The term before the caret: {start, sign, name, part, value}; `name` is known once its colon is written.
  function termAtCaret() {
    const text = input.value.slice(0, input.selectionStart);
    const open = text.match(/(?:^|\s)(\S*:"[^"]*)$/);
    const term = open ? open[1] : text.match(/\S*$/)[0];
    const found = term.match(/^(-?)([a-z_]+)(?:\.([A-Za-z0-9_]*))?(:?)(.*)$/i);
    if (!found) return null;
    const [, sign, name, part, colon, value] = found;
    return { start: text.length - term.length, sign, name: name.toLowerCase(), part, colon, value: value.replaceAll('"', "") };
  }

  const quote = (value) => (/\s/.test(value) ? `"${value}"` : value);

  async function options(term) {
    if (!term.colon && term.part === undefined) {
      const fitting = names.filter((name) => name.startsWith(term.name));
      return fitting.map((name) => ({ label: name.endsWith(".") ? `${name}…` : `${name}:`, text: name.endsWith(".") ? name : `${name}:` }));
    }
    const isPart = term.part !== undefined;
    if (isPart && term.colon) return [];
    const name = isPart ? `${term.name}.` : term.name;
    if (!names.includes(name)) return [];
    const answer = await fetch(`${url}?${new URLSearchParams({ name, part: isPart ? term.part : term.value })}`);
    if (!answer.ok) return [];
    const { values } = await answer.json();
    return values.map((value) => ({ label: value, text: isPart ? `${name}${value}:` : `${name}:${quote(value)} ` }));
  }

  function close() {
    list.hidden = true;
    list.replaceChildren();
    chosen = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function show(found, term) {
    list.replaceChildren(
      ...found.map(({ label, text }, index) => {
        const item = document.createElement("li");
        item.id = `search-option-${index}`;
        item.setAttribute("role", "option");
        item.setAttribute("aria-selected", "false");
        item.textContent = label;
        item.addEventListener("mousedown", (event) => (event.preventDefault(), take(text, term)));
        item.addEventListener("take", () => take(text, term));
        return item;
      }),
    );
    chosen = -1;
    list.hidden = found.length === 0;
    input.setAttribute("aria-expanded", String(found.length > 0));
  }

  async function refresh() {
    const number = ++asked;
    const term = termAtCaret();
    if (!term) return close();
    const found = await options(term).catch(() => []);
    if (number === asked && document.activeElement === input) show(found, term);
  }

  function take(text, term) {
    const rest = input.value.slice(input.selectionStart).replace(/^[^\s]*/, "");
    input.value = input.value.slice(0, term.start) + term.sign + text + rest.trimStart();
    const caret = term.start + term.sign.length + text.length;
    input.setSelectionRange(caret, caret);
    refresh();
  }

  function choose(step) {
    const items = [...list.children];
    chosen = (chosen + step + items.length) % items.length;
    items.forEach((item, index) => item.setAttribute("aria-selected", String(index === chosen)));
    items[chosen].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", items[chosen].id);
  }

  input.addEventListener("input", refresh);
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") choose(event.key === "ArrowDown" ? 1 : chosen < 0 ? 0 : -1);
    else if (event.key === "Escape") close();
    else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) list.children[chosen].dispatchEvent(new Event("take"));
    else return;
    event.preventDefault();
  });
})();
