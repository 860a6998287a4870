"""The time zone of a report that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from reports_app.queries.access import reportable_devices
from tasks_app.models import Device, Fleet


def zone_of_request(
    *,
    device: Device | None = None,
    fleet: Fleet | None = None,
    device_ids: Sequence[int] | None = None,
    requested_by: Any = None,
) -> ZoneInfo:
    """Return the zone of the days of such a report: the fleet's; of several fleets the one that all of them share, else
    TIME_ZONE."""
    found = device.fleet if device else fleet
    if found is not None:
        return found.zone
    devices = reportable_devices(None, requested_by)
    if device_ids is not None:
        devices = devices.filter(pk__in=device_ids)
    names = list(devices.order_by().values_list("fleet__time_zone", flat=True).distinct()[:2])
    return ZoneInfo(names[0] if len(names) == 1 else settings.TIME_ZONE)
