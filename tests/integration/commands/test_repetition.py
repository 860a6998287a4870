"""Repetition of commands: what may be sent again, what was left by its sender, and what was not answered."""

from __future__ import annotations

import pytest
from django.utils import timezone

from tasks_app.models import Command, CommandAttempt
from tasks_app.queries.trackers import SessionDescription
from tasks_app.services.commands import NothingWritten, send_next
from tasks_app.services.trackers import SessionOpening, beat, open_sessions
from tests.support.commands import HeldWay, a_fix, ask, encode, long_ago, send, state_of, sweep, use_ways

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("way")]


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


def test_a_text_with_a_token_of_its_own_is_sent_however_often(device, operator, wire):
    def encode_text(outgoing):
        made = encode(outgoing)
        return type(made)(made.data, made.text, token="00A1")

    for _command in range(2):
        command = ask(device, operator)
        assert send(command, wire, encode=encode_text).result == "sent"
        Command.objects.filter(pk=command.pk).update(state="done")
    assert wire.tokens == ["00A1"] * 2


def test_a_number_that_another_attempt_bore_lately_is_not_used(device, operator, wire):
    """A text may have borne the number that is the next one's turn."""
    first = ask(device, operator)
    send(first, wire)
    Command.objects.filter(pk=first.pk).update(state="done")
    attempt = first.attempts.get()
    CommandAttempt.objects.filter(pk=attempt.pk).update(token=f"{int(attempt.token, 16) + 1:04X}")
    assert send(ask(device, operator), wire).result == "sent"
    first_token, second_token = wire.tokens
    assert int(second_token, 16) - int(first_token, 16) > 1


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


def test_commands_that_may_take_longer_to_be_answered_do_not_keep_others_from_ending(
    device, make_device, operator, wire, way, monkeypatch
):
    slow = HeldWay()
    slow.name, slow.answer_seconds = "sms", 3600.0
    use_ways(monkeypatch, slow, way)
    monkeypatch.setattr("tasks_app.services.commands.sweeping.MOST", 1)
    patient, other = ask(device, operator), ask(make_device(), operator)
    send(patient, wire, way="sms")
    send(other, wire)
    assert sweep(61)["unanswered"] == 1
    assert (state_of(patient)[0], state_of(other)) == ("sent", ("unconfirmed", "no_answer"))
    assert sweep(3601)["unanswered"] == 1


def test_commands_whose_effect_is_a_later_one_s_do_not_keep_others_from_being_done(
    device, make_device, operator, wire, monkeypatch
):
    monkeypatch.setattr("tasks_app.services.commands.sweeping.MOST", 1)
    commands = []
    for seconds_ago, one in zip((300, 200, 100), (device, device, make_device()), strict=True):
        commands.append(ask(one, operator))
        send(commands[-1], wire)
        long_ago(commands[-1], sent_at=seconds_ago)
        Command.objects.filter(pk=commands[-1].pk).update(state="unconfirmed")
        a_fix(one)
    assert [sweep(), sweep(), sweep()] == [{"effects": 1}, {"effects": 1}, {}]
    assert [state_of(command)[0] for command in commands] == ["unconfirmed", "done", "done"]


def test_the_sweep_has_all_of_many_tried_in_turn(device, make_device, operator, way, run_jobs, monkeypatch):
    monkeypatch.setattr("tasks_app.services.commands.sweeping.MOST", 1)
    commands = [ask(one, operator) for one in (device, make_device(), make_device())]
    for _turn in commands:
        assert sweep() == {"tried": 1}
        run_jobs("notifications")
        long_ago(Command.objects.get(pk=way.taken[-1]), last_tried_at=60)
    assert set(way.taken) == {command.pk for command in commands}


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


@pytest.mark.parametrize(("is_connected", "tried_seconds_ago", "tried"), [(True, 20, 1), (True, 5, 0), (False, 20, 0)])
def test_a_command_without_a_way_is_tried_again_soon_if_its_tracker_has_a_session(
    device, operator, way, is_connected, tried_seconds_ago, tried
):
    """After an outage a tracker that kept its connection has its session again, and does not connect anew."""
    way.is_open = False
    command = ask(device, operator)
    send_next(device_pk=device.pk, now=timezone.now())
    assert state_of(command) == ("queued", "no_way")
    long_ago(command, last_tried_at=tried_seconds_ago)
    if is_connected:
        now = timezone.now()
        beat("host:1:abc")
        description = SessionDescription(device.pk, "gt06", "tcp", now, now, "192.0.2.7:5004", 0, 0, 0)
        open_sessions("host:1:abc", [SessionOpening(device.unique_id, description)])
    assert sweep().get("tried", 0) == tried
