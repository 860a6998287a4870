"""Fields of times: pickers in the reader's zone, which also show what is no time and say so."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminTextInputWidget

from tasks_app.geo.relative_times import relative_words

MAX_CHARACTERS = 64


def local_input(text: Any) -> Any:
    """Return a stored time as a picker takes it, in the reader's zone; any other text as it is."""
    if not isinstance(text, str) or len(text) <= len("2026-01-31"):
        return text
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    if found.tzinfo is not None:
        found = timezone.localtime(found)
    return found.replace(tzinfo=None).isoformat(timespec="minutes" if found.second == 0 else "seconds")


class TimeInput(UnfoldAdminTextInputWidget):
    """A date and time picker; a date picker for a date, and a text field for what is neither."""

    def __init__(self, kind: str) -> None:
        super().__init__({"data-zone": timezone.get_current_timezone_name()})
        self.kind = kind

    def format_value(self, value: Any) -> Any:
        return local_input(value)

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["widget"]["type"] = self._type_of(context["widget"]["value"])
        return context

    def _type_of(self, text: Any) -> str:
        if not text:
            return self.kind
        try:
            date.fromisoformat(text)
        except ValueError:
            try:
                datetime.fromisoformat(text)
            except ValueError:
                return "text"
            return "datetime-local"
        return "date"


class RangeTimeField(forms.CharField):
    """One end of a range. Its cleaned value is an ISO 8601 time, a date, or the words of a relative range."""

    def __init__(self, **options: Any) -> None:
        super().__init__(widget=TimeInput("datetime-local"), **options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        if len(text) > MAX_CHARACTERS:
            raise ValidationError(_("This is longer than a time."))
        return relative_words(text) or aware_text(text)


class LocalDayField(forms.CharField):
    """A day. Its cleaned value is a date, "today" or "yesterday"."""

    def __init__(self, **options: Any) -> None:
        super().__init__(widget=TimeInput("date"), **options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if text and len(text) > MAX_CHARACTERS:
            raise ValidationError(_("This is longer than a time."))
        return (relative_words(text) or text) if text else None


def aware_text(text: str) -> str:
    """Return a time without a zone as one of the reader's zone; any other text as it is."""
    if len(text) <= len("2026-01-31"):
        return text
    try:
        found = datetime.fromisoformat(text)
        return text if found.tzinfo else timezone.make_aware(found).isoformat()
    except (ValueError, OverflowError):
        return text
