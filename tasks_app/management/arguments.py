"""Types of the arguments of commands, with sentences of ours for what cannot be read."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from datetime import date

from django.utils.translation import gettext as _


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
