"""The validation that every form shares which asks for a report, and its choices in words."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from reports_app.exceptions import InvalidReport
from reports_app.models import ReportKind
from reports_app.periods import preset_days
from reports_app.queries import zone_of_request
from reports_app.services.requests import DEVICE_KINDS, check_year, checked_request
from tasks_app.geo.days import day_start

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
# In the order of the choices of a person who asks.
KIND_SENTENCES: dict[str, Any] = {
    ReportKind.SUMMARY: gettext_lazy(
        "Distance, driving and standing time, top speed and trips of a device for each day."
    ),
    ReportKind.TRIPS: gettext_lazy("Every trip of a device: from where to where, how far, how long, how fast."),
    ReportKind.STOPS: gettext_lazy("Every stop of a device: where, how long, and how long its engine ran."),
    ReportKind.ROUTE: gettext_lazy("The way of a device on a map, with its key points."),
    ReportKind.OVERSPEED: gettext_lazy(
        "Every overspeed of a device: when, where, for how long, how far above the limit."
    ),
    ReportKind.VISITS: gettext_lazy(
        "Every visit of a device to a geofence: when it came, when it left, how long it stayed."
    ),
    ReportKind.EVENTS: gettext_lazy("Every event of a device: geofences, overspeed, ignition, alarms, trips."),
    ReportKind.FUEL: gettext_lazy("Consumption, refuelling and drains of a device that sends its fuel level."),
    ReportKind.DETAILED: gettext_lazy("Every position of a device, with speed, course, distance and geofences."),
    ReportKind.FLEET: gettext_lazy("Totals of the devices of a fleet, or of some devices, beside each other."),
    ReportKind.DAILY: gettext_lazy("One day of a whole fleet, as it is made by itself every midnight."),
}


class AskedFor:
    """A mixin of forms with the fields kind, device, fleet, devices, days, first_day and last_day; a form may leave out
    those that its kind does not use.

    After validation `cleaned_data["asked"]` holds the arguments of `request_report`. `asker` is the user who asks: a page
    that limits the devices to those of the user sets it.
    """

    asker: Any = None
    errors: Any
    fields: Any
    cleaned_data: dict[str, Any]
    add_error: Any

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data  # type: ignore[misc]
        if not self.errors:
            data["asked"] = self.asked_of(data)
        return data

    def asked_of(self, data: dict[str, Any]) -> dict[str, Any] | None:
        """Return the arguments of one request, or add an error and return None."""
        span = self._span(data)
        if span is None:
            return None
        asked = {"kind": data["kind"], **self._subject(data), "range_start": span[0], "range_end": span[1]}
        try:
            checked_request(**asked, requested_by=self.asker)
        except InvalidReport as error:
            name = FIELD_OF.get(error.field, error.field)
            self.add_error(name if name in self.fields else None, str(error))
            return None
        return asked

    def _subject(self, data: dict[str, Any]) -> dict[str, Any]:
        """Check the subject: a device for kinds about one device, else a fleet, some devices, or all."""
        if data["kind"] in DEVICE_KINDS:
            return {"device": data.get("device")}
        subject = {"device": data.get("device"), "fleet": data.get("fleet")}
        if data["kind"] == ReportKind.FLEET and data.get("devices"):
            subject["device_ids"] = [device.pk for device in data["devices"]]
        return subject

    def _span(self, data: dict[str, Any]) -> tuple[datetime, datetime] | None:
        """Return the range in UTC, or add an error and return None."""
        zone = zone_of_request(**self._subject(data), requested_by=self.asker)
        if data["days"] != "custom":
            first, end = preset_days(data["days"], timezone.now().astimezone(zone).date())
            return day_start(first, zone), day_start(end, zone)
        first_day, last_day = data.get("first_day"), data.get("last_day")
        for name, day in (("first_day", first_day), ("last_day", last_day)):
            if day is None:
                self.add_error(name, _("Choose a day."))
        if first_day is None or last_day is None:
            return None
        if last_day < first_day:
            self.add_error("last_day", _("The last day must not be before the first."))
            return None
        for name, day in (("first_day", first_day), ("last_day", last_day)):
            try:
                check_year(day, name)
            except InvalidReport as error:
                self.add_error(name, str(error))
                return None
        return day_start(first_day, zone), day_start(last_day + timedelta(days=1), zone)
