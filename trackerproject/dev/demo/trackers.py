"""Trackers of the demo: one for each protocol speaks its real bytes to the gateway, alarms, and is sent a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from django.core.management.base import CommandError
from django.utils.translation import gettext as _
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tasks_app.models import Command, CommandState, Device, Position
from tasks_app.queries.commands import offered_types
from tasks_app.queries.trackers import session_of
from tasks_app.services.commands import request_command
from trackerproject.dev.demo.waiting import wait_until
from trackerproject.dev.sample_fleet import SampleFleet
from trackerproject.dev.sample_trackers import FIRST_VEHICLE, ensure_sample_trackers, simulated_tracker
from trackerproject.dev.simulated_trackers import SimulatedTracker, day_of_reports

HOST = "127.0.0.1"
EVERY_SECONDS = 60
WAIT_SECONDS = 120
# The first of these that a protocol can express is sent.
COMMANDS = ("position_request", "status_request", "version_request", "position_interval")
ENDED = (CommandState.DONE, CommandState.FAILED, CommandState.EXPIRED, CommandState.UNCONFIRMED)


@dataclass(frozen=True, slots=True)
class SpokenProtocol:
    """Figures of one tracker."""

    protocol: str
    device: Device
    tracker: SimulatedTracker
    stored: int
    command: Command


def let_trackers_speak(console: Console, sample: SampleFleet, day: date) -> list[SpokenProtocol]:
    """Send the day of one tracker for each protocol, an alarm and a command; return what came of it."""
    devices = ensure_sample_trackers(sample.fleet)
    with _running({protocol: simulated_tracker(protocol, HOST) for protocol in devices}) as trackers:
        sent = {
            protocol: _send_day(tracker, FIRST_VEHICLE + number, day, sample)
            for number, (protocol, tracker) in enumerate(trackers.items())
        }
        wanted = sum(sent.values())
        stored = Position.objects.filter(device__in=devices.values())
        wait_until(console, _("Waiting for the trackers"), lambda: stored.count() >= wanted, WAIT_SECONDS)
        commands = {protocol: _command(console, device, sample) for protocol, device in devices.items()}
    return [
        SpokenProtocol(
            protocol,
            device,
            trackers[protocol],
            Position.objects.filter(device=device).count(),
            commands[protocol],
        )
        for protocol, device in devices.items()
    ]


@contextmanager
def _running(trackers: dict[str, SimulatedTracker]) -> Iterator[dict[str, SimulatedTracker]]:
    for tracker in trackers.values():
        tracker.start()
    try:
        yield trackers
    finally:
        for tracker in trackers.values():
            tracker.stop()


def _send_day(tracker: SimulatedTracker, vehicle: int, day: date, sample: SampleFleet) -> int:
    """Send a day, then where it is now with the SOS button pressed; return how many positions those are."""
    reports = day_of_reports(vehicle, day, every_seconds=EVERY_SECONDS, zone=sample.fleet.zone)
    now = datetime.now(UTC).replace(microsecond=0)
    tracker.send([*reports, replace(reports[-1], at=now, speed_kph=0.0, alarm="sos")])
    return len(reports) + 1


def _command(console: Console, device: Device, sample: SampleFleet) -> Command:
    """Send a command to the device as the operator, and wait for what becomes of it."""
    wait_until(console, _("Waiting for the trackers"), lambda: session_of(device.unique_id) is not None, WAIT_SECONDS)
    offered = {one.name for one in offered_types(device, sample.operator)}
    name = next((name for name in COMMANDS if name in offered), None)
    if name is None:
        raise CommandError(_("No command can be sent to %(device)s.") % {"device": device.name})
    parameters = {"interval_seconds": EVERY_SECONDS} if name == "position_interval" else {}
    command = request_command(device=device, type=name, parameters=parameters, user=sample.operator)

    def is_ended() -> bool:
        command.refresh_from_db()
        return command.state in ENDED

    wait_until(console, _("Waiting for the answer to a command"), is_ended, WAIT_SECONDS)
    return command


def trackers_table(spoken: list[SpokenProtocol]) -> Table:
    """Return the table of the protocols that spoke."""
    table = Table(title=_("Trackers through the gateway"), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in (_("Protocol"), _("Tracker")):
        table.add_column(name, no_wrap=True)
    for name in (_("Frames"), _("Stored"), _("Acknowledged")):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(_("Command: answer"))
    for one in spoken:
        figures = one.tracker.figures
        answer = one.command.answer or one.command.get_state_display()
        table.add_row(
            f"{one.protocol} {one.tracker.encoder.transport.upper()}",
            one.device.unique_id,
            f"{figures.packets:,}",
            f"{one.stored:,}",
            f"{figures.acknowledged:,}",
            f"{one.command.get_type_display()}: {answer}",
        )
    return table
