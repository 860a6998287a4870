"""The connections that are kept for enqueueing: they may break, and no answer is taken for that of another command."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import redis

from tasks_app.engine.connection import client
from tests.support.probe import tasks as probe

ONE = "return redis.call('INCRBY', KEYS[1], ARGV[1])"
KEY = "{kept}:count"


@pytest.fixture
def script() -> str:
    client()._kept.clear()
    client().delete(KEY)
    return client().script_load(ONE)


def kept():
    """The one connection that is kept, None when there is none."""
    (connection,) = client()._kept or [None]
    return connection


def kill_connection() -> None:
    """Let the server close the connection that is kept."""
    connection = kept()
    connection.send_command("CLIENT", "ID")
    client().client_kill_filter(_id=connection.read_response())


def test_one_connection_serves_threads_that_come_and_go(script):
    """As many requests of a web server do, each in a thread of its own."""
    client().evalsha(script, 1, KEY, 1)
    first = kept()
    for count in (2, 3):
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(client().evalsha, script, 1, KEY, 1).result() == count
        assert kept() is first


def test_commands_at_the_same_time_have_connections_of_their_own(script):
    def add_often(_):
        return [client().evalsha(script, 1, KEY, 1) for _ in range(200)]

    with ThreadPoolExecutor(4) as pool:
        found = [count for counts in pool.map(add_often, range(4)) for count in counts]
    assert sorted(found) == list(range(1, 801))
    assert 1 <= len(client()._kept) <= 4


def test_a_connection_that_the_server_closed_is_replaced(script):
    job_id = probe.probe_note.delay("before")
    kill_connection()
    again = uuid4()
    assert probe.probe_note.apply_async(["after"], job_id=again) == again
    assert {job_id.state, probe.probe_note.delay("later").state} == {"queued"}


def test_an_answer_that_is_an_error_leaves_the_connection_in_order(script):
    client().evalsha(script, 1, KEY, 5)
    first = kept()
    with pytest.raises(redis.ResponseError):
        client().evalsha(script, 1, KEY, "no number")
    assert kept() is first
    assert client().evalsha(script, 1, KEY, 1) == 6


def test_scripts_that_the_server_forgot_are_sent_again():
    probe.probe_note.delay("known")
    client().script_flush()
    assert probe.probe_note.delay("known again").state == "queued"


def test_an_interrupt_before_the_answer_costs_the_connection(script, monkeypatch):
    """The answer to an interrupted command must not be taken for that of the next one."""
    client().evalsha(script, 1, KEY, 1)
    connection = kept()
    monkeypatch.setattr(connection, "read_response", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        client().evalsha(script, 1, KEY, 10)
    assert kept() is None
    assert client().evalsha(script, 1, KEY, 100) in (101, 111)


def test_a_command_inside_a_command_has_a_connection_of_its_own(script, monkeypatch):
    """A signal handler or a destructor may enqueue while a command of its thread waits."""
    client().evalsha(script, 1, KEY, 1)
    connection, inner = kept(), []
    read = connection.read_response

    def read_after_another():
        inner.append(client().evalsha(script, 1, KEY, 10))
        return read()

    monkeypatch.setattr(connection, "read_response", read_after_another)
    assert (client().evalsha(script, 1, KEY, 100), inner) == (101, [111])
    assert len(client()._kept) == 2


def test_a_forked_process_does_not_use_the_connection_of_its_parent(script):
    client().evalsha(script, 1, KEY, 1)
    same_client, connection = client(), kept()
    pid = os.fork()
    if pid == 0:
        # The client as one that was made before the fork and is used after it.
        is_well = same_client.evalsha(script, 1, KEY, 10) == 11 and list(same_client._kept) != [connection]
        os._exit(0 if is_well else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert client().evalsha(script, 1, KEY, 100) == 111


def test_an_argument_of_another_type_is_refused(script):
    with pytest.raises(redis.DataError):
        client().evalsha(script, 1, KEY, object())
    assert client().evalsha(script, 1, KEY, 1) == 1


def test_several_scripts_answer_in_their_order_and_one_that_fails_costs_no_other(script):
    calls = [(script, 1, KEY, 1), (script, 1, KEY, "no number"), ("0" * 40, 1, KEY), (script, 1, KEY, 10)]
    first, failed, unknown, last = client().evalsha_all(calls)
    assert (first, last) == (1, 11)
    assert isinstance(failed, redis.ResponseError)
    assert isinstance(unknown, redis.exceptions.NoScriptError)
    assert client().evalsha(script, 1, KEY, 100) == 111


def test_several_scripts_are_sent_again_when_their_connection_broke(script):
    client().evalsha(script, 1, KEY, 1)
    kill_connection()
    assert client().evalsha_all([(script, 1, KEY, 10), (script, 1, KEY, 100)]) == [11, 111]
