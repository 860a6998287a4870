"""Redis and PostgreSQL away from a gateway, its trackers of every protocol and a cluster: for seconds, or OUTAGE_SECONDS."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from django_q.models import Schedule

from tasks_app.models import Command, CommandAttempt, Device, FleetRole, Position, QuarantinedFix
from tasks_app.services.commands import request_command
from tests.support.cluster import running_cluster, wait_until
from tests.support.faults import outage_seconds
from tests.support.route_cases import member
from tests.support.tracker_gateway import SPOKEN, identifier_of, running_gateway, running_trackers
from trackerproject.dev.simulated_trackers import Report, SimulatedTracker

pytestmark = pytest.mark.django_db(transaction=True)

REPORTS = 40
# A text that the simulated tracker of each protocol takes; {id} is its identifier.
TEXTS = {
    "teltonika": "getinfo",
    "gt06": "PARAM#",
    "suntech": "ST300CMD;{id};02;StatusReq",
    "queclink": "AT+GTRTO=gv300,1,,,,,,0A1B$",
    "h02": "S17,60",
    "coban": "L",
    "jt808": "hello",
}
GOOD = ("done", "acknowledged")
# The schedules of an installation that take up what an outage left, more often than there.
SCHEDULED = ("drain_position_inbox", "sweep_device_commands")


@dataclass
class Traffic:
    """Trackers, what they were given to send, and how many commands each is to have heard."""

    trackers: dict[str, SimulatedTracker]
    devices: dict[str, Device]
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3))
    sent: dict[str, set[datetime]] = field(default_factory=dict)
    commands: int = 0

    def send(self) -> None:
        """Give each tracker further reports, a second apart."""
        for protocol, tracker in self.trackers.items():
            known = self.sent.setdefault(protocol, set())
            times = [self.began_at + timedelta(seconds=len(known) + step) for step in range(REPORTS)]
            tracker.send([Report(at, -23.55 + len(known) * 1e-5, -46.63) for at in times])
            known.update(times)

    def missing(self) -> dict[str, int]:
        """Return how many reports of each protocol are not stored yet."""
        stored = {
            protocol: set(Position.objects.filter(device=device).values_list("fix_time", flat=True))
            for protocol, device in self.devices.items()
        }
        return {name: count for name, times in self.sent.items() if (count := len(times - stored[name]))}

    def heard(self) -> dict[str, int]:
        return {protocol: len(tracker.figures.commands) for protocol, tracker in self.trackers.items()}


@pytest.fixture
def devices(make_device) -> dict[str, Device]:
    return {
        protocol: make_device(unique_id=identifier_of(protocol, number), name=f"Van {number}")
        for number, protocol in enumerate(SPOKEN)
    }


def test_no_fix_is_lost_and_no_command_is_late_or_repeated_when_redis_or_postgresql_or_both_are_away(
    valkey, postgres_wire, devices, fleet, make_user, tmp_path
):
    manager = member(make_user, fleet, FleetRole.MANAGER)
    outages: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
        "redis": (valkey.kill, valkey.start),
        "postgresql": (postgres_wire.cut_off, postgres_wire.connect),
        "both, frozen": (
            lambda: (valkey.signal(signal.SIGSTOP), postgres_wire.freeze()),
            lambda: (valkey.signal(signal.SIGCONT), postgres_wire.thaw()),
        ),
    }
    database = {"DATABASE_URL": postgres_wire.url}
    common = {"schedule_type": "C", "cron": "* * * * * */2", "repeats": -1, "next_run": timezone.now()}
    Schedule.objects.bulk_create([Schedule(name=task, func=task, **common) for task in SCHEDULED])
    with (
        running_cluster(tmp_path, "--name", "positions", "--name", "notifications", **database),
        running_gateway(tmp_path, **database) as gateway,
        running_trackers(
            gateway,
            {protocol: device.unique_id for protocol, device in devices.items()},
            heartbeat_seconds=5.0,
            answer_seconds=1.5,
        ) as trackers,
    ):
        traffic = Traffic(trackers, devices)
        traffic.send()
        wait_until(lambda: not traffic.missing(), 40, lambda: f"{traffic.missing()}: {gateway.log.read_text()}")
        for name, (away, back) in outages.items():
            an_outage(name, away, back, traffic, manager)
        assert not QuarantinedFix.objects.exists()


def an_outage(name: str, away: Callable[[], None], back: Callable[[], None], traffic: Traffic, manager) -> None:
    """Take servers away and bring them back, while reports are sent, and commands fall due, expire and are asked for."""
    seconds = outage_seconds(4)
    due_at = datetime.now(UTC) + timedelta(seconds=seconds / 2)
    lasting, dying = commands_due_at(due_at, traffic.devices, manager)
    Command.objects.filter(pk__in=dying).update(expires_at=due_at + timedelta(seconds=seconds / 4))
    away()
    began = time.monotonic()
    try:
        traffic.send()
        lasting += [asked_for(protocol, device, manager) for protocol, device in list(traffic.devices.items())[:1]]
        wait_until(lambda: time.monotonic() - began > seconds, seconds + 5, "the outage to be over")
        sent = CommandAttempt.objects.filter(command__in=[*lasting, *dying], sent_at__isnull=False)
        assert not sent.exists(), name
    finally:
        back()
    traffic.send()
    wait_until(lambda: not traffic.missing(), 60, lambda: f"after {name}: {traffic.missing()} to be stored")

    waiting = Command.objects.filter(pk__in=[*lasting, *dying]).exclude(state__in=[*GOOD, "expired"])
    wait_until(lambda: not waiting.exists(), 60, lambda: f"after {name}: {states_of(lasting)}")
    assert {state for _, _, state, _ in states_of(dying)} == {"expired"}, name
    assert {state for _, _, state, _ in states_of(lasting)} <= set(GOOD), name
    assert not CommandAttempt.objects.filter(command__in=dying).exists(), name
    good = Command.objects.filter(state__in=GOOD)
    assert traffic.heard() == {name: good.filter(device=one).count() for name, one in traffic.devices.items()}, name


def commands_due_at(due_at: datetime, devices: dict[str, Device], manager) -> tuple[list[int], list[int]]:
    """Ask each device for a stop that holds for minutes, and a text; return their keys."""
    stops, texts = [], []
    for protocol, device in devices.items():
        options = {"user": manager, "typed_name": device.name, "reason": "stolen", "not_before": due_at}
        stop = request_command(
            device=device, type="engine_stop", parameters={}, expires_in_seconds=300, is_override=True, **options
        )
        text = {"text": TEXTS[protocol].format(id=device.unique_id)}
        texts.append(request_command(device=device, type="custom", parameters=text, **options).pk)
        stops.append(stop.pk)
    return stops, texts


def asked_for(protocol: str, device: Device, manager) -> int:
    text = {"text": TEXTS[protocol].format(id=device.unique_id)}
    return request_command(
        device=device, type="custom", parameters=text, user=manager, typed_name=device.name, reason="stolen"
    ).pk


def states_of(pks: list[int]) -> list[tuple[str, str, str, str]]:
    rows = Command.objects.filter(pk__in=pks).order_by("pk")
    return list(rows.values_list("device__unique_id", "type", "state", "state_reason"))
