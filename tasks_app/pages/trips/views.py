"""The trips of one device on one day of the reader's calendar."""

from __future__ import annotations

import datetime
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tasks_app.models import Device
from tasks_app.pages.lists import DateField, FilterForm
from tasks_app.queries.access import VIEW_POSITIONS, visible_devices
from tasks_app.queries.day_timeline import EntryKind, read_timeline
from tasks_app.queries.devices import devices_named

# The names that the field of the device offers.
OFFERED_NAMES = 200


class TripFilters(FilterForm):
    """A device, and a day."""

    device = forms.CharField(
        label=gettext_lazy("Device"),
        max_length=128,
        widget=forms.TextInput(attrs={"list": "devices", "placeholder": gettext_lazy("Name or identifier")}),
    )
    date = DateField(label=gettext_lazy("Day"))

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.devices = visible_devices(request.user, VIEW_POSITIONS).order_by("name", "pk")
        self.is_bound = self.is_used
        self.initial = {"date": timezone.localdate()}

    def clean_device(self) -> Device:
        found = list(devices_named(self.devices.select_related("fleet"), self.cleaned_data["device"])[:2])
        if not found:
            raise forms.ValidationError(_("No device of your fleets is called this."))
        if len(found) > 1:
            raise forms.ValidationError(_("Several devices are called this: write the identifier."))
        return found[0]

    def clean_date(self) -> datetime.date:
        day: datetime.date = self.cleaned_data["date"]
        if not datetime.date(1970, 1, 2) <= day <= datetime.date(9999, 12, 30):
            raise forms.ValidationError(_("There are no positions of that day."))
        return day


@login_required
def trips(request: HttpRequest) -> HttpResponse:
    filters = TripFilters(request)
    names = filters.devices.values_list("name", flat=True)[:OFFERED_NAMES]
    context: dict[str, Any] = {"title": _("Trips"), "filters": filters, "names": names}
    if filters.is_valid():
        context |= _trips_of(filters.cleaned_data["device"], filters.cleaned_data["date"])
    return render(request, "tasks_app/pages/trips.html", context)


def _trips_of(device: Device, day: datetime.date) -> dict[str, Any]:
    zone = timezone.get_current_timezone()
    start, end = (
        datetime.datetime.combine(one, datetime.time(), zone) for one in (day, day + datetime.timedelta(days=1))
    )
    timeline = read_timeline(device, start, end)
    found = [entry for entry in timeline.entries if entry.kind == EntryKind.TRIP]
    return {"device": device, "day": day, "trips": found, "distance_meters": timeline.figures.distance_meters}
