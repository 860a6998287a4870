"""The form of a report schedule: fleets, devices and people that the user may choose."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import get_user_model

from reports_app.models import ReportSchedule
from reports_app.queries import ADD_SCHEDULES, REPORTABLE, VIEW_SCHEDULES
from reports_app.web import SCHEDULE_FIELDS, ScheduledFor, formats_field, kinds_field, local_time_field
from tasks_app.models import Device
from tasks_app.queries.access import visible_fleets
from tasks_app.web.pickers import PickRowsField


class ScheduleForm(ScheduledFor, forms.ModelForm):
    """As in the admin and the API; the recipients are members of the fleets in which the user may make schedules."""

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
        users = get_user_model()._default_manager
        members = users.filter(memberships__fleet__in=fleets, is_active=True).values_list("pk", flat=True)
        kept = self.instance.recipients.values_list("pk", flat=True) if self.instance.pk else []
        choices = {
            "fleet": fleets.distinct(),
            "recipients": users.filter(pk__in={*members, *kept, editor.pk}),
        }
        for name, rows in choices.items():
            self.fields[name].queryset = rows  # type: ignore[attr-defined]
        devices = Device.objects.filter(fleet__in=fleets).select_related("fleet")
        former = self.fields["devices"]
        self.fields["devices"] = PickRowsField(
            REPORTABLE, editor, devices, label=former.label, help_text=former.help_text, required=False
        )
