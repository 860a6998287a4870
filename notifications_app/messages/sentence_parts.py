"""Lists of names in sentences: "a, b and c"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

MAX_NAMES = 3


def first_names(names: Iterable[str]) -> list[str]:
    """The first MAX_NAMES of these names, and how many more there are."""
    found = list(names)
    rest = len(found) - MAX_NAMES
    if rest <= 0:
        return found
    return [*found[:MAX_NAMES], ngettext("%(count)d more", "%(count)d more", rest) % {"count": rest}]


def join_and(parts: Sequence[str]) -> str:
    return _joined(parts, _("%(first)s and %(last)s"))


def join_or(parts: Sequence[str]) -> str:
    return _joined(parts, _("%(first)s or %(last)s"))


def _joined(parts: Sequence[str], pattern: str) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return pattern % {"first": ", ".join(parts[:-1]), "last": parts[-1]}
