"""The connection that a thread keeps for enqueueing: it may break, and no answer is taken for that of another command."""

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
    client().delete(KEY)
    return client().script_load(ONE)


def kept():
    return client()._kept.connection


def kill_connection() -> None:
    """Let the server close the connection that this thread keeps."""
    number = kept()
    number.send_command("CLIENT", "ID")
    client().client_kill_filter(_id=number.read_response())


def test_a_thread_keeps_one_connection(script):
    client().evalsha(script, 1, KEY, 1)
    first = kept()
    client().evalsha(script, 1, KEY, 1)
    assert kept() is first
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(lambda: (client().evalsha(script, 1, KEY, 1), kept())).result()
    assert other[0] == 3
    assert other[1] is not first


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


def test_a_forked_process_does_not_use_the_connection_of_its_parent(script):
    client().evalsha(script, 1, KEY, 1)
    same_client, connection = client(), kept()
    pid = os.fork()
    if pid == 0:
        # The client as one that was made before the fork and is used after it.
        is_well = same_client.evalsha(script, 1, KEY, 10) == 11 and same_client._kept.connection is not connection
        os._exit(0 if is_well else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert client().evalsha(script, 1, KEY, 100) == 111


def test_an_argument_of_another_type_is_refused(script):
    with pytest.raises(redis.DataError):
        client().evalsha(script, 1, KEY, object())
    assert client().evalsha(script, 1, KEY, 1) == 1
