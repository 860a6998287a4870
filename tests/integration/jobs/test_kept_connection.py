"""The connections that are kept for enqueueing: they may break, and no answer is taken for that of another command."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from uuid import uuid4

import hiredis
import pytest
import redis
from redis._parsers import _HiredisParser

from tasks_app.engine.connection import client
from tasks_app.engine.kept_connection import _Link
from tests.support.probe import tasks as probe

ONE = "return redis.call('INCRBY', KEYS[1], ARGV[1])"
KEY = "{kept}:count"


@pytest.fixture
def script() -> str:
    client()._kept.clear()
    client().delete(KEY)
    return client().script_load(ONE)


def kept():
    """The one link that is kept, None when there is none."""
    (link,) = client()._kept or [None]
    return link


def kill_connection() -> None:
    """Let the server close the connection that is kept."""
    (number,) = kept().exchange(hiredis.pack_command(("CLIENT", "ID")), 1)
    client().client_kill_filter(_id=number)


class SocketWithStep:
    """A socket that does something before it reads."""

    def __init__(self, real: socket.socket, step: Callable[[], object]) -> None:
        self.sendall = real.sendall
        self._real, self._step = real, step

    def recv(self, size: int) -> bytes:
        self._step()
        return self._real.recv(size)


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


def test_a_connection_that_was_idle_for_long_is_not_used_again(script):
    """A firewall may have forgotten it, and no answer would come: the first request of the morning would fail."""
    client().evalsha(script, 1, KEY, 1)
    first = kept()
    first.used_at -= first.connection.health_check_interval
    assert client().evalsha(script, 1, KEY, 1) == 2
    assert kept() is not first
    assert not first.connection.is_connected


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
    monkeypatch.setattr(
        kept(), "_socket", SocketWithStep(kept()._socket, lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    )
    with pytest.raises(KeyboardInterrupt):
        client().evalsha(script, 1, KEY, 10)
    assert kept() is None
    assert client().evalsha(script, 1, KEY, 100) in (101, 111)


def test_a_command_inside_a_command_has_a_connection_of_its_own(script, monkeypatch):
    """A signal handler or a destructor may enqueue while a command of its thread waits."""
    client().evalsha(script, 1, KEY, 1)
    link, inner = kept(), []
    within = SocketWithStep(link._socket, lambda: inner.append(client().evalsha(script, 1, KEY, 10)))
    monkeypatch.setattr(link, "_socket", within)
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


# --- One link and its server ---


@pytest.fixture
def ends():
    """Both ends of a connection: the link, which waits for 0.2 s at most, and the socket of its server."""
    ours, servers = socket.socketpair()
    with ours, servers:
        connection = SimpleNamespace(_sock=ours, _parser=_HiredisParser, socket_timeout=0.2)
        yield _Link(connection), servers


PING = b"*1\r\n$4\r\nPING\r\n"


def test_an_answer_may_come_in_pieces_and_several_in_one(ends):
    link, server = ends
    server.sendall(b"*2\r\n:1\r\n$3\r\na")
    threading.Timer(0.05, lambda: server.sendall(b"bc\r\n-ERR no\r\n:7\r\n")).start()
    first, refused, last = link.exchange(PING * 3, 3)
    assert (first, last) == ([1, b"abc"], 7)
    assert isinstance(refused, redis.ResponseError)


def test_a_message_that_was_not_asked_for_is_no_answer(ends):
    link, server = ends
    server.sendall(b">2\r\n$4\r\nnews\r\n:1\r\n+PONG\r\n")
    assert link.exchange(PING, 1) == [b"PONG"]


def test_a_server_that_is_silent_is_waited_for_as_long_as_is_allowed(ends):
    link, server = ends
    server.sendall(b"*2\r\n:1\r\n")
    with pytest.raises(redis.TimeoutError):
        link.exchange(PING, 1)


def test_a_server_that_does_not_read_is_waited_for_as_long_as_is_allowed(ends):
    link, _ = ends
    with pytest.raises(redis.TimeoutError):
        link.exchange(PING * 1_000_000, 1_000_000)


@pytest.mark.parametrize("answer", ["LOADING Redis is loading the dataset in memory", "READONLY You can't write here"])
def test_a_server_that_cannot_serve_yet_or_any_more_is_a_connection_that_broke(ends, answer):
    link, server = ends
    server.sendall(f":1\r\n-{answer}\r\n".encode())
    with pytest.raises(redis.ConnectionError):
        link.exchange(PING * 2, 2)


def test_a_server_that_hangs_up_is_a_connection_that_broke(ends):
    link, server = ends
    server.close()
    with pytest.raises(redis.ConnectionError):
        link.exchange(PING, 1)
