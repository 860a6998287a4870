"""`manage.py demo_day`: the steps of `make demo` once its servers run. All printed figures are counted."""

from __future__ import annotations

import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from notifications_app.models import Rule
from tasks_app.engine import enqueue
from tasks_app.ingest.serialise import fix_to_item
from tasks_app.ingest.simulation import DEFAULT_VEHICLES, day_of_fixes
from tasks_app.management.arguments import whole_number
from tasks_app.management.base import ShellCommand
from tasks_app.queries.jobs import queue_stats
from trackerproject.dev.api_client import ApiClient, ApiError
from trackerproject.dev.demo.reports import deliver_schedule, write_reports
from trackerproject.dev.demo.summary import DemoRun, print_reports, summary_table
from trackerproject.dev.demo.trackers import let_trackers_speak, trackers_table
from trackerproject.dev.demo.waiting import wait_until
from trackerproject.dev.local_servers.webhook_receiver import WebhookReceiver, webhook_receiver
from trackerproject.dev.sample_fleet import SampleFleet, ensure_sample_fleet, new_token

BATCH_FIXES = 500
QUEUES_EMPTY_SECONDS = 240


class Command(ShellCommand):
    help = _(
        "Sends a simulated fleet's day to a running server, waits for the work to be done and shows what happened."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", required=True, help=_("Address of the server."))
        parser.add_argument("--vehicles", type=whole_number, default=DEFAULT_VEHICLES, help=_("How many."))
        parser.add_argument("--folder", required=True, type=Path, help=_("Where its mail is, and the reports go."))

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with webhook_receiver() as receiver:
                self._run(Console(), options["url"], options["folder"], options["vehicles"], receiver)
        except ApiError as error:
            raise CommandError(str(error)) from error

    def _run(self, console: Console, url: str, folder: Path, vehicles: int, receiver: WebhookReceiver) -> None:
        sample = ensure_sample_fleet(vehicles)
        api = ApiClient(url, new_token(sample.operator))
        send_alerts_to(receiver, api)
        day = timezone.now().astimezone(sample.fleet.zone).date() - timedelta(days=1)
        began = time.monotonic()
        sent = send_day(console, api, sample, day, vehicles)
        sent_seconds = time.monotonic() - began
        wait_until(console, _("Waiting for the queues to be empty"), queues_are_empty, QUEUES_EMPTY_SECONDS)
        done_seconds = time.monotonic() - began
        # Its schedule comes once a minute, and the demo may be over by then.
        enqueue("check_trips")
        files = write_reports(console, api, sample, day, folder / "reports")
        wait_until(console, _("Waiting for the queues to be empty"), queues_are_empty, QUEUES_EMPTY_SECONDS)
        files += deliver_schedule(console, api, sample, folder)
        run = DemoRun(sample.fleet, day, sent, sent_seconds, done_seconds, folder / "mail", receiver, files)
        # Counted before the trackers add to it.
        table = summary_table(run)
        spoken = let_trackers_speak(console, sample, day)
        console.print(table)
        console.print(trackers_table(spoken))
        print_reports(console, files)


def send_alerts_to(receiver: WebhookReceiver, api: ApiClient) -> None:
    """Add the operator's webhook, whose address only this process knows, to every rule."""
    made = api.post("/api/destinations", {"kind": "webhook", "name": "Demo", "url": receiver.url})
    receiver.signing_secret = made["signing_secret"]
    for rule in Rule.objects.all():
        rule.channels = [*rule.channels, "webhook"]
        rule.save(update_fields=["channels"])


def send_day(console: Console, api: ApiClient, sample: SampleFleet, day: date, vehicles: int) -> int:
    """Send the day in batches, as a gateway would; return how many fixes were sent."""
    fixes = day_of_fixes(vehicles, day, zone=sample.fleet.zone)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(_("Sending fixes through the API"), total=len(fixes))
        for at in range(0, len(fixes), BATCH_FIXES):
            items = [fix_to_item(fix) for fix in fixes[at : at + BATCH_FIXES]]
            api.post("/api/tasks/position/process-batch", items)
            progress.advance(bar, len(items))
    return len(fixes)


def queues_are_empty() -> bool:
    """Return whether no job waits, runs or will be retried (jobs scheduled for later do not count)."""
    return not any(queue.depth + queue.running + queue.retrying for queue in queue_stats())
