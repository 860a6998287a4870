"""The values of a form as its page was drawn, which a browser sends."""

from __future__ import annotations

from html.parser import HTMLParser


class _Inputs(HTMLParser):
    def __init__(self, form_id: str | None) -> None:
        super().__init__()
        self.values: dict[str, list[str]] = {}
        self._form_id = form_id
        self._is_inside = False
        self._select = self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._is_inside = self._form_id in (None, given.get("id"))
            if self._is_inside:
                self.values = {}
        if not self._is_inside or "disabled" in given:
            return
        name = given.get("name") or ""
        if tag == "select":
            self._select = name
        elif tag == "option" and "selected" in given and self._select:
            self._add(self._select, given.get("value") or "")
        elif tag == "textarea":
            self._text = name
            self._add(name, "")
        elif tag == "input" and name and _is_sent(given):
            self._add(name, given.get("value") or ("on" if given.get("type") == "checkbox" else ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_inside = False
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._text = ""

    def handle_data(self, data: str) -> None:
        if self._text:
            # The first line break after the tag is none of the text (HTML, 13.1.2.5).
            former = self.values[self._text][-1]
            self.values[self._text][-1] = former + (data if former else data.removeprefix("\r\n").removeprefix("\n"))

    def _add(self, name: str, value: str) -> None:
        self.values.setdefault(name, []).append(value)


def _is_sent(given: dict[str, str | None]) -> bool:
    kind = given.get("type")
    return "checked" in given if kind in ("checkbox", "radio") else kind not in ("submit", "file", "button")


def inputs_of(html: str, form_id: str | None = None) -> dict[str, list[str]]:
    """Return the values of the form with this id, by name; without one, of the last form."""
    parser = _Inputs(form_id)
    parser.feed(html)
    return parser.values
