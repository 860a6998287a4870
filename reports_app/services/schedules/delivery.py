"""Delivery of a run: write the files, and notify the recipients with attachments or links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import override

from notifications_app.messages.rendering import Message
from notifications_app.queries.audience import language_of, read_people
from notifications_app.services.notifications import Attachment, notify_with_message, send_on_behalf
from reports_app.exporters import EXPORTERS
from reports_app.message_kinds import REPORT_READY
from reports_app.models import (
    UNFINISHED,
    Report,
    ReportFile,
    ReportScheduleRun,
    ReportState,
    RunState,
    ScheduleDelivery,
)
from reports_app.queries import ADD_SCHEDULES, report_display_settings, run_key, visible_reports
from reports_app.services.files import export_report, file_name, formats_of, report_link
from reports_app.services.notify import KIND_LABELS, subject_of
from reports_app.services.schedules.editing import manages, readers_among
from reports_app.services.schedules.failures import days_of_run, run_failed, run_succeeded
from tasks_app.engine import current_job
from tasks_app.queries.access import has_right

MAX_ATTACHMENTS = 20


@dataclass(frozen=True, slots=True)
class ReportBundle:
    """The files for one recipient, attached or linked."""

    files: list[tuple[Report, ReportFile]]
    is_attached: bool


def deliver_run(run_id: int, *, now: datetime) -> dict[str, Any]:
    """Notify the recipients of a run whose reports have all ended; return {"run_id", "state"}. Idempotent.

    Recipients who may not see the fleet now are left out. The run fails if its owner lost the right, or no report is
    ready.
    """
    run = ReportScheduleRun.objects.select_related("schedule__owner", "schedule__fleet").filter(pk=run_id).first()
    if run is None or run.state != RunState.RUNNING or run.reports.filter(state__in=UNFINISHED).exists():
        return {"run_id": run_id, "state": run.state if run else "deleted"}
    reports = list(run.reports.defer("content").select_related("device__fleet", "fleet").order_by("kind", "pk"))
    ready = [report for report in reports if report.state == ReportState.READY]
    with override(language_of(run.schedule.owner)):
        problem = _problem_of_run(run, ready, reports)
    if problem:
        run_failed(run.schedule_id, run.pk, problem, now=now)
        return {"run_id": run_id, "state": RunState.FAILED.value}
    _send(run, ready, [report for report in reports if report not in ready], now)
    return {"run_id": run_id, "state": RunState.DELIVERED.value}


def _problem_of_run(run: ReportScheduleRun, ready: Sequence[Report], reports: Sequence[Report]) -> str:
    owner, fleet = run.schedule.owner, run.schedule.fleet
    if not has_right(owner, fleet, ADD_SCHEDULES):
        return _("Its owner is no longer an operator of the fleet.")
    if not ready:
        return next((report.error for report in reports if report.error), "") or _("It has no report.")
    readers = [*_recipients(run), *([owner] if _addresses(run) else [])]
    if not readers:
        return _("None of its recipients may see the fleet any longer.")
    if not any(_seen_by(reader, ready) for reader in readers):  # the devices moved to another fleet meanwhile
        return _("None of its recipients may see its reports any longer.")
    return ""


def _send(run: ReportScheduleRun, ready: Sequence[Report], failed: Sequence[Report], now: datetime) -> None:
    """Write all files, then notify in one transaction, which must be short."""
    people, addresses = _recipients(run), _addresses(run)
    owner = run.schedule.owner
    bundles = {person.pk: _bundle_for(run, ready, person) for person in [*people, *([owner] if addresses else [])]}
    with transaction.atomic():
        going_on = ReportScheduleRun.objects.select_for_update(of=("self",)).filter(pk=run.pk, state=RunState.RUNNING)
        if not going_on.exists():
            return
        notification_ids: list[int] = []
        for person in people:
            if not bundles[person.pk].files:
                continue
            notification_ids += _notify(run, person, bundles[person.pk], failed, now)
        if addresses and bundles[owner.pk].files:
            notification_ids += _notify_addresses(run, owner, addresses, bundles[owner.pk], failed, now)
        errors = " ".join(f"{_title(report)}: {report.error}" for report in failed)
        going_on.update(state=RunState.DELIVERED, error=errors, finished_at=now)
        run.notifications.set(notification_ids)
        run_succeeded(run.schedule_id)


def _recipients(run: ReportScheduleRun) -> list[AbstractUser]:
    """Return the active recipients who may see the fleet's reports now."""
    people = read_people(list(run.schedule.recipients.values_list("pk", flat=True)))
    readers = readers_among(people, run.schedule.fleet)
    return [person for person in people if person.pk in readers]


def _addresses(run: ReportScheduleRun) -> list[str]:
    """Return the addresses without an account, none if the owner may no longer add them."""
    schedule = run.schedule
    return list(schedule.extra_emails) if manages(schedule.owner, schedule.fleet) else []


def _bundle_for(run: ReportScheduleRun, ready: Sequence[Report], person: Any) -> ReportBundle:
    """Return the files of the reports that `person` may see now: a device may have moved to another fleet."""
    wanted = [
        (report, format)
        for report in _seen_by(person, ready)
        for format in run.schedule.formats
        if format in formats_of(report.kind)
    ]
    files: list[tuple[Report, ReportFile]] = []
    for report, format in wanted:
        current_job().raise_if_cancelled()
        current_job().progress(len(files), len(wanted), str(_title(report)))
        files.append((report, export_report(report.pk, format, display=report_display_settings(person, report))))
    size_bytes = sum(file.size_bytes for _report, file in files)
    fits = len(files) <= MAX_ATTACHMENTS and size_bytes <= settings.REPORT_MAX_ATTACHMENT_BYTES
    return ReportBundle(files, fits and run.schedule.delivery == ScheduleDelivery.ATTACHMENT)


def _seen_by(person: Any, reports: Sequence[Report]) -> list[Report]:
    """Return those of the reports that `person` may see now."""
    seen = set(visible_reports(person).filter(pk__in=[report.pk for report in reports]).values_list("pk", flat=True))
    return [report for report in reports if report.pk in seen]


def _notify(
    run: ReportScheduleRun, person: AbstractUser, bundle: ReportBundle, failed: Sequence[Report], now: datetime
) -> list[int]:
    return notify_with_message(
        _message(run, bundle, failed, person),
        people=[person],
        dedupe_key=run_key(run),
        now=now,
        fallback_zone=run.schedule.time_zone,
        attachments=_attachments(bundle),
    )


def _notify_addresses(
    run: ReportScheduleRun,
    owner: AbstractUser,
    addresses: Sequence[str],
    bundle: ReportBundle,
    failed: Sequence[Report],
    now: datetime,
) -> list[int]:
    return send_on_behalf(
        _message(run, bundle, failed, owner),
        owner=owner,
        addresses=addresses,
        dedupe_key=f"{run_key(run)}:to",
        now=now,
        fallback_zone=run.schedule.time_zone,
        attachments=_attachments(bundle),
    )


def _message(run: ReportScheduleRun, bundle: ReportBundle, failed: Sequence[Report], person: Any) -> Message:
    files = [
        {
            "label": format_lazy("{title} ({format})", title=_title(report), format=EXPORTERS[file.format].label),
            "url": "" if bundle.is_attached else report_link(report, person, file.format),
        }
        for report, file in bundle.files
    ]
    context = {
        **days_of_run(run),
        "heading": run.schedule.name,
        "about": run.schedule.fleet.name,
        "schedule": run.schedule.name,
        "attached": bundle.is_attached,
        "files": files,
        "problems": [{"label": _title(report), "reason": report.error} for report in _seen_by(person, failed)],
        "expires_at": None if bundle.is_attached else _first_expiry(bundle),
    }
    return Message(REPORT_READY.kind, context)


def _first_expiry(bundle: ReportBundle) -> datetime | None:
    return min((report.expires_at for report, _file in bundle.files if report.expires_at), default=None)


def _title(report: Report) -> Any:
    return format_lazy("{kind} · {about}", kind=KIND_LABELS.get(report.kind, report.kind), about=subject_of(report))


def _attachments(bundle: ReportBundle) -> tuple[Attachment, ...]:
    if not bundle.is_attached:
        return ()
    return tuple(
        Attachment(
            str(file.file.name),
            file_name(report, EXPORTERS[file.format].extension),
            EXPORTERS[file.format].content_type,
        )
        for report, file in bundle.files
    )
