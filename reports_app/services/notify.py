"""Notifications that a report is ready or failed, in the application and by e-mail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy

from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import Spot
from notifications_app.models.kinds import MessageKind
from notifications_app.queries.audience import read_people
from notifications_app.queries.rule_subjects import channels_by_rules
from notifications_app.services.notifications import ALL_CHANNELS, notify_with_message
from reports_app.message_kinds import REPORT_FAILED, REPORT_READY
from reports_app.models import Report, ReportFollower, ReportKind, ReportState
from reports_app.queries import find_report, report_key, visible_report
from reports_app.services.files import report_link

KIND_LABELS = {kind.value: kind.label for kind in ReportKind}


def notify_ready(report_id: int, *, now: datetime) -> list[int]:
    """Notify followers who wished it (all of them if it took long) and users named by rules; return notification ids."""
    report = find_report(report_id)
    if report.state != ReportState.READY:
        return []
    followers = ReportFollower.objects.filter(report=report)
    if not took_long(report):
        followers = followers.filter(wants_notice=True)

    def context_for(person: AbstractUser) -> dict[str, Any]:
        files = [{"label": _heading(report), "url": report_link(report, person)}]
        return {"files": files, "expires_at": report.expires_at}

    return _notify(report, followers, REPORT_READY, context_for, "ready", now)


def notify_failed(report_id: int, *, now: datetime) -> list[int]:
    """Notify all followers, and users named by rules, of the error; return notification ids."""
    report = find_report(report_id)
    if report.state != ReportState.FAILED:
        return []
    context = {"error": report.error, "spot": Spot(report.finished_at or now)}
    followers = ReportFollower.objects.filter(report=report)
    return _notify(report, followers, REPORT_FAILED, lambda person: context, "failed", now)


def took_long(report: Report) -> bool:
    """Return whether the generation took longer than REPORT_NOTICE_AFTER_SECONDS."""
    if report.finished_at is None:
        return False
    return report.finished_at - report.created_at >= timedelta(seconds=settings.REPORT_NOTICE_AFTER_SECONDS)


def about_report(report: Report) -> dict[str, Any]:
    """Return the context of every template about a report: its title, subject and local days."""
    first_day, last_day = report_days_of(report)
    return {"heading": _heading(report), "about": subject_of(report), "first_day": first_day, "last_day": last_day}


def subject_of(report: Report) -> str:
    """Return the name of its device or fleet, "" for a report of several devices."""
    return str(report.device or report.fleet or "")


def report_days_of(report: Report) -> tuple[date, date]:
    """Return the first and the last local day of its range."""
    return local_days(report.range_start, report.range_end, report.zone)


def local_days(start: datetime, end: datetime, zone: ZoneInfo) -> tuple[date, date]:
    """Return the first and the last local day of `[start, end)`."""
    return start.astimezone(zone).date(), (end - timedelta(microseconds=1)).astimezone(zone).date()


def _heading(report: Report) -> Any:
    return KIND_LABELS.get(report.kind, gettext_lazy("Report"))


def _notify(
    report: Report,
    followers: QuerySet[ReportFollower],
    kind: MessageKind,
    context_for: Callable[[AbstractUser], dict[str, Any]],
    outcome: str,
    now: datetime,
) -> list[int]:
    """Notify the followers in the application and by e-mail, and users named by rules through the rules' channels."""
    fleet = report.device.fleet if report.device else report.fleet
    by_rules = channels_by_rules(kind.kind, fleet=fleet, device_id=report.device_id, now=now)
    asked = set(followers.values_list("user_id", flat=True))
    notification_ids: list[int] = []
    for person in read_people(asked | by_rules.keys()):
        # Rights may have been lost since the request, and a rule may name users who never had them.
        if visible_report(person, report.pk) is None:
            continue
        context = {**about_report(report), **context_for(person), "by_rule": person.pk not in asked}
        notification_ids += notify_with_message(
            Message(kind.kind, context),
            people=[person],
            channels=ALL_CHANNELS if person.pk in asked else (),
            more_channels=by_rules,
            dedupe_key=report_key(report, outcome),
            now=now,
            fallback_zone=str(report.zone),
        )
    return notification_ids
