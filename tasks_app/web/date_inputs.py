"""Fields of dates and times with the browser's own pickers, and beside them what was chosen in the reader's language."""

from __future__ import annotations

from typing import Any

from django import forms

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
