"""The fields and the validation that every form of report schedules shares."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from reports_app.exporters import EXPORTERS
from reports_app.models import ReportKind
from reports_app.services.schedules import SCHEDULED_KINDS, Chosen, find_problems

SCHEDULE_FIELDS = (
    "name",
    "fleet",
    "devices",
    "kinds",
    "formats",
    "period",
    "local_time",
    "weekday",
    "month_day",
    "time_zone",
    "recipients",
    "extra_emails",
    "delivery",
)


def kinds_field(widget: type[forms.Widget]) -> forms.MultipleChoiceField:
    """Return the field of the kinds of report that may be scheduled."""
    choices = [(kind, ReportKind(kind).label) for kind in SCHEDULED_KINDS]
    return forms.MultipleChoiceField(label=_("Reports"), choices=choices, widget=widget)


def formats_field(widget: type[forms.Widget]) -> forms.MultipleChoiceField:
    """Return the field of the formats that a report may be sent in."""
    choices = [(name, exporter.label) for name, exporter in EXPORTERS.items()]
    return forms.MultipleChoiceField(label=_("Formats"), choices=choices, widget=widget)


def local_time_field(widget: forms.Widget) -> forms.TimeField:
    """Return the field of the time of day at which a schedule is due."""
    return forms.TimeField(label=_("At"), initial="07:00", widget=widget)


class ScheduledFor:
    """A mixin of model forms of report schedules: what is chosen is checked together, for the user `editor`, whom the
    page sets."""

    editor: Any = None
    errors: Any
    cleaned_data: dict[str, Any]
    add_error: Any
    fields: dict[str, Any]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if "extra_emails" in self.fields:
            self.fields["extra_emails"].error_messages["item_invalid"] = _("Address %(nth)s:")

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
