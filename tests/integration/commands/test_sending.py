"""Sending of commands: at most once, never late, never unsafe, one after the other."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tasks_app.ingest.fix import Fix
from tasks_app.ingest.trackers.base import InvalidCommand
from tasks_app.models import AuditEntry, Command, CommandWay, FleetMembership
from tasks_app.services.commands import NothingWritten, send_next
from tasks_app.services.intake import add_to_buffer
from tests.support.commands import HeldWay, a_fix, ask, encode, long_ago, send, state_of, sweep, use_ways

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("way")]


def test_a_sent_command_has_its_bytes_noted_and_is_not_done(device, operator, wire):
    command = ask(device, operator)
    assert send(command, wire).result == "sent"
    assert state_of(command) == ("sent", "")
    attempt = command.attempts.get()
    assert bytes(attempt.data) == wire.written[0].data == b"position_request {}"
    assert (attempt.token, attempt.name, attempt.address) == (wire.tokens[0], "position_request", "192.0.2.7:5004")
    assert attempt.sent_at == command.sent_at
    entry = AuditEntry.objects.get(verb="send_command")
    assert (entry.user_id, entry.changes["bytes"]) == (operator.pk, b"position_request {}".hex(" "))


@pytest.mark.parametrize("loss", ["left", "viewer", "inactive", "deleted"])
def test_what_waits_is_not_sent_once_its_person_may_not_send_it(loss, device, operator, wire):
    command = ask(device, operator)
    if loss == "left":
        FleetMembership.objects.filter(user=operator).delete()
    elif loss == "viewer":
        FleetMembership.objects.filter(user=operator).update(role="viewer")
    elif loss == "deleted":
        operator.delete()
    else:
        operator.is_active = False
        operator.save()
    assert send(command, wire).result == "ended"
    assert state_of(command) == ("failed", "right_lost")
    assert wire.written == []


def test_a_second_sender_writes_nothing(device, operator, wire):
    command = ask(device, operator)
    send(command, wire)
    assert send(command, wire).result == "busy"
    assert len(wire.written) == 1


def test_one_command_of_a_device_is_outstanding_at_a_time(device, make_device, operator, wire):
    first, second, other = ask(device, operator), ask(device, operator), ask(make_device(), operator)
    send(first, wire)
    assert send(second, wire).result == "busy"
    assert send(other, wire).result == "sent"
    assert state_of(second) == ("queued", "")


def test_the_next_command_is_chosen_by_priority_then_time(device, operator, way):
    ask(device, operator)
    urgent = ask(device, operator, priority=5)
    assert send_next(device_pk=device.pk, now=timezone.now()) == {"command": urgent.pk, "way": "session"}
    assert way.taken == [urgent.pk]


def test_a_command_goes_its_own_way_or_none(device, operator, way, monkeypatch):
    poll = HeldWay()
    poll.name = "poll"
    use_ways(monkeypatch, way, poll)
    command = ask(device, operator, way="poll")
    poll.is_open = False
    assert send_next(device_pk=device.pk, now=timezone.now()) == {"waiting": 1}
    assert state_of(command) == ("queued", "no_way")
    poll.is_open = True
    assert send_next(device_pk=device.pk, now=timezone.now()) == {"command": command.pk, "way": "poll"}
    assert state_of(command) == ("queued", "")


def test_the_next_way_of_the_chain_gets_what_the_first_could_not_write(device, operator, way, wire, monkeypatch):
    sms = HeldWay()
    sms.name = "sms"
    use_ways(monkeypatch, way, sms)
    command = ask(device, operator)
    wire.fault = NothingWritten("closed")
    assert send(command, wire).result == "again"
    long_ago(command, next_attempt_at=1)
    assert send_next(device_pk=device.pk, now=timezone.now()) == {"command": command.pk, "way": "sms"}


def test_a_command_that_is_not_due_waits(device, operator, wire, way):
    command = ask(device, operator, not_before=timezone.now() + timedelta(hours=1))
    assert send_next(device_pk=device.pk, now=timezone.now()) == {"waiting": 1}
    assert send(command, wire).result == "busy"
    assert way.taken == []
    assert wire.written == []
    assert command.expires_at - command.not_before == timedelta(seconds=600)


def test_a_request_has_its_command_sent_by_a_job(device, operator, way, run_jobs, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        command = ask(device, operator)
    run_jobs("notifications")
    assert way.taken == [command.pk]


# --- Expiry ---


def test_nothing_is_sent_after_its_expiry(device, operator, wire):
    command = ask(device, operator)
    long_ago(command, expires_at=1)
    assert send(command, wire).result == "ended"
    assert (state_of(command), wire.written) == (("expired", "expired"), [])


def test_a_clock_of_a_sender_that_is_behind_keeps_nothing_alive(device, operator, wire):
    command = ask(device, operator)
    long_ago(command, expires_at=1)
    send(command, wire, now=lambda: timezone.now() - timedelta(days=1))
    assert (state_of(command)[0], wire.written) == ("expired", [])


def test_a_clock_of_a_sender_that_is_ahead_counts_too(device, operator, wire):
    command = ask(device, operator)
    send(command, wire, now=lambda: timezone.now() + timedelta(days=1))
    assert (state_of(command)[0], wire.written) == ("expired", [])


def test_a_clock_that_is_moved_between_noting_and_writing_is_noticed(device, operator, wire):
    command = ask(device, operator)
    readings = iter([timezone.now(), timezone.now(), timezone.now() + timedelta(hours=1)])
    last = timezone.now() + timedelta(hours=1)
    send(command, wire, now=lambda: next(readings, last))
    assert (state_of(command)[0], wire.written) == ("expired", [])
    assert command.attempts.get().error == "expired"


def test_the_expiry_is_given_to_whoever_writes(device, operator, wire):
    command, seen = ask(device, operator), []
    send(command, wire, write=lambda encoded, expires_at: seen.append(expires_at))
    assert seen == [command.expires_at]


def test_the_sweep_ends_what_nobody_sent_or_confirmed(device, operator):
    queued, unconfirmed = ask(device, operator), ask(device, operator)
    Command.objects.filter(pk=unconfirmed.pk).update(state="awaiting_confirmation")
    assert sweep(601) == {"expired": 2}
    assert state_of(queued) == ("expired", "expired")
    assert state_of(unconfirmed) == ("expired", "not_confirmed")


# --- Safety ---


@pytest.mark.parametrize(
    ("fix", "why"),
    [({"speed_kph": 50}, "moving"), ({"age_seconds": 90}, "fix_too_old"), ({"speed_kph": None}, "speed_unknown")],
)
def test_a_vehicle_that_drove_off_is_not_stopped(device, manager, wire, fix, why):
    a_fix(device)
    command = ask(device, manager, "engine_stop")
    a_fix(device, **fix)
    assert send(command, wire).result == "ended"
    assert (state_of(command), wire.written) == (("failed", why), [])


@pytest.mark.parametrize("name", CommandWay.values)
def test_no_way_stops_a_moving_vehicle(device, manager, wire, name):
    a_fix(device)
    command = ask(device, manager, "engine_stop")
    a_fix(device, speed_kph=50)
    assert send(command, wire, way=name).result == "ended"
    assert (state_of(command), wire.written) == (("failed", "moving"), [])


def test_a_vehicle_that_drives_off_between_noting_and_writing_is_not_stopped(device, manager, wire):
    a_fix(device)
    command = ask(device, manager, "engine_stop")

    def encode_while_it_drives_off(outgoing):
        a_fix(device, speed_kph=50)
        return encode(outgoing)

    send(command, wire, encode=encode_while_it_drives_off)
    assert (state_of(command), wire.written) == (("failed", "moving"), [])
    assert command.attempts.get().error == "moving"


@pytest.mark.parametrize(
    ("age_seconds", "speed_kph", "state"),
    [(1, 50.0, "failed"), (1, None, "failed"), (1, 0.0, "sent"), (30, 50.0, "sent"), (None, None, "sent")],
)
def test_a_fix_that_waits_to_be_stored_forbids_the_stop_of_a_vehicle(
    device, manager, wire, age_seconds, speed_kph, state
):
    """A tracker that connects sends its fix, and is sent the command that waits, in the same second."""
    a_fix(device)
    command = ask(device, manager, "engine_stop")
    now = timezone.now()
    fixes = [
        Fix("another", now, -23.5, -46.6, 90.0),
        Fix(device.unique_id, now - timedelta(hours=1), -23.5, -46.6, 90.0),
    ]
    if age_seconds is not None:
        fixes.insert(1, Fix(device.unique_id, now - timedelta(seconds=age_seconds), -23.5, -46.6, speed_kph))
    add_to_buffer(fixes, received_at=now)
    send(command, wire)
    assert (state_of(command)[0], len(wire.written)) == (state, int(state == "sent"))


def test_an_override_is_sent_to_a_moving_vehicle(device, manager, wire):
    a_fix(device, speed_kph=80)
    send(ask(device, manager, "engine_stop", is_override=True, reason="stolen"), wire)
    assert len(wire.written) == 1


def test_a_device_that_was_switched_off_gets_nothing(device, operator, wire):
    command = ask(device, operator)
    device.is_active = False
    device.save()
    assert send(command, wire).result == "ended"
    assert (state_of(command), wire.written) == (("failed", "device_inactive"), [])


def test_what_the_protocol_cannot_express_fails_with_its_sentence(device, operator, wire):
    def refuse(outgoing):
        raise InvalidCommand("Only output 1 and 2.")

    command = ask(device, operator)
    assert send(command, wire, encode=refuse).result == "ended"
    assert state_of(command) == ("failed", "not_encodable: Only output 1 and 2.")
