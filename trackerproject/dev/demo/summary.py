"""Summary of the demo: figures counted in the database and on disk, as a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from django.db.models import Count, Sum
from django.utils.translation import gettext as _
from rich.console import Console
from rich.table import Table

from notifications_app.models import Delivery, Notification
from reports_app.models import Report
from tasks_app.models import Device, DeviceState, Event, EventKind, Fleet, Job, Position
from trackerproject.dev.local_servers.webhook_receiver import WebhookReceiver


@dataclass(frozen=True, slots=True)
class DemoRun:
    """One run of the demo."""

    fleet: Fleet
    day: date
    sent_fixes: int
    sent_seconds: float
    done_seconds: float
    mail_folder: Path
    receiver: WebhookReceiver
    files: list[Path]


def summary_table(run: DemoRun) -> Table:
    """Return the table of what happened."""
    table = Table(title=_("%(fleet)s on %(day)s") % {"fleet": run.fleet.name, "day": run.day}, title_justify="left")
    table.add_column(_("What"))
    table.add_column(_("How many"), justify="right")
    for label, value in _rows(run):
        table.add_row(label, value)
    return table


def print_reports(console: Console, files: list[Path]) -> None:
    """Print the paths of the reports."""
    console.print(_("Reports:"))
    for path in files:
        console.print(f"  {path}", soft_wrap=True, highlight=False)


def _rows(run: DemoRun) -> list[tuple[str, str]]:
    stored = Position.objects.count()
    driven = DeviceState.objects.aggregate(total=Sum("odometer_meters"))["total"] or 0.0
    rows = [
        (_("Vehicles"), str(Device.objects.count())),
        (_("Fixes sent through HTTP"), f"{run.sent_fixes:,}"),
        (_("Positions stored"), f"{stored:,}"),
        (_("Duplicate fixes, stored once"), f"{run.sent_fixes - stored:,}"),
        (_("Fixes accepted per second"), f"{run.sent_fixes / run.sent_seconds:,.0f}"),
        (
            _("Fixes processed per second, to empty queues"),
            f"{run.sent_fixes / run.done_seconds:,.0f}",
        ),
        (_("Kilometres driven"), f"{driven / 1000:,.0f}"),
    ]
    rows += _counted(
        Event.objects.order_by().values_list("kind").annotate(Count("pk")), dict(EventKind.choices), _("Event")
    )
    alerts = Notification.objects.filter(rule__isnull=False).order_by().values_list("rule__name").annotate(Count("pk"))
    rows += _counted(alerts, {}, _("Alerts of the rule"))
    rows += [
        (_("Notifications"), f"{Notification.objects.count():,}"),
        (_("E-mails sent"), f"{Delivery.objects.filter(channel='email', state='sent').count():,}"),
        (_("E-mails received by the mail server"), f"{len(list(run.mail_folder.glob('*.eml'))):,}"),
        (_("Webhooks sent"), f"{Delivery.objects.filter(channel='webhook', state='sent').count():,}"),
        (_("Webhooks received, signature right"), f"{len(run.receiver.message_ids):,}"),
        (_("Reports ready"), f"{Report.objects.filter(state='ready').count():,}"),
    ]
    states = dict(Job._meta.get_field("state").flatchoices)
    return rows + _counted(Job.objects.order_by().values_list("state").annotate(Count("pk")), states, _("Jobs"))


def _counted(counts: Iterable[tuple[str, int]], labels: dict[str, Any], prefix: str) -> list[tuple[str, str]]:
    return [(f"{prefix}: {labels.get(key, key)}", f"{number:,}") for key, number in sorted(counts)]
