"""`manage.py demo_month`: the past month of the sample fleet, sent through the HTTP API of a running server."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _
from rich.console import Console

from tasks_app.engine import enqueue
from tasks_app.ingest.serialise import fix_to_item
from tasks_app.ingest.simulation import DEFAULT_VEHICLES, day_of_fixes
from tasks_app.management.arguments import decimal_number, whole_number
from tasks_app.management.base import ShellCommand
from tasks_app.models import Position
from trackerproject.dev.api_client import ApiClient, ApiError
from trackerproject.dev.demo.month import MOST_THINNED, missing_days, thinned, thinning
from trackerproject.dev.demo.reports import deliver_schedule, write_reports
from trackerproject.dev.demo.waiting import wait_until
from trackerproject.dev.management.commands.demo_day import queues_are_empty
from trackerproject.dev.sample_fleet import SampleFleet, ensure_sample_fleet, new_token

BATCH_FIXES = 500
QUEUES_EMPTY_SECONDS = 240


class Command(ShellCommand):
    help = _("Sends the sample fleet's past month to a running server: the days that are not there yet.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", required=True, help=_("Address of the server."))
        parser.add_argument("--folder", required=True, type=Path, help=_("Where its mail is, and the reports go."))
        parser.add_argument("--vehicles", type=whole_number, default=DEFAULT_VEHICLES, help=_("How many."))
        parser.add_argument(
            "--seconds",
            type=decimal_number,
            default=240.0,
            help=_("About how long it may take: fewer fixes are sent for less."),
        )

    def handle(self, *args: Any, **options: Any) -> None:
        sample = ensure_sample_fleet(options["vehicles"])
        today = timezone.now().astimezone(sample.fleet.zone).date()
        days = missing_days(last_day(sample), today)
        if not days:
            return
        api, console = ApiClient(options["url"], new_token(sample.operator)), Console()
        try:
            send_days(api, console, sample, days, vehicles=options["vehicles"], seconds=options["seconds"])
            enqueue("check_trips")
            enqueue("update_device_days")
            write_reports(console, api, sample, days[-1], options["folder"] / "reports")
            if not sample.fleet.report_schedules.exists():
                deliver_schedule(console, api, sample, options["folder"])
        except ApiError as error:
            raise CommandError(str(error)) from error


def last_day(sample: SampleFleet) -> date | None:
    """Return the local day of the fleet's newest position."""
    newest = (
        Position.objects.filter(device__fleet=sample.fleet).order_by("-fix_time").values_list("fix_time", flat=True)
    )
    found = newest.first()
    return found.astimezone(sample.fleet.zone).date() if found else None


def send_days(
    api: ApiClient, console: Console, sample: SampleFleet, days: list[date], *, vehicles: int, seconds: float
) -> None:
    """Send the days in order; how many of their fixes follows from how fast the first ones were stored."""
    began, sent, one_in = time.monotonic(), 0, MOST_THINNED
    for number, day in enumerate(days):
        fixes = day_of_fixes(vehicles, day, zone=sample.fleet.zone)
        chosen = thinned(fixes, one_in)
        for at in range(0, len(chosen), BATCH_FIXES):
            items = [fix_to_item(fix) for fix in chosen[at : at + BATCH_FIXES]]
            api.post("/api/tasks/position/process-batch", items)
        wait_until(console, f"{day} ({number + 1}/{len(days)})", queues_are_empty, QUEUES_EMPTY_SECONDS)
        sent += len(chosen)
        passed = time.monotonic() - began
        one_in = thinning(
            fixes_per_second=sent / passed,
            fixes_per_day=len(fixes),
            days_left=len(days) - number - 1,
            seconds_left=seconds - passed,
        )
    console.print(_("%(days)d days of the fleet: %(fixes)s fixes.") % {"days": len(days), "fixes": f"{sent:,}"})
