"""Asking for a report: check what is asked, write its row, enqueue its job once the row is committed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from reports_app.exceptions import InvalidReport
from reports_app.models import Report, ReportKind, ReportState
from tasks_app.engine import QueueFull, QueueUnavailable, get_task
from tasks_app.models import Device, Fleet
from tasks_app.queries.access import visible_devices

logger = logging.getLogger(__name__)

DEVICE_KINDS = frozenset({ReportKind.SUMMARY, ReportKind.ROUTE, ReportKind.TRIPS, ReportKind.STOPS, ReportKind.EVENTS})
MAX_DEVICES = 5000
FIRST_YEAR, LAST_YEAR = 1980, 2200


def request_report(
    *,
    kind: str,
    range_start: datetime,
    range_end: datetime,
    device: Device | None = None,
    fleet: Fleet | None = None,
    device_ids: Sequence[int] | None = None,
    requested_by: Any = None,
) -> Report:
    """Write a pending report over `[range_start, range_end)` and enqueue its job after the commit.

    `device` and `fleet` must come from what the requester may see; `device_ids` are checked here. A fleet's day that
    exists already is returned as it is, or tried again if it had failed. Raises InvalidReport.
    """
    with transaction.atomic():
        report, is_due = create_report(
            kind=kind,
            range_start=range_start,
            range_end=range_end,
            device=device,
            fleet=fleet,
            device_ids=device_ids,
            requested_by=requested_by,
            job_id=uuid4(),
        )
        if is_due:
            transaction.on_commit(lambda: enqueue_report(report))
    return report


def create_report(
    *,
    kind: str,
    range_start: datetime,
    range_end: datetime,
    device: Device | None = None,
    fleet: Fleet | None = None,
    device_ids: Sequence[int] | None = None,
    requested_by: Any = None,
    job_id: UUID | None = None,
) -> tuple[Report, bool]:
    """Write the row only. Return it and whether it still has to be generated. Raises InvalidReport."""
    check_kind(kind, device, fleet)
    check_range(range_start, range_end)
    chosen = None if device_ids is None else check_device_ids(device_ids, fleet, requested_by)
    values = {"requested_by": requested_by, "job_id": job_id, "device": device, "device_ids": chosen}
    if kind != ReportKind.DAILY:
        report = Report.objects.create(kind=kind, fleet=fleet, range_start=range_start, range_end=range_end, **values)
        return report, True
    report, created = Report.objects.get_or_create(
        kind=kind, fleet=fleet, range_start=range_start, range_end=range_end, defaults=values
    )
    return report, created or _revive(report, job_id)


def enqueue_report(report: Report) -> None:
    """Enqueue the job of a pending report under the id the row names. A full or absent queue is not an error here:
    the row is safe, and the sweep of stuck reports enqueues it later."""
    start, end = report.range_start.isoformat(), report.range_end.isoformat()
    if report.kind in DEVICE_KINDS:
        name, kwargs = "generate_device_report", {"device_id": report.device_id, "kind": report.kind}
    else:
        name, kwargs = "generate_fleet_report", {"device_ids": report.device_ids}
    try:
        get_task(name).apply_async(
            kwargs={**kwargs, "start": start, "end": end, "report_id": report.pk},
            job_id=report.job_id,
            requested_by=report.requested_by_id,
        )
    except (QueueFull, QueueUnavailable) as error:
        logger.warning("Report %s waits for the next sweep: %s", report.pk, error)


def check_kind(kind: str, device: Device | None, fleet: Fleet | None) -> None:
    """Raise InvalidReport unless the kind is known and has the subject it needs."""
    if kind not in ReportKind.values:
        detail = _("Unknown kind “%(kind)s”; known are %(known)s.")
        raise InvalidReport(
            "unknown_kind", detail % {"kind": kind, "known": ", ".join(ReportKind.values)}, field="kind"
        )
    if kind in DEVICE_KINDS and device is None:
        raise InvalidReport("device_required", _("A report of this kind needs a device."), field="device_id")
    if kind not in DEVICE_KINDS and device is not None:
        raise InvalidReport("device_not_allowed", _("A report of this kind is about a fleet."), field="device_id")
    if kind == ReportKind.DAILY and fleet is None:
        raise InvalidReport("fleet_required", _("A report of this kind needs a fleet."), field="fleet_id")


def check_range(start: datetime, end: datetime) -> None:
    """Raise InvalidReport unless both times are aware, in order, and at most MAX_REPORT_DAYS apart."""
    for name, moment in (("start", start), ("end", end)):
        if moment.tzinfo is None or moment.utcoffset() is None:
            raise InvalidReport(
                "naive_time", _("Times need a time zone, for example 2026-01-31T08:00:00Z."), field=name
            )
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            detail = _("The year must lie between %(first)s and %(last)s.") % {"first": FIRST_YEAR, "last": LAST_YEAR}
            raise InvalidReport("time_out_of_range", detail, field=name)
    if end <= start:
        raise InvalidReport("end_before_start", _("The end must be after the start."), field="end")
    if end - start > timedelta(days=settings.MAX_REPORT_DAYS, hours=1):  # a year of local days may have an extra hour
        detail = _("A report covers at most %(days)s days.") % {"days": settings.MAX_REPORT_DAYS}
        raise InvalidReport("range_too_long", detail, field="end")


def check_device_ids(device_ids: Sequence[int], fleet: Fleet | None, requested_by: Any) -> list[int]:
    """The ids, sorted and each once. Raises InvalidReport for none, too many, or one the requester cannot see."""
    wanted = sorted(set(device_ids))
    if not wanted:
        raise InvalidReport("no_devices", _("Name at least one device."), field="device_ids")
    if len(wanted) > MAX_DEVICES:
        detail = _("At most %(most)s devices fit in one report.") % {"most": MAX_DEVICES}
        raise InvalidReport("too_many_devices", detail, field="device_ids")
    devices = Device.objects.all() if requested_by is None else visible_devices(requested_by)
    devices = devices if fleet is None else devices.filter(fleet=fleet)
    known = set(devices.filter(pk__in=wanted).values_list("pk", flat=True))
    if unknown := [device_id for device_id in wanted if device_id not in known]:
        detail = _("Unknown devices: %(ids)s.") % {"ids": ", ".join(map(str, unknown[:10]))}
        raise InvalidReport("unknown_device", detail, field="device_ids")
    return wanted


def _revive(report: Report, job_id: UUID | None) -> bool:
    """Make a failed report pending again, for whoever asks first."""
    failed = Report.objects.filter(pk=report.pk, state=ReportState.FAILED)
    if not failed.update(state=ReportState.PENDING, error="", job_id=job_id):
        return False
    report.refresh_from_db(fields=["state", "error", "job_id"])
    return True
