"""A Redis Cluster of the embedded Valkey: three masters with a replica each, on ports of this machine."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import redis

from tests.support.cluster import wait_until
from tests.support.sentinel import Process
from trackerproject.dev.local_servers.servers import _valkey_program

MASTERS, PASSWORD = 3, "of the nodes"
SLOTS = 16384
BUS_OFFSET = 10_000
# So short that tests need not wait: a master is given up after a second.
NODE_TIMEOUT_MS = 1000


class RedisClusterServers:
    """All six. A master has its replica three places behind it, at first."""

    def __init__(self, folder: Path) -> None:
        ports = free_cluster_ports(2 * MASTERS)
        self.nodes = [self._node(folder, number, port) for number, port in enumerate(ports)]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:MASTERS])
        return f"redis+cluster://default:{PASSWORD.replace(' ', '%20')}@{hosts}"

    def create(self) -> None:
        """Start all, share out the slots and let each replica follow its master."""
        for node in self.nodes:
            node.start()
        for number, node in enumerate(self.nodes):
            with node.client() as client:
                client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
                if number < MASTERS:
                    first, last = SLOTS * number // MASTERS, SLOTS * (number + 1) // MASTERS - 1
                    client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        for node in self.nodes[1:]:
            with self.nodes[0].client() as client:
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", node.port)
        wait_until(lambda: all(len(view_of(node)) == 2 * MASTERS for node in self.nodes), 30, "all to know each other")
        for number in range(MASTERS):
            with self.nodes[number].client() as client:
                master_id = client.execute_command("CLUSTER", "MYID").decode()
            with self.nodes[number + MASTERS].client() as client:
                client.execute_command("CLUSTER", "REPLICATE", master_id)
        self.wait_until_whole()

    def start(self) -> None:
        """Start the nodes that do not run, and wait until each master has a replica that follows it."""
        for node in self.nodes:
            if not node.is_running:
                node.start()
        self.wait_until_whole()

    def wait_until_whole(self) -> None:
        wait_until(self.is_whole, 60, lambda: str([view_of(node) for node in self.nodes]))

    def is_whole(self) -> bool:
        return (
            all(self._is_fine(node) for node in self.nodes) and len(self.masters()) == MASTERS and self.is_replicated()
        )

    @staticmethod
    def _is_fine(node: Process) -> bool:
        view = view_of(node)
        with suppress(redis.RedisError), node.client() as client:
            info = client.execute_command("CLUSTER INFO")
            return (
                info["cluster_state"] == "ok"
                and len(view) == 2 * MASTERS
                and not any("fail" in flags for flags in view.values())
            )
        return False

    def is_replicated(self) -> bool:
        """Whether each replica has all that its master has."""
        return all(master.is_replicated() for master in self.masters())

    def masters(self) -> list[Process]:
        """Return those that take themselves for masters."""
        return [node for node in self.nodes if node.is_running and "master" in own_flags(node)]

    def master_of(self, key: str) -> Process:
        """Return the master of the key's slot, as most of the nodes see it."""
        ports = []
        for node in self.nodes:
            with suppress(redis.RedisError), node.client() as client:
                slot = client.execute_command("CLUSTER", "KEYSLOT", key)
                found = client.execute_command("CLUSTER", "SLOTS")
                ports += [int(master[1]) for first, last, master, *_ in found if first <= slot <= last]
        port = max(set(ports), key=ports.count)
        return next(node for node in self.nodes if node.port == port)

    def replica_of(self, master: Process) -> Process:
        with master.client() as client:
            port = client.info("replication")["slave0"]["port"]
        return next(node for node in self.nodes if node.port == port)

    def close(self) -> None:
        for node in self.nodes:
            if node.is_running:
                node.kill()

    @staticmethod
    def _node(base: Path, number: int, port: int) -> Process:
        folder = base / f"node{number}"
        folder.mkdir()
        options = {
            "port": str(port), "bind": "127.0.0.1", "dir": str(folder), "appendonly": "yes", "save": "",
            "requirepass": PASSWORD, "masterauth": PASSWORD, "repl-diskless-sync-delay": "0",
            "maxmemory-policy": "noeviction", "cluster-enabled": "yes", "cluster-node-timeout": str(NODE_TIMEOUT_MS),
            "cluster-announce-ip": "127.0.0.1", "cluster-require-full-coverage": "no",
        }  # fmt: skip
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return Process([_valkey_program(), *words], folder, port, PASSWORD)


def free_cluster_ports(count: int) -> list[int]:
    """Return free ports whose ports for the bus of the cluster (10 000 above) are free, too.

    They lie below those that the system hands out, so that no other test of this run gets one meanwhile.
    """
    found: list[int] = []
    with ExitStack() as taken:
        while len(found) < count:
            port = random.randrange(11_000, 22_000)
            with suppress(OSError):
                for one in (port, port + BUS_OFFSET):
                    probe = taken.enter_context(socket.socket())
                    probe.bind(("127.0.0.1", one))
                found.append(port)
    return found


def view_of(node: Process) -> dict[str, str]:
    """Return the flags of all nodes as one of them sees them, by address."""
    with suppress(redis.RedisError), node.client() as client:
        found = client.execute_command("CLUSTER NODES")
        return {address: str(about["flags"]) for address, about in found.items()}
    return {}


def own_flags(node: Process) -> str:
    return next((flags for flags in view_of(node).values() if "myself" in flags), "")


def has_cluster_mode(folder: Path) -> bool:
    """Whether the server's program knows the mode."""
    command = [_valkey_program(), "--cluster-enabled", "yes", "--port", "0", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=20)
    return "Bad directive" not in output


@contextmanager
def running_redis_cluster(folder: Path) -> Iterator[RedisClusterServers]:
    """Start them; none is left at the end."""
    if not has_cluster_mode(folder):
        pytest.skip(f"{_valkey_program()} was built without cluster mode")
    running = RedisClusterServers(folder)
    try:
        running.create()
        yield running
    finally:
        running.close()
