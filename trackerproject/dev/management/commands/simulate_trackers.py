"""`manage.py simulate_trackers`: one tracker for each protocol, which drives now and speaks to a running gateway."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from tasks_app.ingest.simulation import DEFAULT_VEHICLES
from tasks_app.management.arguments import decimal_number, whole_number
from tasks_app.management.base import ShellCommand
from trackerproject.dev.sample_fleet import ensure_sample_fleet
from trackerproject.dev.sample_trackers import FIRST_VEHICLE, ensure_sample_trackers, simulated_tracker
from trackerproject.dev.simulated_trackers import Report, SimulatedTracker, live_reports


class Command(ShellCommand):
    help = _("Drives one simulated tracker for each protocol: through a running gateway, until Ctrl-C.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help=_("Address of the gateway."))
        parser.add_argument("--every-seconds", type=whole_number, default=10, help=_("How often each reports."))
        parser.add_argument("--minutes", type=decimal_number, help=_("Stop after this time instead of at Ctrl-C."))

    def handle(self, *args: Any, **options: Any) -> None:
        if options["every_seconds"] < 1:
            raise CommandError(_("--every-seconds must be at least 1."))
        devices = ensure_sample_trackers(ensure_sample_fleet(DEFAULT_VEHICLES).fleet)
        trackers = {protocol: simulated_tracker(protocol, options["host"]) for protocol in devices}
        for tracker in trackers.values():
            tracker.start()
        try:
            self._drive(trackers, options["every_seconds"], options["minutes"])
        except KeyboardInterrupt:
            self.stdout.write(_("Stopped."))
        finally:
            for tracker in trackers.values():
                tracker.stop()

    def _drive(self, trackers: dict[str, SimulatedTracker], every_seconds: int, minutes: float | None) -> None:
        begin = datetime.now(UTC)
        until = begin + timedelta(minutes=minutes) if minutes else None
        ways = [
            _named(protocol, live_reports(FIRST_VEHICLE + number, start_at=begin, every_seconds=every_seconds))
            for number, protocol in enumerate(trackers)
        ]
        for at, protocol, report in heapq.merge(*ways, key=lambda one: one[0]):
            if until and at > until:
                return
            time.sleep(max(0.0, (at - datetime.now(UTC)).total_seconds()))
            trackers[protocol].send([report])


def _named(protocol: str, reports: Iterator[Report]) -> Iterator[tuple[datetime, str, Report]]:
    for report in reports:
        yield report.at, protocol, report
