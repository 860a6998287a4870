"""Faults for tests: servers of their own that can be killed, and a wire that can be cut in the middle of a reply."""

from __future__ import annotations

import hashlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg2
from django.db import connection

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import _client_of_process, client
from tasks_app.engine.scripts import SOURCES
from tests.support.cluster import ROOT, allowed, wait_until
from trackerproject.dev.local_servers.places import Places
from trackerproject.dev.local_servers.processes import prepare_child, unprivileged_account
from trackerproject.dev.local_servers.servers import Postgres, Server, Valkey, server_environment
from trackerproject.dev.test_databases import copy_database, make_template, url_of

LEDGER_APPS = {"EXTRA_APPS": "tests.support.probe,trackerproject.dev.soak"}


def outage_seconds(usual: float) -> float:
    """Return for how long servers are away in a test: OUTAGE_SECONDS of the environment, else its usual seconds."""
    return float(os.environ.get("OUTAGE_SECONDS", usual))


class OwnServer:
    """A Valkey or PostgreSQL of one test, which can be started, killed, stopped and frozen. It dies with the test process."""

    def __init__(self, kind: type[Server], base_dir: Path) -> None:
        self.places = Places.of(base_dir, "faults")
        self.account = unprivileged_account()
        self.server = kind(self.places, self.account)
        self.process: subprocess.Popen[bytes] | None = None
        self.places.logs.mkdir(parents=True, exist_ok=True)
        self.places.sockets.mkdir(mode=0o700, exist_ok=True)
        if self.account:
            os.chown(self.places.sockets, self.account.pw_uid, self.account.pw_gid)

    def start(self) -> None:
        """Start it and wait until it answers."""
        lock = os.open(self.places.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self.server.prepare(lock)
        finally:
            os.close(lock)
        with self.server.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.server.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=server_environment(),
                cwd="/",
                preexec_fn=prepare_child(self.account, signal.SIGKILL),  # noqa: PLW1509 - its thread is ours
            )
        wait_until(self.server.is_ready, seconds=60, what=f"{self.server.name} to answer")
        self.server.finish()

    def kill(self) -> None:
        """SIGKILL, and of PostgreSQL every process: none of them may write on."""
        processes = psutil.Process(self._pid).children(recursive=True)
        self.signal(signal.SIGKILL)
        self.process.wait(20)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=10)

    def stop(self) -> None:
        """Stop it in order."""
        self.signal(self.server.stop_signal)
        self.process.wait(20)

    def signal(self, number: int) -> None:
        os.kill(self._pid, number)

    @property
    def _pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def close(self) -> None:
        """Nothing of it remains but its files."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.places.sockets, ignore_errors=True)


@contextmanager
def own_server(kind: type[Server], base_dir: Path) -> Iterator[OwnServer]:
    """A running server of the test's own."""
    server = OwnServer(kind, base_dir)
    try:
        server.start()
        yield server
    finally:
        server.close()


@contextmanager
def own_valkey(base_dir: Path) -> Iterator[OwnServer]:
    with own_server(Valkey, base_dir) as server:
        yield server


@contextmanager
def own_postgres(base_dir: Path) -> Iterator[OwnServer]:
    with own_server(Postgres, base_dir) as server:
        yield server


def migrate(database_url: str) -> None:
    """Let an empty database of a test's own have what migrations make: `make test` has a database of that to copy."""
    if template := os.environ.get("TEST_DB_TEMPLATE"):
        server_url = os.environ["DATABASE_URL"]
        make_template(server_url, template)
        copy_database(url_of(server_url, template), database_url)
        return
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    environment = {**os.environ, "DEBUG": "1", "DATABASE_URL": database_url}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=allowed(120))


@contextmanager
def using_redis(settings: object, url: str) -> Iterator[None]:
    """Let this process, and the clusters it starts, use the Redis at `url`."""
    usual = settings.REDIS_URL
    settings.REDIS_URL = url
    try:
        with using_queue_redis(settings, url):
            yield
    finally:
        settings.REDIS_URL = usual


@contextmanager
def using_queue_redis(settings: object, url: str) -> Iterator[None]:
    """Let this process use the Redis at `url` for its queues only."""
    usual = settings.Q_CLUSTER
    settings.Q_CLUSTER = {**usual, "redis": url}
    _forget_connections()
    try:
        yield
    finally:
        settings.Q_CLUSTER = usual
        _forget_connections()


def _forget_connections() -> None:
    """After the settings changed, or changed back."""
    with suppress(Exception):
        client().close()
    engine_config.cache_clear()
    _client_of_process.cache_clear()


def query(url: str, statement: str, *parameters: object) -> list[tuple]:
    """Run one statement on a database of the test's own, outside of Django."""
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def script_hash(name: str) -> bytes:
    """Return the hash by which EVALSHA names this script of the engine."""
    return hashlib.sha1(SOURCES[name].encode()).hexdigest().encode()


class Wire:
    """A unix socket that passes everything on to the server, until `cut` a reply or until it goes dead.

    `cut(word, times)`: the next so many requests that contain the word reach the server, which carries them out; of the
    reply only the first byte arrives, then the connection is gone. While `alive` is cleared nothing passes.
    """

    def __init__(self, path: Path, server: str) -> None:
        self.path = path
        self.cuts = 0
        self.alive = threading.Event()
        self.alive.set()
        self._server = server
        self._lock = threading.Lock()
        self._pending: list[tuple[bytes, int]] = []
        self._stopping = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"unix://{self.path}?db=0"

    def cut(self, word: bytes, times: int = 1) -> None:
        with self._lock:
            self._pending.append((word, times))

    def close(self) -> None:
        self._stopping = True
        for thread in list(self._threads):
            thread.join(5)
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def _accept(self) -> None:
        while not self._stopping:
            if not select.select([self._listener], [], [], 0.1)[0]:
                continue
            near, _ = self._listener.accept()
            thread = threading.Thread(target=self._pass_on, args=(near,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _pass_on(self, near: socket.socket) -> None:
        with near, socket.socket(socket.AF_UNIX) as far, suppress(OSError):
            far.connect(self._server)
            is_cut = False
            while not self._stopping:
                ready = select.select([near, far], [], [], 0.1)[0]
                if not self.alive.wait(0.1):
                    continue
                if near in ready:
                    request = near.recv(1 << 20)
                    if not request:
                        return
                    is_cut = is_cut or self._is_to_cut(request)
                    far.sendall(request)
                if far in ready:
                    reply = far.recv(1 << 20)
                    if not reply:
                        return
                    if is_cut:
                        near.sendall(reply[:1])
                        return
                    near.sendall(reply)

    def _is_to_cut(self, request: bytes) -> bool:
        with self._lock:
            for index, (word, times) in enumerate(self._pending):
                if word in request:
                    self._pending[index] = (word, times - 1)
                    if times == 1:
                        del self._pending[index]
                    self.cuts += 1
                    return True
        return False


@contextmanager
def wire_to(server: OwnServer) -> Iterator[Wire]:
    """A wire to a Valkey of the test's own."""
    wire = Wire(server.places.sockets / "wire.sock", str(server.places.valkey_socket))
    try:
        yield wire
    finally:
        wire.close()


class PostgresWire:
    """A way to the test's database that can be cut off and frozen, for a process of its own."""

    def __init__(self, folder: Path) -> None:
        options = connection.settings_dict
        port = options["PORT"] or 5432
        self._path = folder / f".s.PGSQL.{port}"
        self._server = f"{options['HOST'] or options['OPTIONS']['host']}/.s.PGSQL.{port}"
        self.url = f"postgres://{options['USER'] or 'postgres'}@/{options['NAME']}?host={folder}&port={port}"
        self.connect()

    def connect(self) -> None:
        """Let connections pass, new ones too."""
        self._wire = Wire(self._path, self._server)

    def cut_off(self) -> None:
        """End all connections, and refuse new ones."""
        self._wire.alive.set()
        self._wire.close()

    def freeze(self) -> None:
        """Let nothing pass, and end nothing."""
        self._wire.alive.clear()

    def thaw(self) -> None:
        """Let pass what waits."""
        self._wire.alive.set()


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose sockets have names short enough for the system."""
    with tempfile.TemporaryDirectory(prefix="tracker-", dir="/tmp") as folder:
        yield Path(folder)
