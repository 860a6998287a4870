"""A real `manage.py qcluster` process for acceptance tests, against the test database and this run's queue prefix."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psutil
from django.conf import settings
from django.db import connection

from tests.support.processes import is_running

ROOT = Path(__file__).resolve().parents[2]


def allowed(seconds: float) -> float:
    """Return `seconds` if processors are free, else that many times the processes per processor."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def wait_until(condition: Callable[[], object], seconds: float = 20, what: str | Callable[[], str] = "") -> object:
    """Return the first true answer of `condition`; fail with `what` (asked only then) after the allowed `seconds`."""
    began = time.monotonic()
    while time.monotonic() - began < allowed(seconds):
        if answer := condition():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what or condition}")


def environment(**extra: str) -> dict[str, str]:
    """Return the environment in which a child process uses the test's database, queues and probe tasks."""
    options = connection.settings_dict
    user, host = options["USER"] or "postgres", quote(options["HOST"] or "localhost", safe="")
    port = f":{options['PORT']}" if options["PORT"] else ""
    password = f":{quote(options['PASSWORD'], safe='')}" if options["PASSWORD"] else ""
    where = options.get("OPTIONS", {}).get("host")
    url = f"postgres://{user}{password}@{host}{port}/{options['NAME']}"
    if where:
        url = f"postgres://{user}{password}@/{options['NAME']}?host={where}"
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "trackerproject.settings",
        "DEBUG": "1",
        "SECRET_KEY": settings.SECRET_KEY,
        "DATABASE_URL": url,
        "REDIS_URL": settings.REDIS_URL,
        "QUEUE_PREFIX": settings.Q_CLUSTER["name"],
        "CACHE_KEY_PREFIX": settings.CACHE_KEY_PREFIX,
        "EXTRA_APPS": "tests.support.probe",
        **extra,
    }


class ClusterProcess:
    """One running cluster and the processes below it."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def alive(self, pids: list[int]) -> list[int]:
        return [pid for pid in pids if is_running(pid)]

    def stop(self, number: int = signal.SIGTERM, seconds: float = 40) -> int:
        """Signal it, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(allowed(seconds))


@contextmanager
def running_cluster(folder: Path, *arguments: str, **extra_environment: str) -> Iterator[ClusterProcess]:
    """Start a cluster; at the end nothing of it is left, however the test ended."""
    log = folder / f"qcluster-{time.monotonic_ns()}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "qcluster", *arguments],
            cwd=ROOT,
            env=environment(**extra_environment),
            stdout=output,
            stderr=output,
            # Its own group, so that a test can signal all of it without meeting itself.
            start_new_session=True,
        )
    cluster = ClusterProcess(process, log)
    try:
        yield cluster
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)
