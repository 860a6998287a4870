"""Faults of the soak: in processes of its clusters and in its servers. Each returns its description."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psutil
import redis

from tasks_app.engine.connection import client
from tasks_app.engine.live import list_workers
from trackerproject.dev.embedded import start_child
from trackerproject.dev.local_servers.places import Places

QUEUES = ("positions", "notifications")
# The guardian of the local servers gives up after more deaths than this within a minute.
MAX_SERVER_DEATHS_PER_MINUTE = 4


@dataclass
class SoakCluster:
    """One cluster, which represents one host. It is restarted when it ends, as by systemd."""

    name: str
    log: Path
    workers: int = 2
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    # Every process that ever was: at the end none may be left.
    seen: dict[int, float] = field(default_factory=dict)
    exit_codes: list[int] = field(default_factory=list)

    def keep_running(self) -> None:
        """Start it where it does not run, and remember its processes."""
        if self.process is not None and self.process.poll() is not None:
            self.exit_codes.append(self.process.returncode)
            self.process = None
        if self.process is None:
            names = [argument for queue in QUEUES for argument in ("--name", queue)]
            command = [sys.executable, "manage.py", "qcluster", *names, "--workers", str(self.workers)]
            environment = {**os.environ, "EXTRA_APPS": "trackerproject.dev.soak"}
            with self.log.open("ab") as output:
                self.process = start_child(command, env=environment, output=output)
            self.starts += 1
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                self.seen[process.pid] = process.create_time()

    def processes(self) -> list[psutil.Process]:
        """The supervisor, then its children."""
        if self.process is None or self.process.poll() is not None:
            return []
        with suppress(psutil.NoSuchProcess):
            supervisor = psutil.Process(self.process.pid)
            return [supervisor, *supervisor.children()]
        return []

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    def stop(self, seconds: float) -> int:
        """Ask it to stop; return its exit code as `wait` does."""
        assert self.process is not None
        self.process.terminate()
        return self.wait(seconds)

    def wait(self, seconds: float) -> int:
        """Wait for its end and return its exit code; kill it when that takes longer, and return the signal's."""
        assert self.process is not None
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def orphans(self) -> list[int]:
        """Processes of this cluster that are still there."""
        return [pid for pid, born in self.seen.items() if _is_same(pid, born)]


def _is_same(pid: int, born: float) -> bool:
    try:
        process = psutil.Process(pid)
        return process.create_time() == born and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class SoakGateway(Protocol):
    """The gateway, as far as it can be broken."""

    def processes(self) -> list[psutil.Process]:
        """Return its process, if it runs."""
        ...


class Saboteur:
    """Chooses a fault at random, from a seed, and commits it."""

    def __init__(self, clusters: list[SoakCluster], gateway: SoakGateway, places: Places, seed: int) -> None:
        self.clusters = clusters
        self.gateway = gateway
        self.places = places
        self.counts: dict[str, int] = {}
        self._server_deaths: list[float] = []
        self._random = random.Random(seed)  # noqa: S311 - a plan that can be repeated, no secret
        self._faults: list[tuple[int, str, Callable[[], bool]]] = [
            (8, "worker killed", self._kill_worker),
            (2, "all workers killed", self._kill_workers),
            (4, "housekeeping or scheduler killed", self._kill_helper),
            (3, "supervisor killed", self._kill_supervisor),
            (2, "cluster stopped", self._stop_cluster),
            (2, "cluster frozen", self._freeze_cluster),
            (4, "gateway killed", lambda: _send_all(self.gateway.processes(), signal.SIGKILL)),
            (1, "gateway stopped", lambda: _send_all(self.gateway.processes(), signal.SIGTERM)),
            (1, "gateway frozen", lambda: _send_all(self.gateway.processes(), signal.SIGSTOP)),
            (1, "Redis frozen", self._freeze_redis),
            (2, "Redis killed", lambda: self._kill_server("valkey", signal.SIGKILL)),
            (1, "Redis stopped", lambda: self._kill_server("valkey", signal.SIGTERM)),
            (2, "PostgreSQL stopped", lambda: self._kill_server("postgres", signal.SIGINT)),
            (1, "PostgreSQL killed", lambda: self._kill_server("postgres", signal.SIGKILL)),
        ]

    def strike(self) -> str:
        """Break something; return what, '' when there was nothing to break just now."""
        weights = [weight for weight, _, _ in self._faults]
        _, name, fault = self._random.choices(self._faults, weights)[0]
        if not fault():
            return ""
        self.counts[name] = self.counts.get(name, 0) + 1
        return name

    def _choose(self) -> list[psutil.Process]:
        return self._random.choice(self.clusters).processes()

    def _kill_worker(self) -> bool:
        workers = self._choose_workers()
        return bool(workers) and _send(self._random.choice(workers), signal.SIGKILL)

    def _kill_workers(self) -> bool:
        return _send_all(self._choose_workers(), signal.SIGKILL)

    def _kill_helper(self) -> bool:
        _, *children = self._choose() or [None]
        helpers = [child for child in children if child.pid not in self._worker_pids()]
        return bool(helpers) and _send(self._random.choice(helpers), signal.SIGKILL)

    def _choose_workers(self) -> list[psutil.Process]:
        pids = self._worker_pids()
        return [process for process in self._choose() if process.pid in pids]

    @staticmethod
    def _worker_pids() -> set[int]:
        """Return the process ids of workers by their heartbeats, none while Redis is unavailable."""
        try:
            return {worker.pid for worker in list_workers(client())}
        except redis.RedisError:
            return set()

    def _kill_supervisor(self) -> bool:
        return any(_send(process, signal.SIGKILL) for process in self._choose()[:1])

    def _stop_cluster(self) -> bool:
        """As systemd does: to every process at once."""
        return _send_all(self._choose(), signal.SIGTERM)

    def _freeze_cluster(self) -> bool:
        """A host that stands still, is taken for dead, and wakes up in `thaw`."""
        return _send_all(self._choose(), signal.SIGSTOP)

    def _freeze_redis(self) -> bool:
        return _send_all(self._server("valkey"), signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue all stopped processes."""
        everything = [process for cluster in self.clusters for process in cluster.processes()]
        for process in [*everything, *self.gateway.processes(), *self._server("valkey")]:
            with suppress(psutil.NoSuchProcess):
                if process.status() == psutil.STATUS_STOPPED:
                    process.send_signal(signal.SIGCONT)

    def _server(self, name: str) -> list[psutil.Process]:
        """Return the server's process if it runs."""
        try:
            return [psutil.Process(json.loads(self.places.state.read_text())[name])]
        except (OSError, ValueError, KeyError, psutil.NoSuchProcess):
            return []

    def _kill_server(self, name: str, number: int) -> bool:
        """The guardian of the local servers starts it again at once."""
        now = time.monotonic()
        self._server_deaths = [at for at in self._server_deaths if now - at < 60]
        if len(self._server_deaths) >= MAX_SERVER_DEATHS_PER_MINUTE:
            return False
        self._server_deaths.append(now)
        return _send_all(self._server(name), number)


def listens(pid: int) -> bool:
    """Return whether this process has a handler for SIGTERM (Linux)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return True
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def _send_all(processes: list[psutil.Process], number: int) -> bool:
    """Signal all of them; return whether any was there."""
    return sum(_send(process, number) for process in processes) > 0


def _send(process: psutil.Process, number: int) -> bool:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True
