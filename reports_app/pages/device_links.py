"""Links from the day of a device to its reports."""

from __future__ import annotations

from datetime import date

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from reports_app.queries import ASK_FOR_REPORTS, VIEW_REPORTS
from tasks_app.models import Device
from tasks_app.pages.device import DayLink
from tasks_app.queries.access import has_right


def ask_link(request: HttpRequest, device: Device, day: date) -> DayLink | None:
    """Return the link to ask for a report of this day, None for users who may not ask."""
    if not has_right(request.user, device.fleet, ASK_FOR_REPORTS):
        return None
    return DayLink(_("Ask for a report of this day"), f"{reverse('pages:report_ask')}?device={device.pk}&day={day}")


def reports_link(request: HttpRequest, device: Device, day: date) -> DayLink | None:
    """Return the link to the reports about the device, None for users who may not see them."""
    if not has_right(request.user, device.fleet, VIEW_REPORTS):
        return None
    return DayLink(_("Its reports"), f"{reverse('pages:reports')}?device={device.pk}")
