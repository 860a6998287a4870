"""Reuse of reports: equal requests share one as long as it is fresh."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, Max, QuerySet, Sum

from reports_app.models import UNFINISHED, Report, ReportKind, ReportState
from reports_app.queries import reportable_devices, zone_of_request
from tasks_app.models import Device, DeviceDay, DeviceState, DirtyDay, Event, EventKind, Fleet, Geofence

# Their rows reach beyond the range: a stop that goes on ends with a fix of a later day.
WHOLE_KINDS = frozenset({ReportKind.TRIPS, ReportKind.STOPS, ReportKind.ROUTE})
GEOFENCE_KINDS = frozenset({ReportKind.DETAILED, ReportKind.EVENTS, ReportKind.VISITS, ReportKind.OVERSPEED})
EVENT_KINDS = frozenset(
    {ReportKind.SUMMARY, ReportKind.EVENTS, ReportKind.OVERSPEED, ReportKind.FLEET, ReportKind.DAILY}
)
ODOMETER_KINDS = frozenset({ReportKind.SUMMARY, ReportKind.DETAILED})
CROSSINGS = (EventKind.GEOFENCE_ENTER, EventKind.GEOFENCE_EXIT)
# An overspeed of the range may end so long after it.
EVENT_MARGIN = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """The checked parameters of a report over `[range_start, range_end)`."""

    kind: str
    range_start: datetime
    range_end: datetime
    device: Device | None = None
    fleet: Fleet | None = None
    device_ids: tuple[int, ...] | None = None
    requested_by: Any = None

    @property
    def devices(self) -> list[int]:
        """Return the ids of its devices that the requester may see now."""
        if self.device is not None:
            return [self.device.pk]
        if self.device_ids is not None:
            return list(self.device_ids)
        devices = reportable_devices(self.fleet, self.requested_by)
        return list(devices.order_by("pk").values_list("pk", flat=True))

    @property
    def zone_name(self) -> str:
        """Return the time zone of its days where it has neither device nor fleet, "" where they have it."""
        if self.device is not None or self.fleet is not None:
            return ""
        return str(zone_of_request(device_ids=self.device_ids, requested_by=self.requested_by))


def request_key(request: ReportRequest) -> str:
    """Return a key that is equal for requests that one report can answer: the same parameters, and the same devices
    with the same names and settings. For a report without fleet and device, which only its requester may see, it contains
    the requester."""
    named = request.device is not None or request.fleet is not None
    parts = [
        request.kind,
        request.range_start.astimezone(UTC).isoformat(),
        request.range_end.astimezone(UTC).isoformat(),
        [request.fleet.pk, request.fleet.name] if request.fleet else None,
        None if request.device_ids is None else list(request.device_ids),
        _rules_of(request.devices),
        _geofences_of(request) if request.kind in GEOFENCE_KINDS else None,
        _odometer_base_meters(request) if request.kind in ODOMETER_KINDS else None,
        None if named or request.requested_by is None else request.requested_by.pk,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _rules_of(device_ids: Sequence[int]) -> list[tuple[Any, ...]]:
    """Return the names of each device, and the settings on which its figures depend."""
    devices = Device.objects.filter(pk__in=device_ids).order_by("pk")
    return list(devices.values_list("pk", "name", "unique_id", "kind", "tank_liters", "fleet__time_zone"))


def _geofences_of(request: ReportRequest) -> list[Any]:
    """Return what changes with any geofence of the device's fleet: rows contain their names, and which of them a
    position lies in."""
    fleet_id = request.device.fleet_id if request.device else None
    found = Geofence.objects.filter(fleet=fleet_id).aggregate(count=Count("pk"), changed_at=Max("updated_at"))
    return [found["count"], found["changed_at"].isoformat() if found["changed_at"] else None]


def _odometer_base_meters(request: ReportRequest) -> int | None:
    """Return what the odometer reads beyond the distance of all days: it changes only where a person set the reading."""
    state = DeviceState.objects.filter(device=request.device).first()
    if state is None:
        return None
    driven = DeviceDay.objects.filter(device=request.device).aggregate(meters=Sum("distance_meters"))["meters"]
    return round(state.odometer_meters - (driven or 0.0))


def lock_request(key: str) -> None:
    """Lock the key until the transaction ends, so that simultaneous equal requests share one job."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])


def find_reusable(request: ReportRequest, key: str, *, now: datetime) -> Report | None:
    """Return the newest report that answers this request: an unfinished one, or a ready one that is fresh."""
    found = Report.objects.defer("content").filter(request_key=key, state__in=[*UNFINISHED, ReportState.READY])
    report = found.select_related("device__fleet", "fleet").order_by("-created_at", "-pk").first()
    if report is None or report.state in UNFINISHED:
        return report
    return report if is_fresh(report, request.devices, now=now) else None


def is_fresh(report: Report, device_ids: Sequence[int], *, now: datetime) -> bool:
    """Return whether a ready report is still valid: it is younger than REPORT_REUSE_SECONDS, or its range had ended
    before it was generated and no fix or event that its rows are made of arrived since."""
    if report.expires_at is not None and report.expires_at <= now:
        return False
    if report.finished_at is not None and now - report.finished_at < timedelta(seconds=settings.REPORT_REUSE_SECONDS):
        return True
    if report.started_at is None or report.range_end > report.started_at:
        return False
    since = report.started_at
    return not (_fixes_came_in(report, device_ids, since) or _events_came_in(report, device_ids, since).exists())


def _fixes_came_in(report: Report, device_ids: Sequence[int], since: datetime) -> bool:
    """Return whether fixes of the report's days may have arrived since it was generated, by the state of their
    roll-ups. Of trips and stops that later fixes may prolong, every later day counts."""
    first, last = report.range_start - timedelta(days=1), report.range_end + timedelta(days=1)  # whatever the zone
    days: dict[str, Any] = {"device__in": device_ids, "day__gte": first.date()}
    if report.kind not in WHOLE_KINDS or _is_settled(report):
        days["day__lte"] = last.date()
    return DirtyDay.objects.filter(**days).exists() or DeviceDay.objects.filter(**days, computed_at__gt=since).exists()


def _is_settled(report: Report) -> bool:
    """Return whether the trips and stops that touch the last day with a fix end where they do whatever comes later."""
    last = (report.range_end - timedelta(microseconds=1)).astimezone(report.zone).date()
    days = DeviceDay.objects.filter(device=report.device_id, day__lte=last).order_by("-day")
    return days.values_list("is_settled", flat=True).first() is not False


def _events_came_in(report: Report, device_ids: Sequence[int], since: datetime) -> QuerySet[Event]:
    """Return the events that were recorded since the report was generated and may belong into it: some are noticed late,
    and a device may leave a geofence on any later day."""
    recorded = Event.objects.filter(device__in=device_ids, created_at__gt=since)
    if report.kind == ReportKind.VISITS:
        return recorded.filter(kind__in=CROSSINGS)
    if report.kind not in EVENT_KINDS:
        return recorded.none()
    return recorded.filter(occurred_at__gte=report.range_start, occurred_at__lt=report.range_end + EVENT_MARGIN)
