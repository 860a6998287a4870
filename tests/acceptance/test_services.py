"""The local servers as real processes: nothing of them may stay behind, whatever ends the program that uses them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis

from tests.support.cluster import allowed, wait_until
from tests.support.processes import is_running
from trackerproject.dev.embedded import (
    LocalServersError,
    embedded_servers,
    running_services,
    smtp_sink,
    start_services,
    stop_services,
)
from trackerproject.dev.local_servers.children import CODE_DIR
from trackerproject.dev.local_servers.locking import remove_data, take_lock
from trackerproject.dev.local_servers.places import Places

USER_SCRIPT = """
import sys, time
from trackerproject.dev.embedded import embedded_servers
with embedded_servers("user", sys.argv[1]):
    print("ready", flush=True)
    if sys.argv[2] == "raise":
        raise RuntimeError("on purpose")
    # Short sleeps: a signal that arrives just before one long sleep would be handled only after it.
    while sys.argv[2] == "wait":
        time.sleep(0.1)
"""


GONE_SECONDS = 20.0


@pytest.fixture(scope="module")
def base_dir(tmp_path_factory) -> Path:
    """A clone's directory, with a space in it and too deep for a unix socket."""
    path = tmp_path_factory.mktemp("a clone") / ("deep" * 30)
    path.mkdir()
    (path / "user.py").write_text(USER_SCRIPT)
    (path / "Makefile").write_text(
        f"export TRACKER_MAKE_PID := $(shell echo $$PPID)\nuser:\n\t@'{sys.executable}' user.py . wait\n"
    )
    return path


@pytest.fixture
def places(base_dir) -> Places:
    return Places.of(base_dir, "user")


@pytest.fixture
def start_user(base_dir) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a program (or make) that uses local servers, and wait until it has them."""
    started: list[subprocess.Popen[str]] = []

    def start(command: list[str]) -> subprocess.Popen[str]:
        # A make above us (make test) must not count as the one under test.
        own = {name: value for name, value in os.environ.items() if "MAKE" not in name and name != "MFLAGS"}
        environment = {**own, "PYTHONPATH": str(CODE_DIR)}
        process = subprocess.Popen(
            command, cwd=base_dir, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def user(ending: str) -> list[str]:
    return [sys.executable, "user.py", ".", ending]


def process_ids(places: Places) -> dict[str, int]:
    return json.loads(places.state.read_text())


def describe(places: Places, pids: dict[str, int]) -> str:
    """Processes that are still there, and the last lines of the servers' logs: a stop that hangs must say where."""
    alive = {name: is_running(pid) for name, pid in pids.items()}
    logs = {log.name: log.read_text(errors="replace")[-500:] for log in places.logs.glob("*.log")}
    return f"alive: {alive}, logs: {logs}"


def assert_all_gone(places: Places, pids: dict[str, int]) -> None:
    for name, pid in pids.items():
        wait_until(lambda pid=pid: not is_running(pid), what=f"{name} has ended")
    assert running_services(places) == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_it_leaves_no_server_behind_when_a_signal_ends_its_user(number, places, start_user):
    process = start_user(user("wait"))
    pids = process_ids(places)
    assert set(pids) == {"guardian", "postgres", "valkey"}

    process.send_signal(number)
    process.wait(timeout=allowed(GONE_SECONDS))

    assert_all_gone(places, pids)
    wait_until(lambda: not places.sockets.exists(), what="the socket directory is removed")


@pytest.mark.parametrize(("ending", "code"), [("return", 0), ("raise", 1)])
def test_it_stops_the_servers_before_its_user_ends_by_itself(ending, code, places, start_user):
    process = start_user(user(ending))
    assert process.wait(timeout=allowed(GONE_SECONDS)) == code
    assert running_services(places) == {}
    assert not places.sockets.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_leaves_nothing_behind_when_make_is_killed(number, places, start_user):
    make = start_user(["make", "user"])
    pids = process_ids(places)
    pids["user"] = psutil.Process(pids["guardian"]).ppid()
    assert psutil.Process(pids["user"]).ppid() == make.pid

    # Ctrl-C reaches the whole group; a kill only make.
    for pid in [make.pid, pids["user"]] if number == signal.SIGINT else [make.pid]:
        os.kill(pid, number)
    wait_until(lambda: make.poll() is not None, what=lambda: f"make has ended; {describe(places, pids)}")

    assert_all_gone(places, pids)


def test_it_takes_both_servers_down_when_the_guardian_is_killed(places, start_user):
    start_user(user("wait"))
    pids = process_ids(places)
    os.kill(pids["guardian"], signal.SIGKILL)
    for name in ("postgres", "valkey"):
        wait_until(lambda name=name: not is_running(pids[name]), what=f"{name} has ended")


def test_it_starts_again_at_once_after_everything_was_killed(places, start_user):
    process = start_user(user("wait"))
    pids = process_ids(places)
    for pid in (process.pid, *pids.values()):
        os.kill(pid, signal.SIGKILL)
    with embedded_servers("user", places.base_dir) as servers:
        psycopg2.connect(servers.database_url).close()


def test_it_restarts_a_server_that_dies(places):
    with embedded_servers("user", places.base_dir) as servers:
        client = redis.Redis.from_url(servers.redis_url)
        client.set("kept", "yes")
        before = process_ids(places)
        os.kill(before["postgres"], signal.SIGKILL)
        os.kill(before["valkey"], signal.SIGTERM)
        wait_until(lambda: len(process_ids(places).items() - before.items()) == 2, what="both run under new ids")
        psycopg2.connect(servers.database_url).close()
        assert client.get("kept") == b"yes"


def test_it_keeps_data_between_runs_and_apart_between_names(places):
    with embedded_servers("user", places.base_dir) as servers:
        redis.Redis.from_url(servers.redis_url).set("mine", "1")
        with embedded_servers("other", places.base_dir) as others:
            assert others.database_url != servers.database_url
            assert redis.Redis.from_url(others.redis_url).get("mine") is None
    with embedded_servers("user", places.base_dir) as servers:
        assert redis.Redis.from_url(servers.redis_url).get("mine") == b"1"


def test_it_listens_on_private_sockets_only(places):
    with embedded_servers("user", places.base_dir):
        for pid in process_ids(places).values():
            assert psutil.Process(pid).net_connections(kind="inet") == []
        assert places.sockets.stat().st_mode & 0o077 == 0
        assert len(str(places.sockets / ".s.PGSQL.5432.lock")) < 100


def test_it_keeps_every_write_safe(places):
    with embedded_servers("user", places.base_dir) as servers:
        config = redis.Redis.from_url(servers.redis_url).config_get("*")
        assert (config["appendonly"], config["appendfsync"]) == ("yes", "everysec")
        assert config["maxmemory-policy"] == "noeviction"
        connection = psycopg2.connect(servers.database_url)
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
            assert cursor.fetchone() == ("on", "on")
        connection.close()


def test_it_makes_a_half_initialised_database_anew(tmp_path):
    places = Places.of(tmp_path, "half")
    (places.postgres_data / "base").mkdir(parents=True)
    (places.postgres_data / "PG_VERSION").write_text("18\n")
    (places.home / "pgdata.new").mkdir()
    with embedded_servers("half", tmp_path) as servers:
        psycopg2.connect(servers.database_url).close()


def test_it_puts_a_damaged_database_aside_and_begins_a_new_one(tmp_path):
    places = Places.of(tmp_path, "damaged")
    with embedded_servers("damaged", tmp_path):
        pass
    (places.postgres_data / "global" / "pg_control").write_bytes(b"\0" * 8192)
    with embedded_servers("damaged", tmp_path) as servers:
        psycopg2.connect(servers.database_url).close()
    assert [path.name for path in places.home.glob("pgdata.damaged-*/PG_VERSION")] == ["PG_VERSION"]


def test_it_ignores_a_stale_pid_file_that_names_a_living_process(tmp_path):
    places = Places.of(tmp_path, "stale")
    with embedded_servers("stale", tmp_path):
        pid_file = (places.postgres_data / "postmaster.pid").read_text().splitlines()
    (places.postgres_data / "postmaster.pid").write_text("\n".join([str(os.getppid()), *pid_file[1:]]) + "\n")
    with embedded_servers("stale", tmp_path) as servers:
        psycopg2.connect(servers.database_url).close()


def test_it_refuses_a_socket_directory_that_is_a_link(tmp_path):
    places = Places.of(tmp_path, "link")
    places.sockets.symlink_to(tmp_path)
    try:
        with pytest.raises(LocalServersError, match="belongs to another user"), embedded_servers("link", tmp_path):
            pass
    finally:
        places.sockets.unlink(missing_ok=True)


def test_data_that_servers_use_is_not_removed(tmp_path):
    """A demo begins anew, and may be started while another one runs."""
    places = Places.of(tmp_path, "demo")
    remove_data(places)
    (places.logs / "old").mkdir(parents=True)
    lock = take_lock(places, lambda: None)
    with pytest.raises(LocalServersError, match="in use by another run"):
        remove_data(places, wait_seconds=0)
    assert (places.logs / "old").exists()
    os.close(lock)
    remove_data(places)
    assert list(places.home.iterdir()) == [places.lock]


@pytest.mark.parametrize("end", ["kill", "wait"])
def test_a_run_that_finds_the_servers_in_use_leaves_their_sockets(tmp_path, monkeypatch, end):
    """They were removed: a second `make run` took the servers away from the first one."""
    places = Places.of(tmp_path, "user")
    places.home.mkdir(parents=True)
    places.sockets.mkdir()
    lock = take_lock(places, lambda: None)

    def no_answer(guardian: subprocess.Popen[bytes]) -> None:
        if end == "kill":
            guardian.kill()
        raise LocalServersError("in use")

    monkeypatch.setattr("trackerproject.dev.embedded._await_ready", no_answer)
    with pytest.raises(LocalServersError), embedded_servers("user", tmp_path):
        pass
    assert (stop_services(places), places.sockets.exists()) == (False, True)
    os.close(lock)
    assert (stop_services(places), places.sockets.exists()) == (False, False)


def test_it_runs_detached_until_it_is_told_to_stop(places):
    assert stop_services(places) is False
    start_services(places)
    try:
        pids = running_services(places)
        start_services(places)
        assert running_services(places) == pids
        psycopg2.connect(places.database_url).close()
    finally:
        assert stop_services(places) is True
    # The guardian was started by this process and is its zombie; the servers were never ours.
    for name in ("postgres", "valkey"):
        assert not is_running(pids[name])
    assert not places.sockets.exists()


def test_the_services_command_reports_its_state_by_exit_code():
    def services(action: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", "services", action, "--name", f"check-{os.getpid()}"]
        environment = {**os.environ, "DEBUG": "1"}
        return subprocess.run(command, cwd=CODE_DIR, env=environment, capture_output=True, text=True, check=False)

    assert services("status").returncode == 3
    try:
        started = services("start")
        assert started.returncode == 0, started.stderr
        assert "DATABASE_URL='postgres://" in started.stdout
        status = services("status")
        assert status.returncode == 0
        assert "postgres" in status.stdout
    finally:
        assert services("stop").returncode == 0
    assert services("status").returncode == 3
    shutil.rmtree(Places.of(CODE_DIR, f"check-{os.getpid()}").home)


def test_the_smtp_sink_keeps_each_message_as_a_file(tmp_path):
    with smtp_sink(tmp_path / "mail") as sink:
        with smtplib.SMTP(sink.host, sink.port) as client:
            client.sendmail("a@example.org", ["b@example.org", "c@example.org"], "Subject: hello\r\n\r\nbody\r\n")
        text = next((tmp_path / "mail").glob("*.eml")).read_text()
    assert "X-Envelope-To: b@example.org, c@example.org" in text
    assert text.endswith("Subject: hello\n\nbody\n")
    with socket.socket() as attempt:
        assert attempt.connect_ex((sink.host, sink.port)) != 0
