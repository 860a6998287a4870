"""The form of a report schedule: fleets, devices and people that the user may choose."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet

from reports_app.models import ReportSchedule
from reports_app.queries import ADD_SCHEDULES, RECIPIENT, REPORTABLE, VIEW_SCHEDULES, choosable_recipients
from reports_app.web import SCHEDULE_FIELDS, ScheduledFor, formats_field, kinds_field, local_time_field
from tasks_app.models import Device
from tasks_app.queries.access import visible_fleets
from tasks_app.web.pickers import PickRowsField
from tasks_app.web.versions import UnchangedMeanwhile


class ScheduleForm(ScheduledFor, UnchangedMeanwhile):
    """As in the admin and the API; fleets are those in which the user may make schedules."""

    kinds = kinds_field(forms.CheckboxSelectMultiple)
    formats = formats_field(forms.CheckboxSelectMultiple)
    local_time = local_time_field(forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))

    class Meta:
        model = ReportSchedule
        fields = SCHEDULE_FIELDS

    def __init__(self, editor: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.editor = editor
        fleets = visible_fleets(editor, ADD_SCHEDULES) | visible_fleets(editor, VIEW_SCHEDULES).filter(
            pk=self.instance.fleet_id
        )
        self.fields["fleet"].queryset = fleets.distinct()
        devices = Device.objects.filter(fleet__in=fleets).select_related("fleet")
        self._pick("devices", REPORTABLE, devices)
        self._pick("recipients", RECIPIENT, choosable_recipients(editor))

    def _pick(self, name: str, kind: str, rows: QuerySet[Any]) -> None:
        """Replace the field of a relation by one that suggests rows while a part of a name is typed."""
        former = self.fields[name]
        texts = {"label": former.label, "help_text": former.help_text}
        self.fields[name] = PickRowsField(kind, self.editor, rows, required=False, **texts)
