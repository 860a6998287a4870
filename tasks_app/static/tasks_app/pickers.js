// Suggestions for text fields marked data-pick, whose value is the address that answers with {results: [text]}.
// The field works without them: what is typed is sent as it stands.
(() => {
  "use strict";
  const WAIT_MS = 200;
  let count = 0;

  class Picker {
    constructor(input) {
      this.input = input;
      this.picked = input.closest("[data-picked]");
      this.nothing = input.form?.dataset.nothing || input.dataset.nothing || "";
      this.active = -1;
      this.asked = 0;
      this.list = document.createElement("ul");
      this.list.className = "tk-options";
      this.list.id = `picker-${(count += 1)}`;
      this.list.setAttribute("role", "listbox");
      this.list.setAttribute("aria-label", input.labels?.[0]?.textContent.trim() ?? "");
      this.list.hidden = true;
      const frame = document.createElement("div");
      frame.className = "tk-combo";
      // An element that is moved loses the focus, also the one that it was to get.
      const wasFocused = document.activeElement === input || (input.autofocus && document.activeElement === document.body);
      input.before(frame);
      frame.append(input, this.list);
      if (wasFocused) input.focus({ preventScroll: true });
      for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-expanded", "false"], ["aria-controls", this.list.id]])
        input.setAttribute(name, value);
      input.addEventListener("input", () => this.askSoon());
      input.addEventListener("click", () => this.list.hidden && this.ask());
      input.addEventListener("keydown", (event) => this.press(event));
      input.addEventListener("blur", () => this.close());
      this.list.addEventListener("mousedown", (event) => {
        event.preventDefault();
        const option = event.target.closest("[role=option]");
        if (option) this.choose(option);
      });
    }

    askSoon() {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.ask(), WAIT_MS);
    }

    async ask() {
      const number = (this.asked += 1);
      const text = this.input.value.replace(/#\d+\s*$/, "").replaceAll("·", " ").trim();
      try {
        const answer = await fetch(`${this.input.dataset.pick}?q=${encodeURIComponent(text)}`);
        if (!answer.ok || number !== this.asked || document.activeElement !== this.input) return;
        this.show((await answer.json()).results);
      } catch {
        // Without an answer there are no suggestions; a name or a number can still be typed.
      }
    }

    show(texts) {
      const options = texts.map((text, index) => {
        const option = document.createElement("li");
        option.setAttribute("role", "option");
        option.setAttribute("aria-selected", "false");
        option.id = `${this.list.id}-${index}`;
        option.textContent = text;
        return option;
      });
      if (!options.length) {
        const empty = document.createElement("li");
        empty.className = "is-nothing";
        empty.textContent = this.nothing;
        options.push(empty);
      }
      this.list.replaceChildren(...options);
      this.list.hidden = false;
      this.active = -1;
      this.input.setAttribute("aria-expanded", "true");
    }

    close() {
      clearTimeout(this.timer);
      this.asked += 1;
      this.list.hidden = true;
      this.input.setAttribute("aria-expanded", "false");
      this.input.removeAttribute("aria-activedescendant");
    }

    press(event) {
      const options = [...this.list.querySelectorAll("[role=option]")];
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        if (this.list.hidden) return void this.ask();
        const step = event.key === "ArrowDown" ? 1 : -1;
        if (options.length) this.mark(options, (this.active + step + options.length) % options.length);
      } else if (event.key === "Enter" && !this.list.hidden && options.length) {
        event.preventDefault();
        this.choose(options[Math.max(this.active, 0)]);
      } else if (event.key === "Escape" && !this.list.hidden) {
        event.stopPropagation();
        this.close();
      }
    }

    mark(options, index) {
      this.active = index;
      options.forEach((option, number) => option.setAttribute("aria-selected", String(number === index)));
      options[index].scrollIntoView({ block: "nearest" });
      this.input.setAttribute("aria-activedescendant", options[index].id);
    }

    choose(option) {
      const text = option.textContent;
      if (this.picked) this.add(text);
      this.input.value = this.picked ? "" : text;
      this.close();
      this.input.dispatchEvent(new Event("change", { bubbles: true }));
    }

    add(text) {
      const id = text.match(/#(\d+)$/)[1];
      const boxes = [...this.picked.querySelectorAll("input[type=checkbox]")];
      const known = boxes.find((box) => box.value === id);
      if (known) return void (known.checked = true);
      const item = document.createElement("li");
      const label = document.createElement("label");
      const box = document.createElement("input");
      Object.assign(box, { type: "checkbox", name: this.input.name, value: id, checked: true });
      label.append(box, ` ${text.replace(/ #\d+$/, "")}`);
      item.append(label);
      this.picked.querySelector(":scope > ul").append(item);
    }
  }

  document.querySelectorAll("[data-pick]").forEach((input) => new Picker(input));
})();
