"""Senders of commands at the same time, and servers that go away between noting and writing."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from tasks_app.models import Command
from tasks_app.services.commands import cancel_command
from tests.support.cluster import wait_until
from tests.support.commands import a_fix, ask, encode, send, state_of, sweep
from tests.support.faults import using_queue_redis
from tests.support.threads import in_threads

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("way")]


def test_a_sender_that_wakes_up_after_it_was_given_up_writes_nothing(device, manager, wire):
    a_fix(device)
    command = ask(device, manager, "engine_stop")

    def encode_and_fall_asleep(outgoing):
        transaction.on_commit(lambda: sweep(16))
        return encode(outgoing)

    assert send(command, wire, encode=encode_and_fall_asleep).result == "busy"
    assert (state_of(command), wire.written) == (("unconfirmed", "sender_lost"), [])


def test_of_many_senders_of_one_command_one_writes(device, operator, wire):
    command = ask(device, operator)
    in_threads(*[lambda: send(command, wire)] * 6)
    assert len(wire.written) == 1
    assert command.attempts.count() == 1


def test_of_many_senders_of_many_commands_of_one_device_one_writes(device, operator, wire):
    commands = [ask(device, operator) for _number in range(5)]
    in_threads(*[lambda one=one: send(one, wire) for one in commands])
    assert len(wire.written) == 1
    assert sorted(Command.objects.values_list("state", flat=True)) == ["queued"] * 4 + ["sent"]


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


def test_a_database_that_goes_away_after_the_bytes_went_takes_note_when_it_is_back(device, manager, wire):
    a_fix(device)
    command = ask(device, manager, "engine_stop")
    pid = connection.connection.info.backend_pid
    wire.meanwhile = lambda: in_threads(lambda: terminate(pid))
    assert send(command, wire).result == "sent"
    assert state_of(command) == ("sent", "")
    assert (len(wire.written), command.attempts.get().error) == (1, "")
    assert send(command, wire).result == "busy"


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


def test_a_redis_that_is_away_delays_a_command_and_loses_none(device, operator, way, run_jobs, settings):
    with using_queue_redis(settings, "redis://127.0.0.1:1/0"):
        command = ask(device, operator)
        assert sweep() == {}
    assert sweep() == {"tried": 1}
    run_jobs("notifications")
    assert set(way.taken) == {command.pk}


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
