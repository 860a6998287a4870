"""Creation and changes of report schedules, with the validation that the admin and the API share."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from reports_app.exporters import EXPORTERS
from reports_app.models import ReportKind, ReportSchedule
from reports_app.periods import next_due
from reports_app.queries import ADD_SCHEDULES, CHANGE_SCHEDULES, VIEW_REPORTS
from reports_app.services.files import formats_of
from reports_app.services.requests import DEVICE_KINDS
from tasks_app.models import Device, Fleet, FleetRole
from tasks_app.queries.access import everywhere_among, has_right
from tasks_app.services.rows import hold_row
from tasks_app.utils.hostnames import is_mailable

# A fleet's own day is written at its midnight anyway; a schedule over a day says the same with the kind "fleet".
SCHEDULED_KINDS = tuple(kind for kind in ReportKind.values if kind != ReportKind.DAILY)
MAX_REPORTS_PER_RUN = 100
MAX_RECIPIENTS = 50

Problems = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The values of a schedule that are validated together."""

    fleet: Fleet
    kinds: Sequence[str]
    formats: Sequence[str]
    recipients: Sequence[Any]
    extra_emails: Sequence[str]
    devices: Sequence[Device] = field(default_factory=list)


def find_problems(chosen: Chosen, editor: Any) -> Problems:
    """Return the errors by field."""
    checks = {
        "fleet": _fleet_problem(chosen, editor),
        "devices": _devices_problem(chosen),
        "kinds": _kinds_problem(chosen),
        "formats": _formats_problem(chosen),
        "recipients": _recipients_problem(chosen),
        "extra_emails": _emails_problem(chosen, editor),
    }
    return {name: [problem] for name, problem in checks.items() if problem}


def save_report_schedule(
    schedule: ReportSchedule, *, devices: Iterable[Device], recipients: Iterable[Any], editor: Any, now: datetime
) -> ReportSchedule:
    """Store a new or changed schedule with its devices and recipients, and plan its next run.

    With another rhythm, runs missed before the change are not made up for; else one that is due stays so. Raises
    ValidationError with an error per field.
    """
    devices, recipients = list(devices), list(recipients)
    schedule.full_clean()
    chosen = Chosen(schedule.fleet, schedule.kinds, schedule.formats, recipients, schedule.extra_emails, devices)
    if problems := find_problems(chosen, editor):
        raise ValidationError(problems)
    with transaction.atomic():
        planned = _planned_run(schedule)
        plan_next_run(schedule, now=now)
        schedule.next_due_at = planned or schedule.next_due_at
        schedule.save()
        schedule.devices.set(devices)
        schedule.recipients.set(recipients)
    return schedule


def _planned_run(schedule: ReportSchedule) -> datetime | None:
    """Return the next run of a schedule that is active and stays in its rhythm."""
    stored = ReportSchedule.objects.filter(pk=schedule.pk, is_active=schedule.is_active).first()
    return stored.next_due_at if stored and stored.rhythm == schedule.rhythm else None


def plan_next_run(schedule: ReportSchedule, *, now: datetime) -> None:
    """Set the time of the next run without saving the row, and reset the failures of an active schedule."""
    schedule.next_due_at = next_due(schedule.rhythm, now) if schedule.is_active else None
    if schedule.is_active:
        schedule.failure_count, schedule.last_error = 0, ""


@transaction.atomic
def switch(schedule: ReportSchedule, *, on: bool, now: datetime) -> None:
    """Switch a schedule on or off. Runs missed while it was off are not made up for. Raises RowGone."""
    hold_row(schedule)
    planned = schedule.next_due_at if on and schedule.is_active else None
    schedule.is_active = on
    plan_next_run(schedule, now=now)
    schedule.next_due_at = planned or schedule.next_due_at
    schedule.save(update_fields=["is_active", "next_due_at", "failure_count", "last_error"])


def report_count(kinds: Sequence[str], device_count: int) -> int:
    """Return the number of reports of a run: one per device for kinds about one device, one for any other kind."""
    return sum(device_count if kind in DEVICE_KINDS else 1 for kind in kinds)


def _fleet_problem(chosen: Chosen, editor: Any) -> str:
    if has_right(editor, chosen.fleet, ADD_SCHEDULES) or has_right(editor, chosen.fleet, CHANGE_SCHEDULES):
        return ""
    return _("This needs the role %(role)s in the fleet.") % {"role": FleetRole.OPERATOR.label}


def _devices_problem(chosen: Chosen) -> str:
    if any(device.fleet_id != chosen.fleet.pk for device in chosen.devices):
        return _("Choose only devices of the fleet.")
    count = report_count(chosen.kinds, len(chosen.devices) or chosen.fleet.devices.count())
    if count > MAX_REPORTS_PER_RUN:
        detail = _("Each run would make %(count)s reports, and at most %(most)s fit: choose fewer devices or kinds.")
        return detail % {"count": count, "most": MAX_REPORTS_PER_RUN}
    return ""


def _kinds_problem(chosen: Chosen) -> str:
    return _choice_problem(chosen.kinds, SCHEDULED_KINDS)


def _formats_problem(chosen: Chosen) -> str:
    if problem := _choice_problem(chosen.formats, tuple(EXPORTERS)):
        return problem
    without = [kind for kind in chosen.kinds if not set(chosen.formats) & set(formats_of(kind))]
    if without:
        return _("No format for these kinds, which have no places: %(kinds)s.") % {"kinds": ", ".join(without)}
    return ""


def _choice_problem(wanted: Sequence[str], known: Sequence[str]) -> str:
    if not wanted:
        return _("Choose at least one.")
    if unknown := [each for each in wanted if each not in known]:
        return _("Unknown: %(unknown)s; known are %(known)s.") % {
            "unknown": ", ".join(unknown)[:100],
            "known": ", ".join(known),
        }
    return _("Choose each once.") if len(set(wanted)) < len(wanted) else ""


def _recipients_problem(chosen: Chosen) -> str:
    if not chosen.recipients and not chosen.extra_emails:
        return _("Name at least one recipient.")
    if len(chosen.recipients) + len(chosen.extra_emails) > MAX_RECIPIENTS:
        return _("At most %(most)s recipients can be named.") % {"most": MAX_RECIPIENTS}
    readers = readers_among(chosen.recipients, chosen.fleet)
    strangers = [user for user in chosen.recipients if user.pk not in readers]
    if strangers:
        names = ", ".join(user.get_username() for user in strangers[:10])
        return _("No members of the fleet: %(names)s.") % {"names": names}
    return ""


def _emails_problem(chosen: Chosen, editor: Any) -> str:
    if chosen.extra_emails and not manages(editor, chosen.fleet):
        return _("Only managers of the fleet may name people without an account.")
    if wrong := [address for address in chosen.extra_emails if not is_mailable(address)]:
        return _("No e-mail addresses: %(addresses)s.") % {"addresses": ", ".join(wrong)[:100]}
    return ""


def manages(user: Any, fleet: Fleet) -> bool:
    """Return whether `user` is a manager of the fleet, or staff that may change its report schedules."""
    return has_right(user, fleet, CHANGE_SCHEDULES)


def readers_among(people: Collection[Any], fleet: Fleet) -> set[Any]:
    """Return the primary keys of those people who may see the reports of the fleet."""
    members = fleet.memberships.filter(user__in=[person.pk for person in people])
    return set(members.values_list("user_id", flat=True)) | everywhere_among(people, VIEW_REPORTS)
