"""Sentences of errors that know no language, in that of the reader."""

from __future__ import annotations

from django.utils.translation import gettext

from tasks_app.geo.refusals import Refusal


def refusal_text(error: Exception) -> str:
    """Return why a value was refused, in the language of the thread; the error's own text for one without a sentence."""
    if not isinstance(error, Refusal):
        return str(error)
    text = gettext(error.sentence)
    return text % error.values if error.values else text
