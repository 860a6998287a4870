"""The form field of weekly windows (geo.windows): a row of days with from and to for each, without any script."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.dates import WEEKDAYS, WEEKDAYS_ABBR
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.widgets import CHECKBOX_CLASSES, INPUT_CLASSES

from tasks_app.geo.windows import MAX_WINDOWS, InvalidWindows, validate_windows
from tasks_app.utils.refusals import refusal_text

# Rows to fill in beside those there are; saving gives as many again.
EMPTY_ROWS = 2


class WindowsWidget(forms.Widget):
    """Posts `NAME-rows` and, for each row N, `NAME-N-days` (0 for Monday, several), `NAME-N-from` and `NAME-N-to`."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        windows = list(value or [])
        rows = [*windows, *[{}] * min(EMPTY_ROWS, MAX_WINDOWS - len(windows))]
        context = {
            "name": name,
            "rows": [_shown(row) for row in rows],
            "days": [(str(day), WEEKDAYS_ABBR[day], WEEKDAYS[day]) for day in range(7)],
            "input_classes": " ".join(INPUT_CLASSES),
            "checkbox_classes": " ".join(CHECKBOX_CLASSES),
        }
        return render_to_string("tasks_app/admin/parts/windows.html", context)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[dict[str, Any]]:
        """The rows as they were filled in; those left empty are none."""
        rows = data.get(f"{name}-rows", "")
        count = min(int(rows), MAX_WINDOWS + EMPTY_ROWS) if rows.isascii() and rows.isdecimal() and len(rows) < 4 else 0
        found = [
            {
                "days": data.getlist(f"{name}-{row}-days"),
                "from": data.get(f"{name}-{row}-from", ""),
                "to": data.get(f"{name}-{row}-to", ""),
            }
            for row in range(count)
        ]
        return [window for window in found if any(window.values())]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return f"{name}-rows" not in data

    def id_for_label(self, id_: str) -> str:
        """The label is of a group, not of one input."""
        return ""


class WindowsField(forms.Field):
    """Weekly windows; none means always."""

    widget = WindowsWidget

    def to_python(self, value: Any) -> list[dict[str, Any]]:
        return [_read(window, number) for number, window in enumerate(value or [], 1)]

    def validate(self, value: Any) -> None:
        super().validate(value)
        try:
            validate_windows(value)
        except InvalidWindows as error:
            raise ValidationError(refusal_text(error)) from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        return [_shown(window) for window in initial or []] != [_shown(window) for window in data or []]


def _read(window: dict[str, Any], number: int) -> dict[str, Any]:
    """Return the input as it is stored. Raises ValidationError."""
    if not window["days"]:
        raise ValidationError(_("Window %(number)s: choose at least one day."), params={"number": number})
    if not window["from"] or not window["to"]:
        raise ValidationError(_("Window %(number)s: give both times."), params={"number": number})
    days = [int(day) if day in map(str, range(7)) else day for day in window["days"]]
    return {"days": days, "from": window["from"], "to": window["to"]}


def _shown(window: dict[str, Any]) -> dict[str, Any]:
    """A window as its row shows it. No clock shows 24:00; a window to 00:00 ends at the same moment."""
    end = window.get("to", "")
    return {
        "days": [str(day) for day in window.get("days", ())],
        "begin": window.get("from", ""),
        "end": "00:00" if end == "24:00" else end,
    }
