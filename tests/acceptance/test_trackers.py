"""A simulated tracker of each protocol through a real gateway: stored, alarmed, told what to do; and the gateway killed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tasks_app.models import Command, Device, Event, EventKind, FleetRole, Position
from tasks_app.queries.position_buffer import buffer_size
from tasks_app.queries.trackers import connected_trackers
from tasks_app.services.commands import request_command, sweep_commands
from tasks_app.services.intake import ask_for_drains
from tests.support.cluster import running_cluster, wait_until
from tests.support.mail import running_mail_sink
from tests.support.notifications import make_rule
from tests.support.route_cases import member
from tests.support.tracker_gateway import (
    SPOKEN,
    a_drive,
    identifier_of,
    running_gateway,
    running_trackers,
    transport_of,
)
from trackerproject.dev.simulated_trackers import ENCODERS

pytestmark = pytest.mark.django_db(transaction=True)
QUEUES = ("--name", "positions", "--name", "notifications")
DRIVE = 40


@pytest.fixture
def devices(make_device) -> dict[str, Device]:
    """A device for each protocol."""
    return {
        protocol: make_device(unique_id=identifier_of(protocol, number), name=f"Van {number}")
        for number, protocol in enumerate(SPOKEN)
    }


def places(rows) -> list[tuple[datetime, float, float]]:
    return [(row[0], round(row[1], 4), round(row[2], 4)) for row in rows]


def stored(device: Device) -> list[tuple[datetime, float, float]]:
    rows = Position.objects.filter(device=device).order_by("fix_time")
    return places(rows.values_list("fix_time", "latitude", "longitude"))


def identifiers(devices: dict[str, Device]) -> dict[str, str]:
    return {protocol: device.unique_id for protocol, device in devices.items()}


def test_what_a_tracker_of_each_protocol_sends_is_stored_alarms_by_e_mail_and_its_command_is_done(
    tmp_path, fleet, make_user, devices
):
    manager = member(make_user, fleet, FleetRole.MANAGER)
    manager.email = "manager@example.org"
    manager.save()
    make_rule(fleet, [manager], kinds=[EventKind.ALARM])
    with running_mail_sink() as mail:
        mails = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(mail.port)}
        with (
            running_cluster(tmp_path, *QUEUES, **mails),
            running_gateway(tmp_path) as gateway,
            running_trackers(gateway, identifiers(devices)) as trackers,
        ):
            sent = {}
            for number, (protocol, tracker) in enumerate(trackers.items()):
                reports = a_drive(number, DRIVE)
                # The last: it stands, and its driver presses the button.
                reports[-1] = replace(reports[-1], speed_kph=0.0, alarm="sos")
                tracker.send(reports)
                sent[protocol] = places((one.at, one.latitude, one.longitude) for one in reports)
            for protocol, device in devices.items():
                wait_until(lambda device=device: len(stored(device)) >= DRIVE, 40, f"{protocol}: {gateway.log}")
                assert stored(device) == sent[protocol], protocol
                assert trackers[protocol].left == 0, protocol
            alarmed = Event.objects.filter(kind=EventKind.ALARM, data__alarm__icontains="sos")
            assert set(alarmed.values_list("device_id", flat=True)) == {one.pk for one in devices.values()}
            wait_until(lambda: len(mail.messages) >= len(devices), 30, "an e-mail for each alarm")
            texts = " ".join(str(one["Subject"]) for one in mail.messages)
            assert all(device.name in texts for device in devices.values())
            assert {one.device_pk for one in connected_trackers()} == {one.pk for one in devices.values()}
            assert done_states(devices, manager) == dict.fromkeys(devices, "done")
            assert {name for name, tracker in trackers.items() if not tracker.is_relay_cut} == set()


def done_states(devices: dict[str, Device], manager) -> dict[str, str]:
    """Stop the engine of each device; return what became of the commands."""
    commands = {
        protocol: request_command(
            device=device, type="engine_stop", parameters={}, user=manager, typed_name=device.name, reason="stolen"
        )
        for protocol, device in devices.items()
    }

    def are_done() -> bool:
        sweep_commands(now=datetime.now(UTC))
        return not Command.objects.exclude(state="done").exists()

    with suppress(AssertionError):
        wait_until(are_done, 30)
    return {protocol: Command.objects.get(pk=one.pk).state for protocol, one in commands.items()}


def test_a_gateway_that_is_killed_again_and_again_loses_nothing_that_trackers_keep_and_doubles_nothing(
    tmp_path, devices
):
    with (
        running_cluster(tmp_path, "--name", "positions"),
        running_gateway(tmp_path) as gateway,
        running_trackers(gateway, identifiers(devices), answer_seconds=3.0) as trackers,
    ):
        drives = {protocol: a_drive(number, 300, every_seconds=1) for number, protocol in enumerate(trackers)}
        sent = {protocol: [one.at for one in reports] for protocol, reports in drives.items()}
        for turn in range(3):
            for protocol, tracker in trackers.items():
                tracker.send(drives[protocol][turn * 100 : turn * 100 + 100])
            wait_until(lambda: any(tracker.figures.acknowledged > 20 for tracker in trackers.values()), 20)
            gateway.kill()
            gateway.start()
        kept = [name for name in devices if transport_of(name) in ENCODERS[name].acknowledged_on]
        wait_until(lambda: not any(trackers[name].left for name in kept), 60, "the trackers to have sent all")
        for protocol in kept:
            device, wanted = devices[protocol], set(sent[protocol])

            def missing(device: Device = device, wanted: set[datetime] = wanted) -> list[datetime]:
                # A gateway that was killed after it wrote to the buffer and before it asked for a drain leaves that to the
                # schedule, which does not run here.
                ask_for_drains()
                return sorted(wanted - {at for at, _, _ in stored(device)})

            wait_until(
                lambda missing=missing: not missing(),
                40,
                lambda protocol=protocol, missing=missing: (
                    f"{protocol}: {buffer_size()} in the buffer, not stored: {missing()}, {trackers[protocol].figures}"
                ),
            )
        for protocol, device in devices.items():
            times = [at for at, _, _ in stored(device)]
            assert len(times) == len(set(times)), protocol
            assert set(times) <= set(sent[protocol]), protocol
