"""The form that requests a report."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from reports_app.exceptions import InvalidReport
from reports_app.models import Report, ReportKind, ReportSchedule
from reports_app.periods import preset_days
from reports_app.services.requests import DEVICE_KINDS, checked_request
from tasks_app.geo.days import day_start
from tasks_app.models import Device

PRESET_LABELS = {
    "today": gettext_lazy("Today"),
    "yesterday": gettext_lazy("Yesterday"),
    "this_week": gettext_lazy("This week"),
    "last_week": gettext_lazy("Last week"),
    "this_month": gettext_lazy("This month"),
    "last_month": gettext_lazy("Last month"),
    "custom": gettext_lazy("Days of my choice"),
}
FIELD_OF = {
    "device_id": "device",
    "fleet_id": "fleet",
    "device_ids": "devices",
    "start": "first_day",
    "end": "last_day",
}


def _day_field(label: Any) -> forms.DateField:
    widget = UnfoldAdminTextInputWidget(attrs={"type": "date"})
    return forms.DateField(label=label, required=False, widget=widget, help_text=gettext_lazy("For days of my choice."))


class ReportRequestForm(forms.ModelForm):
    """Days are days of the fleet's time zone. Without device, fleet and devices the report covers every device."""

    devices = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Devices"),
        queryset=Device.objects.all(),
        required=False,
        widget=AutocompleteSelectMultiple(ReportSchedule._meta.get_field("devices"), admin.site),
        help_text=gettext_lazy("Of a report of the kind Fleet: only these, of the fleet or of any."),
    )

    days = forms.ChoiceField(
        label=gettext_lazy("Days"),
        choices=list(PRESET_LABELS.items()),
        initial="yesterday",
        widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy(
            "Days of the fleet's own time zone; of a report about several fleets, days of the server's. "
            "Yesterday is the last whole one."
        ),
    )
    first_day = _day_field(gettext_lazy("First day"))
    last_day = _day_field(gettext_lazy("Last day"))
    fresh = forms.BooleanField(
        label=gettext_lazy("Make it anew"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=gettext_lazy("Even if the same report is there and nothing came in since."),
    )
    notify = forms.BooleanField(
        label=gettext_lazy("Notify me when it is ready"), required=False, widget=UnfoldBooleanSwitchWidget
    )

    class Meta:
        model = Report
        fields = ("kind", "device", "fleet")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if self.errors:
            return data
        span = self._span(data)
        if span is None:
            return data
        data["asked"] = {"kind": data["kind"], **self._subject(data), "range_start": span[0], "range_end": span[1]}
        try:
            checked_request(**data["asked"])
        except InvalidReport as error:
            name = FIELD_OF.get(error.field, error.field)
            self.add_error(name if name in self.fields else None, str(error))
        return data

    def _subject(self, data: dict[str, Any]) -> dict[str, Any]:
        """Check the subject: a device for kinds about one device, else a fleet, some devices, or all."""
        if data["kind"] in DEVICE_KINDS:
            return {"device": data.get("device")}
        subject = {"device": data.get("device"), "fleet": data.get("fleet")}
        if data["kind"] == ReportKind.FLEET and data["devices"]:
            subject["device_ids"] = [device.pk for device in data["devices"]]
        return subject

    def _span(self, data: dict[str, Any]) -> tuple[datetime, datetime] | None:
        """Return the range in UTC, or add an error and return None."""
        zone = _zone(data)
        if data["days"] != "custom":
            first, end = preset_days(data["days"], timezone.now().astimezone(zone).date())
            return day_start(first, zone), day_start(end, zone)
        first_day, last_day = data.get("first_day"), data.get("last_day")
        for name, day in (("first_day", first_day), ("last_day", last_day)):
            if day is None:
                self.add_error(name, _("Choose a day."))
        if first_day is None or last_day is None:
            return None
        if last_day < first_day or first_day.year == date.min.year or last_day.year == date.max.year:
            self.add_error("last_day", _("The last day must not be before the first."))
            return None
        return day_start(first_day, zone), day_start(last_day + timedelta(days=1), zone)


def _zone(data: dict[str, Any]) -> ZoneInfo | Any:
    fleet = data["device"].fleet if data.get("device") else data.get("fleet")
    return fleet.zone if fleet else timezone.get_default_timezone()
