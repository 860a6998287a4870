"""Types of the arguments of commands, with sentences of ours for what cannot be read."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import date

from django.utils.translation import gettext as _

from tasks_app.engine.storable import storable_text


def whole_number(text: str) -> int:
    """Return the number. Raises ArgumentTypeError."""
    try:
        return int(text)
    except ValueError as error:
        raise ArgumentTypeError(_("%(text)s is no whole number.") % {"text": json.dumps(text[:50])}) from error


def decimal_number(text: str) -> float:
    """Return the number. Raises ArgumentTypeError."""
    try:
        return float(text)
    except ValueError as error:
        raise ArgumentTypeError(_("%(text)s is no number.") % {"text": json.dumps(text[:50])}) from error


def iso_day(text: str) -> date:
    """Return the day. Raises ArgumentTypeError."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        asked = {"text": json.dumps(text[:50])}
        raise ArgumentTypeError(_("%(text)s is no day; write it as 2026-01-31.") % asked) from error


def short_text(most: int) -> Callable[[str], str]:
    """Return the `type` of an argument that is looked for or kept in the database: 1 to `most` characters.

    A shell passes bytes that are no UTF-8 as lone surrogates, which no database takes.
    """

    def checked(text: str) -> str:
        if storable_text(text, max(len(text), 1)) != text:
            raise ArgumentTypeError(_("This text is no UTF-8."))
        if not 1 <= len(text.strip()) <= most:
            raise ArgumentTypeError(_("It needs 1 to %(most)d characters.") % {"most": most})
        return text.strip()

    return checked
