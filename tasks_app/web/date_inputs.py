"""Fields of dates and times with the browser's own pickers, and beside them what was chosen in the reader's language."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

DATE, TIME = "%Y-%m-%d", "%Y-%m-%dT%H:%M"


# For the Media of other widgets and forms that have such fields.
CHOSEN_TIME = (forms.Script("tasks_app/chosen_time.js", defer=True),)


class _WithNote:
    class Media:
        js = CHOSEN_TIME


class DateInput(_WithNote, forms.DateInput):
    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"type": "date", **(attrs or {})}, DATE)


class DateTimeInput(_WithNote, forms.DateTimeInput):
    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"type": "datetime-local", **(attrs or {})}, TIME)


class DateTimeField(forms.DateTimeField):
    """A time in the reader's zone, chosen with the browser's own picker. Its value is in UTC.

    A text may have any offset up to a day, and PostgreSQL takes none beyond 16 hours.
    """

    widget = DateTimeInput

    def to_python(self, value: Any) -> datetime | None:
        at = super().to_python(value)
        try:
            return None if at is None else at.astimezone(UTC)
        except OverflowError as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error
