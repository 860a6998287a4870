"""Sending of commands: at most once, never late, never unsafe, one after the other."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from tasks_app.ingest.trackers.base import InvalidCommand
from tasks_app.models import AuditEntry, Command, CommandAttempt, CommandWay
from tasks_app.services.commands import NothingWritten, cancel_command, send_next, sweep_commands
from tests.support.cluster import wait_until
from tests.support.commands import HeldWay, a_fix, ask, encode, long_ago, send, state_of, use_ways
from tests.support.faults import using_queue_redis
from tests.support.threads import in_threads

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("way")]


def sweep(after_seconds: float = 0) -> dict[str, int]:
    return {
        name: number
        for name, number in sweep_commands(now=timezone.now() + timedelta(seconds=after_seconds)).items()
        if number
    }


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


# --- Repetition ---


def test_what_was_not_written_is_tried_again_whatever_its_type(device, manager, wire):
    a_fix(device)
    command = ask(device, manager, "engine_stop")
    wire.fault = NothingWritten("closed")
    assert send(command, wire).result == "again"
    assert state_of(command) == ("queued", "not_written: closed")
    assert send(command, wire).result == "busy"  # not before some seconds
    long_ago(command, next_attempt_at=1)
    wire.fault = None
    assert send(command, wire).result == "sent"
    assert len(wire.written) == 1


@pytest.mark.parametrize(
    ("type_name", "state"), [("engine_stop", "unconfirmed"), ("reboot", "unconfirmed"), ("position_request", "queued")]
)
def test_what_may_have_been_written_is_repeated_only_if_idempotent(device, manager, wire, type_name, state):
    a_fix(device)
    command = ask(device, manager, type_name)
    wire.fault = OSError("broken pipe")
    assert send(command, wire).result == "unknown"
    assert state_of(command) == (state, "unknown: OSError: broken pipe")


def test_each_attempt_has_its_own_token(device, operator, wire):
    command = ask(device, operator)
    wire.fault = OSError("broken pipe")
    for _attempt in range(3):
        send(command, wire)
        long_ago(command, next_attempt_at=1)
    assert state_of(command)[0] == "unconfirmed"
    assert len(set(wire.tokens)) == 3
    assert all(len(token) == 4 for token in wire.tokens)


def test_a_token_that_only_names_the_time_is_another_one_too(device, operator, wire):
    def encode_time(outgoing):
        made = encode(outgoing)
        return type(made)(made.data, made.text, token=outgoing.now.strftime("%H%M%S"))

    for _command in range(3):
        command = ask(device, operator)
        send(command, wire, encode=encode_time)
        Command.objects.filter(pk=command.pk).update(state="done")
    assert len(set(wire.tokens)) == 3


def test_a_command_left_by_its_sender_ends_as_its_type_demands(device, make_device, manager, wire):
    a_fix(device)
    stop, ask_position = ask(device, manager, "engine_stop"), ask(make_device(), manager)
    for command in (stop, ask_position):
        # Its process ended after it had noted the attempt: nobody knows whether it wrote.
        Command.objects.filter(pk=command.pk).update(state="sending")
        CommandAttempt.objects.create(command=command, number=1, way="session", data=b"x", started_at=timezone.now())
    assert sweep() == {}
    assert sweep(16) == {"lost": 2}
    assert state_of(stop) == ("unconfirmed", "sender_lost")
    assert state_of(ask_position) == ("queued", "sender_lost")
    assert set(CommandAttempt.objects.values_list("error", flat=True)) == {"sender_lost"}


def test_an_unanswered_command_is_unconfirmed_and_lets_the_next_one_go(device, operator, wire, way):
    first, second = ask(device, operator), ask(device, operator)
    send(first, wire)
    assert sweep(59) == {}
    assert sweep(61)["unanswered"] == 1
    assert state_of(first) == ("unconfirmed", "no_answer")
    send_next(device_pk=device.pk, now=timezone.now())
    assert way.taken == [second.pk]


def test_the_sweep_has_those_sent_that_wait(device, operator, way, run_jobs):
    command = ask(device, operator)
    assert sweep() == {"tried": 1}
    run_jobs("notifications")
    assert set(way.taken) == {command.pk}
    assert sweep() == {}  # just tried
    assert sweep(11) == {"tried": 1}


def test_a_device_that_is_away_is_looked_for_less_often(device, operator, way):
    way.is_open = False
    ask(device, operator)
    send_next(device_pk=device.pk, now=timezone.now())
    assert sweep(60) == {}
    assert sweep(121) == {"tried": 1}


# --- Two at once ---


@pytest.mark.django_db(transaction=True)
def test_a_sender_that_wakes_up_after_it_was_given_up_writes_nothing(device, manager, wire):
    a_fix(device)
    command = ask(device, manager, "engine_stop")

    def encode_and_fall_asleep(outgoing):
        transaction.on_commit(lambda: sweep(16))
        return encode(outgoing)

    assert send(command, wire, encode=encode_and_fall_asleep).result == "busy"
    assert (state_of(command), wire.written) == (("unconfirmed", "sender_lost"), [])


@pytest.mark.django_db(transaction=True)
def test_of_many_senders_of_one_command_one_writes(device, operator, wire):
    command = ask(device, operator)
    in_threads(*[lambda: send(command, wire)] * 6)
    assert len(wire.written) == 1
    assert command.attempts.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_senders_of_many_commands_of_one_device_one_writes(device, operator, wire):
    commands = [ask(device, operator) for _number in range(5)]
    in_threads(*[lambda one=one: send(one, wire) for one in commands])
    assert len(wire.written) == 1
    assert sorted(Command.objects.values_list("state", flat=True)) == ["queued"] * 4 + ["sent"]


@pytest.mark.django_db(transaction=True)
def test_a_lock_that_is_held_until_the_expiry_sends_nothing(device, operator, wire):
    command = ask(device, operator)
    Command.objects.filter(pk=command.pk).update(expires_at=timezone.now() + timedelta(seconds=0.7))

    def hold():
        with transaction.atomic():
            Command.objects.select_for_update().get(pk=command.pk)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(1)")

    def send_while_it_is_held():
        wait_until(lambda: _is_locked(command.pk), what="the row to be locked")
        send(command, wire)

    in_threads(hold, send_while_it_is_held)
    assert (state_of(command)[0], wire.written) == ("expired", [])


@pytest.mark.django_db(transaction=True)
def test_a_database_that_goes_away_after_the_bytes_went_takes_note_when_it_is_back(device, manager, wire):
    a_fix(device)
    command = ask(device, manager, "engine_stop")
    pid = connection.connection.info.backend_pid
    wire.meanwhile = lambda: in_threads(lambda: terminate(pid))
    assert send(command, wire).result == "sent"
    assert state_of(command) == ("sent", "")
    assert (len(wire.written), command.attempts.get().error) == (1, "")
    assert send(command, wire).result == "busy"


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_before_the_bytes_go_sends_nothing(device, manager, wire):
    a_fix(device)
    command = ask(device, manager, "engine_stop")
    pid = connection.connection.info.backend_pid

    def encode_and_lose_the_database(outgoing):
        in_threads(lambda: terminate(pid))
        return encode(outgoing)

    with pytest.raises(DatabaseError):
        send(command, wire, encode=encode_and_lose_the_database)
    connection.close()
    assert (state_of(command), wire.written) == (("queued", ""), [])


@pytest.mark.django_db(transaction=True)
def test_a_redis_that_is_away_delays_a_command_and_loses_none(device, operator, way, run_jobs, settings):
    with using_queue_redis(settings, "redis://127.0.0.1:1/0"):
        command = ask(device, operator)
        assert sweep() == {}
    assert sweep() == {"tried": 1}
    run_jobs("notifications")
    assert set(way.taken) == {command.pk}


@pytest.mark.django_db(transaction=True)
def test_a_command_that_is_being_written_is_not_cancelled_under_it(device, operator, wire):
    command = ask(device, operator)
    outcomes = []

    def cancel():
        try:
            cancel_command(command, operator)
        except Exception as error:  # noqa: BLE001 - looked at below
            outcomes.append(getattr(error, "code", error))

    wire.meanwhile = lambda: in_threads_started(cancel)
    send(command, wire)
    wait_until(lambda: outcomes == ["too_late"], what="the cancelling to be refused")
    assert state_of(command)[0] == "sent"


def in_threads_started(call) -> None:
    """Start it, and leave it to wait for the lock."""

    def run():
        try:
            call()
        finally:
            connection.close()

    threading.Thread(target=run, daemon=True).start()


def terminate(backend_pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [backend_pid])


def _is_locked(pk: int) -> bool:
    with transaction.atomic():
        return not Command.objects.select_for_update(skip_locked=True).filter(pk=pk).exists()
