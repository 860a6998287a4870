"""A master, a replica and three Sentinels of the embedded Valkey, on ports of this machine."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis

from tests.support.cluster import wait_until
from trackerproject.dev.local_servers.processes import prepare_child
from trackerproject.dev.local_servers.servers import _valkey_program
from trackerproject.dev.management.commands.demo import free_port

MASTER_NAME, PASSWORD, SENTINEL_PASSWORD = "fleet", "of the data", "of the sentinels"
SENTINELS = 3
# So short that tests need not wait: a master is given up after a second.
_SENTINEL = """
port {port}
bind 127.0.0.1
dir {folder}
requirepass "{sentinel_password}"
sentinel monitor {name} 127.0.0.1 {master} 2
sentinel auth-pass {name} "{password}"
sentinel down-after-milliseconds {name} 1000
sentinel failover-timeout {name} 4000
"""


class Process:
    """One server, which can be killed, frozen and started again."""

    def __init__(self, command: list[str], folder: Path, port: int, password: str) -> None:
        self.command, self.folder, self.port, self.password = command, folder, port, password
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                preexec_fn=prepare_child(None, signal.SIGKILL),  # noqa: PLW1509 - its thread is ours
            )
        wait_until(self.answers, what=(self.folder / "log").read_text)

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def client(self) -> redis.Redis:
        """A client of this very server, whatever its role."""
        return redis.Redis(port=self.port, password=self.password, socket_timeout=1, protocol=2)

    def is_replicated(self) -> bool:
        """Whether its replica has everything that it has."""
        with suppress(redis.RedisError), self.client() as client:
            found = client.info("replication")
            follower = found.get("slave0", {})
            return follower.get("state") == "online" and follower.get("offset") == found["master_repl_offset"]
        return False

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


class Installation:
    """All five."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        first = self._data("one")
        self.data = [first, self._data("two", "--replicaof", "127.0.0.1", str(first.port))]
        self.sentinels = [self._sentinel(number, first.port) for number in range(SENTINELS)]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels)
        login = f"default:{PASSWORD.replace(' ', '%20')}"
        return (
            f"redis+sentinel://{login}@{hosts}/{MASTER_NAME}/1?sentinel_password={SENTINEL_PASSWORD.replace(' ', '+')}"
        )

    def start(self) -> None:
        """Start what does not run, and wait until all five know each other."""
        for each in [*self.data, *self.sentinels]:
            if not each.is_running:
                each.start()
        wait_until(self.is_whole, 60, lambda: str([sentinel_view(each) for each in self.sentinels]))

    def is_whole(self) -> bool:
        views = [sentinel_view(each) for each in self.sentinels]
        good = all(view.get("num-slaves") == 1 and view.get("num-other-sentinels") == 2 for view in views)
        return good and all(view["flags"] == "master" for view in views) and self.is_replicated()

    def is_replicated(self) -> bool:
        """Whether the replica has everything that the master has."""
        with suppress(StopIteration):
            return self.master.is_replicated()
        return False

    @property
    def master(self) -> Process:
        """The server that the Sentinels take for the master."""
        port = sentinel_view(self.sentinels[0])["port"]
        return next(each for each in self.data if each.port == port)

    @property
    def replica(self) -> Process:
        return next(each for each in self.data if each.port != self.master.port)

    def close(self) -> None:
        for each in [*self.data, *self.sentinels]:
            if each.is_running:
                each.kill()

    def _data(self, name: str, *more: str) -> Process:
        port, folder = free_port(), self.folder / name
        folder.mkdir()
        options = [
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(folder),
            "--appendonly",
            "yes",
            "--save",
            "",
        ]
        options += ["--requirepass", PASSWORD, "--masterauth", PASSWORD, "--repl-diskless-sync-delay", "0"]
        options += ["--maxmemory-policy", "noeviction", "--replica-announce-ip", "127.0.0.1"]
        return Process([_valkey_program(), *options, *more], folder, port, PASSWORD)

    def _sentinel(self, number: int, master: int) -> Process:
        port, folder = free_port(), self.folder / f"sentinel{number}"
        folder.mkdir()
        values = {"name": MASTER_NAME, "master": master, "password": PASSWORD, "sentinel_password": SENTINEL_PASSWORD}
        (folder / "sentinel.conf").write_text(_SENTINEL.format(port=port, folder=folder, **values))
        command = [_valkey_program(), str(folder / "sentinel.conf"), "--sentinel"]
        return Process(command, folder, port, SENTINEL_PASSWORD)


def sentinel_view(sentinel: Process) -> dict:
    """The state of the master as a Sentinel sees it; empty while it does not answer."""
    with suppress(redis.RedisError), sentinel.client() as client:
        return client.sentinel_masters().get(MASTER_NAME, {})
    return {}


@contextmanager
def running_sentinels(folder: Path) -> Iterator[Installation]:
    """Start them; none is left at the end."""
    running = Installation(folder)
    try:
        running.start()
        yield running
    finally:
        running.close()
