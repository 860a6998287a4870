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
_TOKEN = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})", re.DOTALL)
_VALUE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_IF = re.compile(r"\{%\s*if\s+(\w+)\s*%\}")
_WORD = re.compile(r"\{%\s*(else|endif)\s*%\}")
# What a value is to those who look for what is no formatting.
_SOME_VALUE = "https://example.org/"


class TemplateProblem(ValueError):
    """A template cannot be used; the text has the reason."""


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
    """Raises TemplateProblem with what is wrong with `source`, which may use these names."""
    _parse(source, names)
    if not is_html:
        return
    whole = _TOKEN.sub(lambda token: _SOME_VALUE if _VALUE.fullmatch(token[0]) else "", source)
    if found := problem_in(whole):
        raise TemplateProblem(_("E-mails cannot contain %(what)s.") % {"what": found})


def fill(source: str, values: Mapping[str, str], *, escape: Callable[[str], str] = str) -> str:
    """`source` with its values. Raises TemplateProblem."""
    return _filled(_parse(source, values), values, escape)


def _parse(source: str, names: Collection[str]) -> list[_Node]:
    root: list[_Node] = []
    branches: list[_Branch] = []
    for part in _TOKEN.split(source):
        into = branches[-1].open_part if branches else root
        if (value := _VALUE.fullmatch(part)) is not None:
            into.append(_Value(_known(value[1], names)))
        elif (condition := _IF.fullmatch(part)) is not None:
            branch = _Branch(_known(condition[1], names))
            into.append(branch)
            branches.append(branch)
            if len(branches) > MAX_DEPTH:
                raise TemplateProblem(_("Conditions are nested too deeply."))
        elif (word := _WORD.fullmatch(part)) is not None:
            _step(word[1], branches)
        elif _TOKEN.fullmatch(part):
            raise TemplateProblem(_("%(part)s is not understood.") % {"part": part[:50]})
        elif part:
            into.append(part)
    if branches:
        raise TemplateProblem(_("An {% if %} has no {% endif %}."))
    return root


def _known(name: str, names: Collection[str]) -> str:
    if name not in names:
        known = ", ".join(sorted(names))
        raise TemplateProblem(_("There is no %(name)s; there are %(known)s.") % {"name": name[:50], "known": known})
    return name


def _step(word: str, branches: list[_Branch]) -> None:
    if not branches or (word == "else" and branches[-1].in_else):
        raise TemplateProblem(_("There is no {%% if %%} for this %(word)s.") % {"word": word})
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
