"""Commands through the connection that a gateway holds, from the request to the answer."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from tasks_app.ingest.trackers.registry import PROTOCOLS
from tasks_app.models import AuditEntry, Command, CommandAttempt, CommandState, Device, DeviceAccess, Event
from tasks_app.queries.trackers import raw_frames, session_of
from tasks_app.services.commands import request_command
from tasks_app.services.trackers import hand_command
from tests.support.cluster import wait_until
from tests.support.gateway import Tracker, running_gateway
from tests.support.line_protocol import LINES

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def lines(monkeypatch):
    monkeypatch.setitem(PROTOCOLS, LINES.name, LINES)


@pytest.fixture
def gateway():
    with running_gateway() as running:
        yield running


@pytest.fixture
def request_position(device, staff):
    DeviceAccess.objects.create(device=device, protocol=LINES.name)
    return lambda: request_command(device=device, type="position_request", parameters={}, user=staff)


def state_is(command: Command, state: str) -> bool:
    command.refresh_from_db()
    return command.state == state


def test_a_command_reaches_the_connection_and_its_answer_ends_it(gateway, device, request_position, run_jobs):
    with Tracker(gateway.tcp_port) as tracker:
        assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
        command = request_position()
        run_jobs("notifications")
        word, number, name = tracker.line().split(" ")
        assert (word, name) == ("CMD", "position_request")
        wait_until(lambda: state_is(command, CommandState.SENT), what="the command to count as sent")
        attempt = command.attempts.get()
        assert (attempt.way, attempt.token, attempt.address) == ("session", number, "127.0.0.1")
        tracker.send(f"ANSWER {number} here I am")
        assert tracker.ask("BEAT") == "BEAT"
        run_jobs("notifications")
        assert state_is(command, CommandState.DONE)
        assert command.answer == "here I am"


def test_the_relay_in_a_frame_without_a_place_ends_a_command_that_switched_it(gateway, device, staff, run_jobs):
    DeviceAccess.objects.create(device=device, protocol=LINES.name)
    with Tracker(gateway.tcp_port) as tracker:
        assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
        assert tracker.ask("RELAY 0") == "RELAY"
        command = request_command(device=device, type="engine_resume", parameters={}, user=staff)
        run_jobs("notifications")
        assert tracker.line().endswith("engine_resume")
        wait_until(lambda: state_is(command, CommandState.SENT), what="the command to count as sent")
        for cut, state in (("1", CommandState.SENT), ("0", CommandState.DONE)):
            assert tracker.ask(f"RELAY {cut}") == "RELAY"
            run_jobs("notifications")
            assert state_is(command, state)
        assert command.state_reason == "effect_seen"


def test_a_command_is_as_the_device_s_settings_say_now_and_its_password_is_kept_nowhere(
    gateway, device, request_position, run_jobs
):
    with Tracker(gateway.tcp_port) as tracker:
        assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
        access = DeviceAccess.objects.get(device=device)
        access.relay_variant, access.password = "lined", "s3cr3t!"
        access.save()
        command = request_position()
        run_jobs("notifications")
        assert tracker.line().split(" ")[2:] == ["position_request", "lined", "s3cr3t!"]
        wait_until(lambda: state_is(command, CommandState.SENT), what="the command to count as sent")
        wait_until(lambda: any(one.note == "command" for one in raw_frames(device.unique_id)), what="its frame")
        kept = [*raw_frames(device.unique_id), *AuditEntry.objects.values(), *CommandAttempt.objects.values()]
        assert "position_request …" in repr(kept)
        for form in (b"s3cr3t!", b"s3cr3t!".hex(" ").encode()):
            assert form.decode() not in repr(kept)
        assert not any(b"s3cr3t!" in bytes(one.data) for one in CommandAttempt.objects.all())
        # Some trackers say it themselves.
        tracker.send(f"ANSWER {CommandAttempt.objects.get().token} PWD:s3cr3t!,ID:0s3cr3t!0", "ANSWER 9 s3cr3t!,OK")
        assert tracker.ask("BEAT") == "BEAT"
        run_jobs("notifications")
        assert CommandAttempt.objects.get().answer == "PWD:…,ID:0s3cr3t!0"
        shown = repr([*AuditEntry.objects.values(), *Command.objects.values(), *Event.objects.values()])
        assert "…,OK" in shown
        assert "s3cr3t!" not in shown.replace("0s3cr3t!0", "")


def test_a_command_that_waits_is_sent_when_its_tracker_connects(gateway, device, request_position, run_jobs):
    command = request_position()
    run_jobs("notifications")
    assert state_is(command, CommandState.QUEUED)
    with Tracker(gateway.tcp_port) as tracker:
        assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
        wait_until(lambda: run_jobs("notifications"), what="the job that sends it")
        assert tracker.line().startswith("CMD ")
        wait_until(lambda: state_is(command, CommandState.SENT), what="the command to count as sent")


def test_a_command_is_written_to_exactly_the_session_it_was_handed_to(gateway, device, request_position):
    command = request_position()
    with Tracker(gateway.tcp_port) as tracker:
        assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
        former = session_of(device.unique_id)
    with Tracker(gateway.tcp_port) as tracker:
        assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
        assert not hand_command(former, command.pk)
        assert hand_command(session_of(device.unique_id), command.pk)
        assert tracker.line().startswith("CMD ")
    wait_until(lambda: session_of(device.unique_id) is None, what="the session to end")
    assert not hand_command(former, command.pk)
    assert command.attempts.count() == 1


def test_nothing_is_written_to_a_tracker_that_was_given_to_another_vehicle(
    gateway, device, make_device, request_position
):
    command, identifier = request_position(), device.unique_id
    with Tracker(gateway.tcp_port) as tracker:
        assert tracker.ask(f"LOGIN {identifier}") == "OK"
        Device.objects.filter(pk=device.pk).update(unique_id="former")
        make_device(unique_id=identifier)
        assert hand_command(session_of(identifier), command.pk)
        wait_until(lambda: command.attempts.exclude(error="").exists(), what="the attempt to end")
        assert tracker.ask("BEAT") == "BEAT"
    assert "another vehicle" in command.attempts.get().error
    assert state_is(command, CommandState.QUEUED)


def test_nothing_is_written_to_a_tracker_that_does_not_read(device, request_position, run_jobs):
    with running_gateway(frames_per_minute=10**9) as gateway, Tracker(gateway.tcp_port) as tracker:
        assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
        tracker.socket.settimeout(0.3)
        link = gateway.gateway.shared.sessions.by_device[device.unique_id]
        began = time.monotonic()
        while not link.has_unsent() and time.monotonic() - began < 60:
            with suppress(TimeoutError):
                tracker.socket.sendall(b"BEAT\n" * 2000)
        command = request_position()
        run_jobs("notifications")
        attempt = wait_until(lambda: command.attempts.exclude(error="").first(), what="the attempt to end")
        assert attempt.sent_at is None
        assert "not_written" in attempt.error
        assert state_is(command, CommandState.QUEUED)
