"""HTML that staff write for e-mails: formatting and links, nothing that runs and nothing that is loaded. Pure.

What may stand in it is listed here; everything else goes when a message is written (`cleaned`, by the parser of a browser), and
is named to the author who saves it (`problem_in`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser

TAGS = {
    "a", "abbr", "b", "big", "blockquote", "br", "caption", "center", "code", "col", "colgroup", "dd", "del", "div",
    "dl", "dt", "em", "font", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "ins", "li", "mark", "ol", "p", "pre",
    "q", "s", "small", "span", "strike", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr",
    "tt", "u", "ul",
}  # fmt: skip
_EVERYWHERE = {
    "align", "bgcolor", "border", "cellpadding", "cellspacing", "class", "color", "colspan", "dir", "face", "height",
    "lang", "role", "rowspan", "size", "start", "style", "title", "type", "valign", "width",
}  # fmt: skip
ATTRIBUTES = {"*": _EVERYWHERE, "a": {"href"}}
LINKS = {"http", "https", "mailto", "tel"}
_SIDES = ("", "-top", "-right", "-bottom", "-left")
STYLES = {
    "background", "background-color", "border-collapse", "border-color", "border-radius", "border-spacing", "border-style",
    "border-width", "box-sizing", "clear", "color", "direction", "display", "float", "font", "font-family", "font-size",
    "font-style", "font-variant", "font-weight", "height", "letter-spacing", "line-height", "list-style-type", "max-height",
    "max-width", "min-height", "min-width", "overflow", "overflow-wrap", "table-layout", "text-align", "text-decoration",
    "text-indent", "text-transform", "vertical-align", "white-space", "width", "word-break", "word-spacing", "word-wrap",
    *(f"{name}{side}" for name in ("border", "margin", "padding") for side in _SIDES),
}  # fmt: skip
_HARMLESS_FUNCTION = re.compile(r"\b(?:rgba?|hsla?|calc)\([^()]*\)", re.IGNORECASE)
# A function may load something, and all of these may hide one.
_HIDING = re.compile(r"[(\\@<]|/\*|expression|javascript", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_INVISIBLE = re.compile(r"[\x00-\x20\x7f\xa0\u200b-\u200f\u2028\u2029\ufeff]+")


def cleaned(html: str) -> str:
    """The HTML without what is not listed here."""
    import nh3  # 2 MB, which most processes never need

    return nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=_kept,
        filter_style_properties=STYLES,
        url_schemes=LINKS,
        url_relative="deny",
        link_rel=None,
    )


@dataclass(frozen=True, slots=True)
class HtmlProblem:
    """A thing that would go, as its author reads it, and its line, from 1."""

    what: str
    line: int


def problem_in(html: str) -> HtmlProblem | None:
    """The first thing in it that would go; None where nothing would."""
    finder = _Finder()
    # Some programs take "< script" for a tag. What is behind it stays on its line.
    finder.feed(re.sub(r"<(\s+)", lambda found: "\n" * found[1].count("\n") + "<", html))
    finder.close()
    return HtmlProblem(finder.found, finder.line) if finder.found else None


class _Finder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found = ""
        self.line = 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        problems = [f"<{tag}>"] if tag not in TAGS else [_problem_of(tag, name, value or "") for name, value in attrs]
        self._note(next(filter(None, problems), ""))

    def handle_pi(self, data: str) -> None:
        self._note("<?")

    def _note(self, problem: str) -> None:
        if problem and not self.found:
            self.found, self.line = problem, self.getpos()[0]


def _problem_of(tag: str, name: str, value: str) -> str:
    if name not in _EVERYWHERE | ATTRIBUTES.get(tag, set()):
        return f"{name}="
    if name == "href":
        return _problem_of_link(value)
    return _problem_of_style(value) if name == "style" else ""


def _problem_of_link(value: str) -> str:
    plain = _INVISIBLE.sub("", value)
    scheme = _SCHEME.match(plain)
    if scheme is None:
        return f"href={plain[:40]}"
    return "" if scheme[1].lower() in LINKS else scheme[0].lower()


def _problem_of_style(value: str) -> str:
    if hiding := _HIDING.search(_HARMLESS_FUNCTION.sub("", value)):
        return value[max(0, hiding.start() - 10) : hiding.end()].strip()
    names = [part.partition(":")[0].strip().lower() for part in value.split(";")]
    return next((name for name in names if name and name not in STYLES), "")


def _kept(tag: str, name: str, value: str) -> str | None:
    return None if name == "style" and _HIDING.search(_HARMLESS_FUNCTION.sub("", value)) else value
