"""Generation of a report: claim its row, build its table, store it. Idempotent."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from reports_app.builders import build_table, report_devices
from reports_app.exceptions import InvalidReport
from reports_app.models import Report, ReportKind, ReportState
from reports_app.periods import parse_time
from reports_app.queries import REPORT_ON, find_report, zone_of_request
from reports_app.services.generation.outcome import FailureRecorder, ready_values, report_is_ready
from reports_app.services.generation.rows import store_rows
from reports_app.services.requests import REPEATABLE, check_kind, report_for_job
from tasks_app.engine import current_job
from tasks_app.models import Device
from tasks_app.queries.access import visible_devices
from tasks_app.queries.replica import PRIMARY, read_from_replica, reading_alias, reads_from


def run_device_report(
    *, device_id: int, start: str, end: str, kind: str, report_id: int | None = None
) -> dict[str, Any]:
    """Run the task generate_device_report: generate the report `report_id`, or the one of this job. If a fresh report
    answers the request, the result is its id and state.

    `start` and `end` are ISO 8601; a date alone is midnight in the fleet's time zone. Raises InvalidReport.
    """
    if report_id is None:
        report_id = _row_of_this_job() or _device_row(device_id, start, end, kind)
    return generate_report(report_id)


def run_fleet_report(
    *, start: str, end: str, device_ids: list[int] | None = None, report_id: int | None = None
) -> dict[str, Any]:
    """Run the task generate_fleet_report; without ids for every device that the requester may see."""
    if report_id is None:
        report_id = _row_of_this_job() or _fleet_row(start, end, device_ids)
    return generate_report(report_id)


def generate_report(report_id: int) -> dict[str, Any]:
    """Build and store one report; return {"report_id", "state", "rows"}. A ready report is not built again.

    Any failure is recorded on the report and raised again. Raises InvalidReport (unknown_report).
    """
    report, owner = find_report(report_id), current_job().id
    if not _claim(report_id, owner):
        return _outcome(report_id)
    with FailureRecorder(report, owner):
        content = _build_and_store(report, owner)
    return _outcome(report_id, rows=sum(section["row_count"] for section in content["sections"]))


def _build_and_store(report: Report, owner: UUID | None) -> dict[str, Any]:
    """Store the rows as they are built, and commit them only if the report still belongs to this job afterwards.

    The table is made before the transaction, so that the locks of roll-ups are not held while rows are written.
    """
    report.held_device_ids = _devices_in(report)

    def work() -> dict[str, Any]:
        table = build_table(report)
        source = reading_alias()
        with reads_from(PRIMARY), transaction.atomic():
            with reads_from(source):
                content = store_rows(report.pk, table)
            _make_ready(report, owner, content)
        return content

    return read_from_replica(work)


def _make_ready(report: Report, owner: UUID | None, content: dict[str, Any]) -> None:
    now = timezone.now()
    values = {"content": content, "held_device_ids": report.held_device_ids, **ready_values(now)}
    if _owned(report.pk, owner).update(**values):
        report_is_ready(report.pk, now=now)
    else:
        transaction.set_rollback(True)


def _devices_in(report: Report) -> list[int]:
    """Return the devices that the report covers in this generation."""
    if report.device_id is not None:
        return [report.device_id]
    report.held_device_ids = None
    return list(report_devices(report).order_by("pk").values_list("pk", flat=True))


def _claim(report_id: int, owner: UUID | None) -> bool:
    """Claim the row for this job: a pending or repeatable one, or one that this job held when its worker died."""
    mine = Q(state__in=[ReportState.PENDING, *REPEATABLE])
    values: dict[str, Any] = {"state": ReportState.RUNNING, "error": "", "started_at": timezone.now()}
    if owner is not None:
        mine |= Q(state=ReportState.RUNNING, job_id=owner)
        values["job_id"] = owner
    return bool(Report.objects.filter(mine, pk=report_id).update(**values))


def _owned(report_id: int, owner: UUID | None) -> Any:
    """Return the row if this job still holds it: the sweep may have passed it to another job."""
    held = Report.objects.filter(pk=report_id, state=ReportState.RUNNING)
    return held if owner is None else held.filter(job_id=owner)


def _outcome(report_id: int, **more: int) -> dict[str, Any]:
    state = Report.objects.filter(pk=report_id).values_list("state", flat=True).first()
    return {"report_id": report_id, "state": state or "deleted", **more}


def _row_of_this_job() -> int | None:
    """Return the id of the report that an earlier attempt of this job created."""
    job_id = current_job().id
    return Report.objects.filter(job_id=job_id).values_list("pk", flat=True).first() if job_id else None


def _device_row(device_id: int, start: str, end: str, kind: str) -> int:
    user = _requester()
    devices = Device.objects.all() if user is None else visible_devices(user, REPORT_ON)
    device = devices.select_related("fleet").filter(pk=device_id).first()
    if device is None:
        raise InvalidReport("unknown_device", _("There is no device %(id)s.") % {"id": device_id}, field="device_id")
    check_kind(kind, device, None)
    return _new_row(kind=kind, device=device, zone=device.fleet.zone, start=start, end=end, user=user)


def _fleet_row(start: str, end: str, device_ids: list[int] | None) -> int:
    user = _requester()
    return _new_row(
        kind=ReportKind.FLEET,
        device_ids=device_ids,
        zone=zone_of_request(device_ids=device_ids, requested_by=user),
        start=start,
        end=end,
        user=user,
    )


def _new_row(*, kind: str, zone: Any, start: str, end: str, user: Any, **subject: Any) -> int:
    report = report_for_job(
        kind=kind,
        range_start=parse_time(start, zone, field="start"),
        range_end=parse_time(end, zone, field="end"),
        requested_by=user,
        job_id=current_job().id,
        **subject,
    )
    return report.pk


def _requester() -> Any:
    """Return the user who requested this job, None for the system. Raises InvalidReport if the user was deleted."""
    user_id = current_job().requested_by_id
    if user_id is None:
        return None
    user = get_user_model()._default_manager.filter(pk=user_id).first()
    if user is None:
        raise InvalidReport("unknown_user", _("The user who requested this report no longer exists."))
    return user
