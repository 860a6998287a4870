"""Custom templates: text with `{{ name }}` and `{% if name %}...{% else %}...{% endif %}`, and nothing else. Pure.

No filters, no loops, no look-ups: what a template can do is what stands here. Every name is checked before it is saved.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from notifications_app.messages.email_html import problem_in

MAX_DEPTH = 5
MAX_PROBLEMS = 10
_TOKEN = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})", re.DOTALL)
_VALUE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_IF = re.compile(r"\{%\s*if\s+(\w+)\s*%\}")
_WORD = re.compile(r"\{%\s*(else|endif)\s*%\}")
# What a value is to those who look for what is no formatting.
_SOME_VALUE = "https://example.org/"


class TemplateProblem(ValueError):
    """A template cannot be used; the text has the reason. `line` is where, from 1."""

    def __init__(self, reason: str, line: int = 1) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(slots=True)
class _Branch:
    name: str
    when_set: list[_Node] = field(default_factory=list)
    otherwise: list[_Node] = field(default_factory=list)
    in_else: bool = False

    @property
    def open_part(self) -> list[_Node]:
        return self.otherwise if self.in_else else self.when_set


@dataclass(frozen=True, slots=True)
class _Value:
    name: str


_Node = str | _Value | _Branch


def check(source: str, names: Collection[str], *, is_html: bool = False) -> None:
    """Raises TemplateProblem with the first thing that is wrong with `source`, which may use these names."""
    if found := problems_in(source, names, is_html=is_html):
        raise found[0]


def problems_in(source: str, names: Collection[str], *, is_html: bool = False) -> list[TemplateProblem]:
    """Return what is wrong with `source`: every unknown name, else the first thing that is not understood."""
    unknown = _unknown_names(source, names)
    if unknown:
        return unknown
    try:
        _parse(source, names)
    except TemplateProblem as error:
        return [error]
    whole = _TOKEN.sub(_plain, source)
    if is_html and (found := problem_in(whole)):
        return [TemplateProblem(_("E-mails cannot contain %(what)s.") % {"what": found.what}, found.line)]
    return []


def _plain(token: re.Match[str]) -> str:
    """A value, or nothing, on as many lines as the token has."""
    value = _SOME_VALUE if _VALUE.fullmatch(token[0]) else ""
    return value + "\n" * token[0].count("\n")


def _unknown_names(source: str, names: Collection[str]) -> list[TemplateProblem]:
    """A problem for each unknown name at its first place, with the names that there are."""
    found: dict[str, TemplateProblem] = {}
    for token in _TOKEN.finditer(source):
        name = _VALUE.fullmatch(token[0]) or _IF.fullmatch(token[0])
        if name is not None and name[1] not in names and name[1] not in found:
            found[name[1]] = _unknown(name[1], names, source.count("\n", 0, token.start()) + 1)
        if len(found) == MAX_PROBLEMS:
            break
    return list(found.values())


def fill(source: str, values: Mapping[str, str], *, escape: Callable[[str], str] = str) -> str:
    """`source` with its values. Raises TemplateProblem."""
    return _filled(_parse(source, values), values, escape)


def _parse(source: str, names: Collection[str]) -> list[_Node]:
    root: list[_Node] = []
    branches: list[_Branch] = []
    line, opened_at = 1, [1]
    for part in _TOKEN.split(source):
        into = branches[-1].open_part if branches else root
        if (value := _VALUE.fullmatch(part)) is not None:
            into.append(_Value(_known(value[1], names, line)))
        elif (condition := _IF.fullmatch(part)) is not None:
            branch = _Branch(_known(condition[1], names, line))
            into.append(branch)
            branches.append(branch)
            opened_at.append(line)
            if len(branches) > MAX_DEPTH:
                raise TemplateProblem(_("Conditions are nested too deeply."), line)
        elif (word := _WORD.fullmatch(part)) is not None:
            _step(word[1], branches, line)
            del opened_at[len(branches) + 1 :]
        elif _TOKEN.fullmatch(part):
            raise TemplateProblem(_("%(part)s is not understood.") % {"part": part[:50]}, line)
        elif part:
            into.append(part)
        line += part.count("\n")
    if branches:
        raise TemplateProblem(_("An {% if %} has no {% endif %}."), opened_at[-1])
    return root


def _known(name: str, names: Collection[str], line: int) -> str:
    if name not in names:
        raise _unknown(name, names, line)
    return name


def _unknown(name: str, names: Collection[str], line: int) -> TemplateProblem:
    known = ", ".join(sorted(names))
    text = _("There is no %(name)s; there are %(known)s.") % {"name": name[:50], "known": known}
    return TemplateProblem(text, line)


def _step(word: str, branches: list[_Branch], line: int) -> None:
    if not branches or (word == "else" and branches[-1].in_else):
        raise TemplateProblem(_("There is no {%% if %%} for this %(word)s.") % {"word": word}, line)
    if word == "else":
        branches[-1].in_else = True
    else:
        branches.pop()


def _filled(nodes: list[_Node], values: Mapping[str, str], escape: Callable[[str], str]) -> str:
    parts = []
    for node in nodes:
        if isinstance(node, _Value):
            parts.append(escape(values[node.name]))
        elif isinstance(node, _Branch):
            parts.append(_filled(node.when_set if values[node.name] else node.otherwise, values, escape))
        else:
            parts.append(node)
    return "".join(parts)
