"""Parts of the measurements of the gateway: its process, devices, and trackers as clients of one event loop."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import Popen

import psutil

from benchmarks.web import HOST, free_port
from tasks_app.engine.connection import client
from tasks_app.models import Device, Fleet
from trackerproject.dev.embedded import start_child, stop_children
from trackerproject.dev.simulated_trackers import ENCODERS, Encoder, Report

MB = 1_000_000
START_SECONDS = 60.0
FLEET = "Benchmark of the gateway"
# Of Teltonika: that of a log-in, and of a packet.
LOGIN_ACKNOWLEDGEMENT_BYTES, ACKNOWLEDGEMENT_BYTES = 1, 4


def make_devices(count: int) -> list[str]:
    """Return the identifiers of so many devices, which are there."""
    client().flushdb()
    fleet, _ = Fleet.objects.get_or_create(name=FLEET)
    names = [f"35{number:013d}" for number in range(count)]
    Device.objects.bulk_create(
        [Device(fleet=fleet, unique_id=name, name=name) for name in names], ignore_conflicts=True
    )
    return names


@contextmanager
def gateway(*protocols: str) -> Iterator[tuple[Popen[bytes], dict[str, int]]]:
    """Run a gateway of these protocols for the length of the block: its process and its ports."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    ports = {protocol: free_port() for protocol in protocols}
    environment = {
        **os.environ,
        **{f"GATEWAY_{protocol.upper()}_PORT": str(port) for protocol, port in ports.items()},
        "GATEWAY_HOST": HOST,
        "GATEWAY_MAX_CONNECTIONS_PER_ADDRESS": "20000",
    }
    with (Path(os.environ["BENCH_LOG_DIR"]) / "gateway.log").open("ab") as log:
        command = [sys.executable, "manage.py", "gateway", "--protocols", ",".join(protocols)]
        process = start_child(command, env=environment, output=log)
    try:
        for port in ports.values():
            wait_for_port(port)
        yield process, ports
    finally:
        stop_children([process])
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection((HOST, port), 5).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def pss_mb(process: Popen[bytes]) -> float:
    """MB of a process and those below it."""
    tree = psutil.Process(process.pid)
    return sum(one.memory_full_info().pss for one in (tree, *tree.children(recursive=True))) / MB


def encoder_of(protocol: str, name: str) -> Encoder:
    encoder = ENCODERS[protocol](name, "tcp")
    encoder.begin()
    return encoder


def login_of(encoder: Encoder) -> bytes:
    """Return the bytes of a log-in, of a protocol that has one."""
    login = encoder.login()
    assert login is not None
    return login.data


def drive(number: int, count: int, begins_at: datetime | None = None) -> list[Report]:
    """Return so many reports of a device that drives north, a second apart."""
    begins_at = begins_at or datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    longitude = -46.63 + number * 1e-4
    return [
        Report(begins_at + timedelta(seconds=step), -23.55 + step * 1e-4, longitude, speed_kph=40.0)
        for step in range(count)
    ]


class TrackerClient(asyncio.Protocol):
    """A Teltonika that logs in and sends its packets one after the other, each when the one before was acknowledged."""

    def __init__(self, login: bytes, packets: Sequence[bytes], every_seconds: float = 0.0) -> None:
        self.loop = asyncio.get_running_loop()
        self.logged_in: asyncio.Future[None] = self.loop.create_future()
        self.done: asyncio.Future[None] = self.loop.create_future()
        self.latencies: list[float] = []
        self._login = login
        self._packets = iter(packets)
        self._every_seconds = every_seconds
        self._unread = 0
        self._sent_at = 0.0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._login)

    def data_received(self, data: bytes) -> None:
        self._unread += len(data)
        if not self.logged_in.done():
            self._unread -= LOGIN_ACKNOWLEDGEMENT_BYTES
            self.logged_in.set_result(None)
        while self._unread >= ACKNOWLEDGEMENT_BYTES:
            self._unread -= ACKNOWLEDGEMENT_BYTES
            self.latencies.append(time.perf_counter() - self._sent_at)
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        for future in (self.logged_in, self.done):
            if not future.done():
                future.set_exception(error or ConnectionError("closed by the gateway"))

    def begin(self) -> None:
        """Send the first packet."""
        self._send()

    def _next(self) -> None:
        if self._every_seconds:
            self.loop.call_later(self._every_seconds, self._send)
        else:
            self._send()

    def _send(self) -> None:
        packet = next(self._packets, None)
        if packet is None:
            if not self.done.done():
                self.done.set_result(None)
            return
        self._sent_at = time.perf_counter()
        self.transport.write(packet)


async def connect_all(port: int, clients: Sequence[TrackerClient], at_once: int = 200) -> None:
    """Connect these and wait until all are logged in, so many at once."""
    loop = asyncio.get_running_loop()
    for start in range(0, len(clients), at_once):
        some = clients[start : start + at_once]
        await asyncio.gather(*(loop.create_connection(lambda one=one: one, HOST, port) for one in some))
        await asyncio.gather(*(one.logged_in for one in some))


def share_of(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
