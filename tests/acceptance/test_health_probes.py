"""Probes answer while what they ask about hangs: servers that accept and say nothing, workers that are frozen."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
from contextlib import ExitStack
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tasks_app.queries.jobs import list_workers
from tests.support.cluster import allowed, running_cluster, wait_until
from tests.support.web import running_web

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def silent_port():
    """A port that accepts connections and never answers, as a frozen server does."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        yield listener.getsockname()[1]


def ask(port: int, path: str) -> tuple[int, dict]:
    # Statements and connections give up far later than this.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=allowed(5))
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


@pytest.mark.parametrize("frozen", ["database", "redis"])
def test_health_answers_while_a_server_hangs(tmp_path, silent_port, frozen):
    away = {
        "database": {"DATABASE_URL": f"postgres://tracker@127.0.0.1:{silent_port}/tracker"},
        "redis": {"REDIS_URL": f"redis://127.0.0.1:{silent_port}/0"},
    }
    with running_web(tmp_path, **away[frozen]) as web:
        port = int(web.url.rpartition(":")[2])
        for _turn in range(3):
            status, body = ask(port, "/health")
            assert (status, body["status"], body[frozen]) == (503, "unhealthy", False)
            status, body = ask(port, "/health/ready")
            assert (status, body[frozen]) == (503, False)
        assert ask(port, "/health/live") == (200, {"status": "alive"})


def qhealth(*arguments: str) -> str:
    """Return what the command prints. Raises CommandError, of which manage.py makes exit code 1."""
    out = StringIO()
    call_command("qhealth", *arguments, stdout=out)
    return out.getvalue()


def says_silent() -> bool:
    try:
        qhealth("positions", "--max-silence-seconds", "3")
    except CommandError as error:
        return "silent" in str(error)
    return False


def test_qhealth_tells_a_frozen_worker_from_one_that_takes_jobs(tmp_path):
    with pytest.raises(CommandError, match="no workers"):
        qhealth()
    with running_cluster(tmp_path, "--name", "positions", "--workers", "1") as cluster, ExitStack() as stack:
        (worker,) = wait_until(list_workers, 40, "a worker with a heartbeat")
        assert "take jobs" in qhealth()
        assert "take jobs" in qhealth("positions")
        with pytest.raises(CommandError, match="no worker of queue reports"):
            qhealth("positions", "reports")
        # The supervisor too: it would kill a frozen worker. Heartbeats go on, from a process of their own.
        for pid in (cluster.process.pid, worker.pid):
            os.kill(pid, signal.SIGSTOP)
            stack.callback(os.kill, pid, signal.SIGCONT)
        wait_until(says_silent, 30, "the worker to be silent")
        stack.close()
        wait_until(lambda: not says_silent(), 30, "the worker, or the one in its place, to run")
        assert cluster.stop() == 0


def test_qhealth_knows_the_queues():
    with pytest.raises(CommandError, match="There is no queue named nonsense"):
        qhealth("nonsense")
