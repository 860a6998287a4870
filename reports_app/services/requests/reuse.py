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

from reports_app.models import UNFINISHED, Report, ReportState
from reports_app.queries import reportable_devices
from tasks_app.models import Device, DeviceDay, DirtyDay, Fleet


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


def request_key(request: ReportRequest) -> str:
    """Return a key that is equal for requests that one report can answer: the same parameters, and the same devices
    with the same settings. For a report without fleet and device, which only its requester may see, it contains the
    requester."""
    named = request.device is not None or request.fleet is not None
    parts = [
        request.kind,
        request.range_start.astimezone(UTC).isoformat(),
        request.range_end.astimezone(UTC).isoformat(),
        request.fleet.pk if request.fleet else None,
        None if request.device_ids is None else list(request.device_ids),
        _rules_of(request.devices),
        None if named or request.requested_by is None else request.requested_by.pk,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _rules_of(device_ids: Sequence[int]) -> list[tuple[Any, ...]]:
    """Return the settings of each device on which its figures depend."""
    devices = Device.objects.filter(pk__in=device_ids).order_by("pk")
    return list(devices.values_list("pk", "kind", "tank_liters", "fleet__time_zone"))


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
    before it was generated and no fix of the range arrived since."""
    if report.expires_at is not None and report.expires_at <= now:
        return False
    if report.finished_at is not None and now - report.finished_at < timedelta(seconds=settings.REPORT_REUSE_SECONDS):
        return True
    if report.started_at is None or report.range_end > report.started_at:
        return False
    return not _fixes_came_in(report, device_ids, report.started_at)


def _fixes_came_in(report: Report, device_ids: Sequence[int], since: datetime) -> bool:
    """Return whether fixes of the report's days may have arrived since it was generated, by the state of their
    roll-ups."""
    first, last = report.range_start - timedelta(days=1), report.range_end + timedelta(days=1)  # whatever the zone
    days = {"device__in": device_ids, "day__gte": first.date(), "day__lte": last.date()}
    return DirtyDay.objects.filter(**days).exists() or DeviceDay.objects.filter(**days, computed_at__gt=since).exists()
