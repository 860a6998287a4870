"""The validation that every form of report schedules shares."""

from __future__ import annotations

from typing import Any

from reports_app.services.schedules import Chosen, find_problems


class ScheduledFor:
    """A mixin of model forms of report schedules: what is chosen is checked together, for the user `editor`, whom the
    page sets."""

    editor: Any = None
    errors: Any
    cleaned_data: dict[str, Any]
    add_error: Any

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data  # type: ignore[misc]
        if self.errors:
            return data
        chosen = Chosen(
            fleet=data["fleet"],
            kinds=data["kinds"],
            formats=data["formats"],
            recipients=list(data["recipients"]),
            extra_emails=data["extra_emails"],
            devices=list(data["devices"]),
        )
        for name, texts in find_problems(chosen, self.editor).items():
            self.add_error(name, texts)
        return data
