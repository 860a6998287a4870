"""Local servers for development, tests and the demo: one PostgreSQL and one Valkey per name, on private unix sockets.

Imports nothing of Django: settings.py takes its development defaults from here.

    with embedded_servers("demo") as servers, smtp_sink(servers.places.mail) as mail:
        os.environ |= servers.environment() | mail.environment()

Whatever ends this process (an exception, Ctrl-C, SIGTERM, SIGKILL, SIGKILL of the make above it), the servers end too.
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from trackerproject.dev.local_servers.children import CODE_DIR, start_child, stop_children
from trackerproject.dev.local_servers.errors import LocalServersError
from trackerproject.dev.local_servers.locking import remove_sockets
from trackerproject.dev.local_servers.places import Places
from trackerproject.dev.local_servers.processes import end_with_make, is_alive

__all__ = [
    "LocalServersError",
    "default_database_url",
    "default_redis_url",
    "embedded_servers",
    "end_with_make",
    "running_services",
    "smtp_sink",
    "start_child",
    "start_services",
    "stop_children",
    "stop_services",
]

READY_SECONDS = 120.0
STOP_SECONDS = 25.0


@dataclass(frozen=True)
class EmbeddedServers:
    """Running servers and where to reach them."""

    places: Places

    @property
    def database_url(self) -> str:
        return self.places.database_url

    @property
    def redis_url(self) -> str:
        return self.places.redis_url

    def environment(self) -> dict[str, str]:
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}


@dataclass(frozen=True)
class SmtpSink:
    """A running SMTP server; each message it took is an .eml file in `directory`."""

    host: str
    port: int
    directory: Path

    def environment(self) -> dict[str, str]:
        return {"EMAIL_HOST": self.host, "EMAIL_PORT": str(self.port)}


def default_database_url(base_dir: Path | str, name: str = "dev") -> str:
    """URL of the PostgreSQL that `manage.py services start` runs for this clone; starts nothing."""
    return Places.of(base_dir, name).database_url


def default_redis_url(base_dir: Path | str, name: str = "dev") -> str:
    """URL of the Valkey that `manage.py services start` runs for this clone; starts nothing."""
    return Places.of(base_dir, name).redis_url


@contextlib.contextmanager
def embedded_servers(name: str = "default", base_dir: Path | str = CODE_DIR) -> Iterator[EmbeddedServers]:
    """Run PostgreSQL (with the database `tracker`) and Valkey for the length of the block. Call it in the main thread.

    Data stays in `.local/<name>`; different names are independent. SIGTERM and SIGHUP end the block with SystemExit.
    Raises LocalServersError with a message for the person at the keyboard.
    """
    end_with_make()
    places = Places.of(base_dir, name)
    with _signals_as_exit():
        guardian = _start_guardian(places, "attached")
        try:
            _await_ready(guardian)
            yield EmbeddedServers(places)
        finally:
            _release(guardian)
            if guardian.returncode < 0:  # It was killed, and could not tidy up itself.
                remove_sockets(places)


@contextlib.contextmanager
def smtp_sink(directory: Path | str) -> Iterator[SmtpSink]:
    """Run an SMTP server on a free port of 127.0.0.1 for the length of the block; messages are kept in `directory`."""
    Path(directory).mkdir(parents=True, exist_ok=True)
    sink = _start_module("smtp_server", [str(directory), str(os.getpid())], stderr=None)
    try:
        answer = _first_line(sink, "SMTP server")
        yield SmtpSink(answer["host"], answer["port"], Path(directory))
    finally:
        _release(sink)


def start_services(places: Places) -> None:
    """Start servers that go on after we end; running ones are fine. Raises LocalServersError."""
    if running_services(places):
        return
    try:
        _await_ready(_start_guardian(places, "detached"))
    except LocalServersError:
        if not running_services(places):  # Otherwise another process has started them at the same time.
            raise


def stop_services(places: Places) -> bool:
    """Stop what `start_services` started and wait until it is gone. False if nothing ran. Raises LocalServersError."""
    guardian = running_services(places).get("guardian")
    if guardian is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(guardian, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while running_services(places):
            if time.monotonic() > deadline:
                raise LocalServersError(f"The local servers did not stop in {STOP_SECONDS:.0f} s (process {guardian}).")
            time.sleep(0.05)
    remove_sockets(places, wait_seconds=0)
    return guardian is not None


def running_services(places: Places) -> dict[str, int]:
    """Process ids of guardian, postgres and valkey, or nothing if none of them runs.

    A stale state file never counts: the three hold a lock for as long as any of them lives.
    """
    if not _is_locked(places.lock):
        return {}
    try:
        pids = json.loads(places.state.read_text())
    except (FileNotFoundError, ValueError):
        return {}  # just starting
    return pids if any(is_alive(pid) for pid in pids.values()) else {}


def _is_locked(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _start_guardian(places: Places, mode: str) -> subprocess.Popen[bytes]:
    try:
        places.logs.mkdir(parents=True, exist_ok=True)
        with (places.logs / "guardian.log").open("wb") as log:
            return _start_module("guardian", [str(places.base_dir), places.name, mode, str(os.getpid())], stderr=log)
    except OSError as error:
        raise LocalServersError(f"Cannot write under {places.home}: {error.strerror}.") from error


def _start_module(module: str, arguments: list[str], *, stderr: Any) -> subprocess.Popen[bytes]:
    """Start a helper in a session of its own, so that Ctrl-C reaches only this process, which stops users of the
    servers first."""
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", f"trackerproject.dev.local_servers.{module}", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        cwd=CODE_DIR,
        start_new_session=True,
    )


def _await_ready(guardian: subprocess.Popen[bytes]) -> None:
    answer = _first_line(guardian, "guardian")
    if "error" in answer:
        raise LocalServersError(answer["error"])


def _first_line(process: subprocess.Popen[bytes], what: str) -> dict[str, Any]:
    """Return the JSON line that a helper process prints when it is ready."""
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], READY_SECONDS)
    line = process.stdout.readline() if readable else b""
    process.stdout.close()
    if not line:
        raise LocalServersError(f"The {what} of the local servers ended or hung before it was ready.")
    answer: dict[str, Any] = json.loads(line)
    return answer


def _release(process: subprocess.Popen[bytes]) -> None:
    """Close the helper's input, which makes it stop, and wait for its end."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _signals_as_exit() -> Iterator[None]:
    """Turn the first SIGTERM or SIGHUP into SystemExit, so that blocks unwind. Handlers set by others stay."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen: list[int] = []

    def leave(number: int, _frame: FrameType | None) -> None:
        if not seen:
            seen.append(number)
            sys.exit(128 + number)

    ours = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) == signal.SIG_DFL]
    for number in ours:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
