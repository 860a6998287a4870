"""Requests for reports: check the parameters, store the row, enqueue the job after the commit."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from reports_app.exceptions import InvalidReport
from reports_app.models import Report, ReportFollower, ReportKind, ReportState
from reports_app.queries import reportable_devices
from reports_app.services.requests.reuse import ReportRequest, find_reusable, lock_request, request_key
from tasks_app.engine import QueueFull, QueueUnavailable, get_task
from tasks_app.models import Device, Fleet

logger = logging.getLogger(__name__)

DEVICE_KINDS = frozenset(ReportKind) - {ReportKind.FLEET, ReportKind.DAILY}
REPORT_TASKS = frozenset({"generate_device_report", "generate_fleet_report"})
MAX_DEVICES = 5000
# Reports in these states may be generated again.
REPEATABLE = (ReportState.FAILED, ReportState.CANCELLED, ReportState.EXPIRED)
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
    fresh: bool = False,
    wants_notice: bool = False,
    follow: bool = True,
) -> Report:
    """Return a report over `[range_start, range_end)`: an unfinished or fresh one for the same parameters, else a new
    one, whose job is enqueued after the commit. With `fresh` only a pending one is shared.

    The caller checks that the requester may see `device` and `fleet`; `device_ids` are checked here. With `follow` the
    requester is notified of a failure and, with `wants_notice`, when it is ready. A fleet's day has one row, which is
    generated again in place. Raises InvalidReport.
    """
    request = checked_request(
        kind=kind,
        range_start=range_start,
        range_end=range_end,
        device=device,
        fleet=fleet,
        device_ids=device_ids,
        requested_by=requested_by,
    )
    with transaction.atomic():
        report, is_due = _find_or_write(request, uuid4(), fresh=fresh)
        if requested_by is not None and follow:
            _follow(report, requested_by, wants_notice)
        if is_due:
            transaction.on_commit(lambda: enqueue_report(report))
    return report


def checked_request(*, device_ids: Sequence[int] | None = None, **asked: Any) -> ReportRequest:
    """Return the checked request. Raises InvalidReport."""
    request = ReportRequest(**asked)
    check_kind(request.kind, request.device, request.fleet)
    check_range(request.range_start, request.range_end)
    if device_ids is None:
        return request
    return replace(request, device_ids=tuple(check_device_ids(device_ids, request.fleet, request.requested_by)))


def create_report(*, job_id: UUID | None = None, **asked: Any) -> tuple[Report, bool]:
    """Store the row without a job, for a caller that generates it itself; arguments as in `request_report`.

    Returns the report and whether it has to be generated. Raises InvalidReport.
    """
    request = checked_request(**asked)
    with transaction.atomic():
        return _write_row(request, request_key(request), job_id)


def report_for_job(*, job_id: UUID | None, **asked: Any) -> Report:
    """Return the report for a job that was started with parameters instead of a report's id: an existing one that
    answers them, else a new row. Arguments and reuse as in `request_report`; the requester is notified of a failure."""
    request = checked_request(**asked)
    with transaction.atomic():
        report, _is_due = _find_or_write(request, job_id, fresh=False)
        if request.requested_by is not None:
            _follow(report, request.requested_by, wants_notice=False)
    return report


def _find_or_write(request: ReportRequest, job_id: UUID | None, *, fresh: bool) -> tuple[Report, bool]:
    key = request_key(request)
    lock_request(key)
    found = find_reusable(request, key, now=timezone.now())
    if found is not None and not (fresh and found.state != ReportState.PENDING):
        return found, False
    return _write_row(request, key, job_id)


def _write_row(request: ReportRequest, key: str, job_id: UUID | None) -> tuple[Report, bool]:
    """Create a row. An existing row of a fleet's day becomes pending instead, unless it is being generated."""
    values = {
        "requested_by": request.requested_by,
        "job_id": job_id,
        "device": request.device,
        "device_ids": None if request.device_ids is None else list(request.device_ids),
        "held_device_ids": _named_devices(request),
        "request_key": key,
        "time_zone": request.zone_name,
    }
    identity: dict[str, Any] = {
        "kind": request.kind,
        "fleet": request.fleet,
        "range_start": request.range_start,
        "range_end": request.range_end,
    }
    if request.kind != ReportKind.DAILY:
        return Report.objects.create(**identity, **values), True
    report, created = Report.objects.get_or_create(**identity, defaults=values)
    return report, created or revive_report(report, job_id, among=[*REPEATABLE, ReportState.READY])


def _named_devices(request: ReportRequest) -> list[int] | None:
    """Return the devices that the request names, None if the devices are determined at generation."""
    if request.device is not None:
        return [request.device.pk]
    return None if request.device_ids is None else list(request.device_ids)


def revive_report(report: Report, job_id: UUID | None, *, among: Collection[str]) -> bool:
    """Make a report in one of these states pending again; return whether this call changed it."""
    values = {"state": ReportState.PENDING, "error": "", "job_id": job_id, "finished_at": None, "expires_at": None}
    if not Report.objects.filter(pk=report.pk, state__in=among).update(**values):
        return False
    report.refresh_from_db(fields=list(values))
    return True


def _follow(report: Report, user: Any, wants_notice: bool) -> None:
    follower, created = ReportFollower.objects.get_or_create(
        report=report, user=user, defaults={"wants_notice": wants_notice}
    )
    if not created and wants_notice > follower.wants_notice:
        follower.wants_notice = wants_notice
        follower.save(update_fields=["wants_notice"])


def enqueue_report(report: Report) -> None:
    """Enqueue the job of a pending report under the row's job id. If the queue is full or unavailable, the sweep of
    stuck reports enqueues it later."""
    start, end = report.range_start.isoformat(), report.range_end.isoformat()
    if report.kind in DEVICE_KINDS:
        kwargs: dict[str, Any] = {"device_id": report.device_id, "kind": report.kind}
    else:
        kwargs = {"device_ids": report.device_ids}
    try:
        get_task(task_name_of(report)).apply_async(
            kwargs={**kwargs, "start": start, "end": end, "report_id": report.pk},
            job_id=report.job_id,
            requested_by=report.requested_by_id,
        )
    except (QueueFull, QueueUnavailable) as error:
        logger.warning("Report %s waits for the next sweep: %s", report.pk, error)


def task_name_of(report: Report) -> str:
    """Return the name of the task that generates a report of this kind."""
    return "generate_device_report" if report.kind in DEVICE_KINDS else "generate_fleet_report"


def device_kind_choices() -> list[tuple[str, Any]]:
    """Return the kinds of reports about one device, with their labels."""
    return [(kind.value, kind.label) for kind in ReportKind if kind in DEVICE_KINDS]


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
    for name, timestamp in (("start", start), ("end", end)):
        if timestamp.tzinfo is None or timestamp.utcoffset() is None:
            raise InvalidReport(
                "naive_time", _("Times need a time zone, for example 2026-01-31T08:00:00Z."), field=name
            )
        check_year(timestamp, name)
    if end <= start:
        raise InvalidReport("end_before_start", _("The end must be after the start."), field="end")
    if end - start > timedelta(days=settings.MAX_REPORT_DAYS, hours=1):  # a year of local days may have an extra hour
        detail = _("A report covers at most %(days)s days.") % {"days": settings.MAX_REPORT_DAYS}
        raise InvalidReport("range_too_long", detail, field="end")


def check_year(day: date, field: str) -> None:
    """Raise InvalidReport unless the day, or time, is in the years of reports."""
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        detail = _("The year must lie between %(first)s and %(last)s.") % {"first": FIRST_YEAR, "last": LAST_YEAR}
        raise InvalidReport("time_out_of_range", detail, field=field)


def check_device_ids(device_ids: Sequence[int], fleet: Fleet | None, requested_by: Any) -> list[int]:
    """Return the distinct ids in order. Raises InvalidReport for none, too many, or one that the requester may not see."""
    wanted = sorted(set(device_ids))
    if not wanted:
        raise InvalidReport("no_devices", _("Name at least one device."), field="device_ids")
    if len(wanted) > MAX_DEVICES:
        detail = _("At most %(most)s devices fit in one report.") % {"most": MAX_DEVICES}
        raise InvalidReport("too_many_devices", detail, field="device_ids")
    known = set(reportable_devices(fleet, requested_by).filter(pk__in=wanted).values_list("pk", flat=True))
    if unknown := [device_id for device_id in wanted if device_id not in known]:
        detail = _("Unknown devices: %(ids)s.") % {"ids": ", ".join(map(str, unknown[:10]))}
        raise InvalidReport("unknown_device", detail, field="device_ids")
    return wanted
