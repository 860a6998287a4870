"""The process that owns one set of local servers: `python -m trackerproject.dev.local_servers.guardian BASE_DIR NAME MODE`.

It starts PostgreSQL and Valkey, restarts one that dies, and stops both when it should end:

* MODE `attached`: when its standard input reaches end-of-file or its parent is another one, that is, when the process
  that wanted the servers has ended, however it ended (SIGKILL too);
* MODE `detached`: on SIGTERM only.

If the guardian itself is killed, Linux signals both servers (PR_SET_PDEATHSIG). All three hold a lock on the same file,
so the next start can tell a server that is still leaving from a stale pid file. One JSON line on standard output says
`{"ready": true}` or `{"error": "..."}`; after that it prints nothing.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from trackerproject.dev.local_servers.errors import LocalServersError
from trackerproject.dev.local_servers.locking import take_lock
from trackerproject.dev.local_servers.places import Places
from trackerproject.dev.local_servers.processes import prepare_child, unprivileged_account
from trackerproject.dev.local_servers.servers import Postgres, Server, Valkey, server_environment

START_SECONDS = 60.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.2
FREE_BYTES_NEEDED = 300 * 1024 * 1024
MAX_DEATHS_PER_MINUTE = 5


class Ended(Exception):
    """The user of the servers has ended."""


class Guardian:
    """Owner of the servers in `places`; `wanted(seconds)` waits that long and returns whether they are still used."""

    def __init__(self, places: Places, wanted: Callable[[float], bool]) -> None:
        self.places = places
        self.wanted = wanted
        account = unprivileged_account()
        self.account = account
        self.servers: list[Server] = [Postgres(places, account), Valkey(places, account)]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.deaths: list[float] = []
        self.lock_fd = -1

    def start(self) -> None:
        """Start both servers. Raises LocalServersError, or Ended when they are no longer used."""
        self.places.logs.mkdir(parents=True, exist_ok=True)
        self.lock_fd = take_lock(self.places, self._pause)
        self._check_disk()
        self._make_socket_directory()
        for server in self.servers:
            self._start_or_remake(server)
        self._write_state()

    def watch(self) -> None:
        """Restart a server that dies, while they are used. Raises LocalServersError if one keeps dying."""
        while self.wanted(POLL_SECONDS):
            for server in self.servers:
                process = self.processes[server.name]
                if process.poll() is not None:
                    self._count_death(server, process.returncode)
                    self._start_or_remake(server)
                    self._write_state()

    def stop(self) -> None:
        """Stop both servers and remove their sockets. Always comes back; a server that does not listen is killed."""
        for server in self.servers:
            if server.name in self.processes:
                self.processes[server.name].send_signal(server.stop_signal)
        deadline = time.monotonic() + STOP_SECONDS
        for process in self.processes.values():
            try:
                process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self.lock_fd >= 0:
            self.places.state.unlink(missing_ok=True)
            shutil.rmtree(self.places.sockets, ignore_errors=True)
            os.close(self.lock_fd)

    def _check_disk(self) -> None:
        free = shutil.disk_usage(self.places.home).free
        if free < FREE_BYTES_NEEDED:
            needed = f"{FREE_BYTES_NEEDED // 2**20} MB are needed"
            raise LocalServersError(f"The disk is full: {free // 2**20} MB free in {self.places.home}, {needed}.")

    def _make_socket_directory(self) -> None:
        """Create a private directory under a guessable name; refuse an existing one of another user, or a link."""
        directory = self.places.sockets
        directory.mkdir(mode=0o700, exist_ok=True)
        found = directory.lstat()
        ours = {os.getuid()} | ({self.account.pw_uid} if self.account else set())
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in ours:
            raise LocalServersError(f"{directory} belongs to another user; remove it.")
        directory.chmod(0o700)
        for leftover in directory.iterdir():
            leftover.unlink()
        if self.account:
            os.chown(directory, self.account.pw_uid, self.account.pw_gid)

    def _start_or_remake(self, server: Server) -> None:
        """Start a server; if its files turn out damaged, put them aside (never delete them) and begin with new ones."""
        try:
            self._start(server)
        except LocalServersError:
            log = _read_end(server.log)
            if not any(sign in log for sign in server.damage_signs):
                raise
            aside = server.data.with_name(f"{server.data.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
            server.data.rename(aside)
            print(f"The data of {server.name} is damaged; it is kept in {aside}.", file=sys.stderr, flush=True)
            self._start(server)

    def _start(self, server: Server) -> None:
        server.prepare(self.lock_fd)
        process = self._launch(server)
        deadline = time.monotonic() + START_SECONDS
        while not server.is_ready():
            if process.poll() is not None:
                raise LocalServersError.from_log(f"{server.name} did not start", _read_end(server.log))
            if time.monotonic() > deadline:
                raise LocalServersError(f"{server.name} was not ready after {START_SECONDS:.0f} s; see {server.log}.")
            self._pause(0.05)
        server.finish()

    def _launch(self, server: Server) -> subprocess.Popen[bytes]:
        if server.log.exists():
            server.log.replace(server.log.with_suffix(".log.before"))
        with server.log.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603
                server.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=server_environment(),
                cwd="/",
                pass_fds=[self.lock_fd],
                preexec_fn=prepare_child(self.account, server.stop_signal),  # noqa: PLW1509
            )
        self.processes[server.name] = process
        return process

    def _count_death(self, server: Server, code: int) -> None:
        now = time.monotonic()
        self.deaths = [*(at for at in self.deaths if now - at < 60), now]
        print(f"{server.name} ended with {code}; starting it again.", file=sys.stderr, flush=True)
        if len(self.deaths) > MAX_DEATHS_PER_MINUTE:
            raise LocalServersError.from_log(f"{server.name} keeps ending", _read_end(server.log))

    def _pause(self, seconds: float = POLL_SECONDS) -> None:
        if not self.wanted(seconds):
            raise Ended

    def _write_state(self) -> None:
        pids = {name: process.pid for name, process in self.processes.items()}
        draft = self.places.state.with_suffix(".new")
        draft.write_text(json.dumps({"guardian": os.getpid(), **pids}))
        draft.replace(self.places.state)


def _read_end(path: Path, byte_count: int = 8192) -> str:
    try:
        return path.read_bytes()[-byte_count:].decode(errors="replace")
    except OSError:
        return ""


def _wanted_by_parent(parent: int, stop_signals: list[int]) -> Callable[[float], bool]:
    """Return a function that is true until standard input ends or the parent is gone: a fork of it may hold the pipe
    open."""

    def wanted(seconds: float) -> bool:
        readable, _, _ = select.select([sys.stdin], [], [], seconds)
        return not readable and os.getppid() == parent and not stop_signals

    return wanted


def _wanted_until_signalled(stop_signals: list[int]) -> Callable[[float], bool]:
    def wanted(seconds: float) -> bool:
        time.sleep(seconds)
        return not stop_signals

    return wanted


def _say(message: dict[str, object]) -> None:
    """Print one line for the parent, then close the output. A parent that does not listen is no error."""
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(message), flush=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(base_dir: str, name: str, mode: str, parent: str) -> int:
    stop_signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: stop_signals.append(received))
    wanted = (
        _wanted_by_parent(int(parent), stop_signals) if mode == "attached" else _wanted_until_signalled(stop_signals)
    )
    guardian: Guardian | None = None
    try:
        guardian = Guardian(Places.of(base_dir, name), wanted)
        guardian.start()
        _say({"ready": True})
        guardian.watch()
    except Ended:
        return 0
    except (LocalServersError, OSError, LookupError, subprocess.SubprocessError) as error:
        with contextlib.suppress(OSError):  # the log may be on the full disk that is the error
            print(error, file=sys.stderr, flush=True)
        _say({"error": str(error)})
        return 1
    finally:
        if guardian is not None:
            guardian.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
