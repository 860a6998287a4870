"""Gateways for tests: one in a thread of the test, on free ports, and real processes."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connections

from tasks_app.gateway.config import gateway_config
from tasks_app.gateway.server import Gateway
from tasks_app.ingest.trackers.base import TrackerProtocol
from tests.support.cluster import ROOT, allowed, environment, wait_until
from tests.support.line_protocol import LINES

HOST = "127.0.0.1"


class RunningGateway:
    """A gateway whose event loop runs in a thread."""

    def __init__(self, protocol: TrackerProtocol = LINES, **config: Any) -> None:
        self._protocol = protocol
        self._config = config
        self._is_listening = threading.Event()
        self._error: BaseException | None = None
        self.gateway: Any = None
        # 0: one that the system chooses.
        self.port = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def tcp_port(self) -> int:
        return self.gateway.ports[0]

    @property
    def udp_port(self) -> int:
        return self.gateway.ports[1]

    def start(self) -> None:
        self._thread.start()
        wait_until(lambda: self._is_listening.is_set() or self._error, what="the gateway to listen")
        assert self._error is None, self._error

    def stop(self) -> None:
        if self._thread.is_alive():
            self.gateway._loop.call_soon_threadsafe(self.gateway.stop)
            self._thread.join(allowed(30))
        assert not self._thread.is_alive()
        assert self._error is None, self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - shown by the test
            self._error = error
        finally:
            connections.close_all()

    async def _serve(self) -> None:
        config = gateway_config(**{"host": HOST, "grace_seconds": 8.0, **self._config})
        self.gateway = Gateway(config, {self._protocol.name: (self._protocol, self.port)})
        await self.gateway.run(self._is_listening.set)


@contextmanager
def running_gateway(**config: Any) -> Iterator[RunningGateway]:
    """Run a gateway, of the line protocol unless another one is named; at the end it has stopped in order."""
    running = RunningGateway(**config)
    try:
        running.start()
        yield running
    finally:
        running.stop()


# Longer than a gateway waits between two tries, which is what an outage leaves a tracker with.
PATIENCE_SECONDS = 15


class Tracker:
    """A tracker of the line protocol, by TCP."""

    def __init__(self, port: int, source: str = "") -> None:
        self.socket = socket.create_connection((HOST, port), 10, source_address=(source, 0) if source else None)
        self.socket.settimeout(allowed(PATIENCE_SECONDS))
        self._read = b""

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, *lines: str) -> None:
        self.socket.sendall("".join(f"{line}\n" for line in lines).encode())

    def line(self) -> str:
        """Return the next line, "" where the gateway closed the connection."""
        while b"\n" not in self._read:
            try:
                piece = self.socket.recv(4096)
            except ConnectionResetError:
                return ""
            if not piece:
                return ""
            self._read += piece
        line, _, self._read = self._read.partition(b"\n")
        return line.decode()

    def ask(self, *lines: str) -> str:
        self.send(*lines)
        return self.line()

    def is_silent(self, seconds: float = 0.5) -> bool:
        """Return whether nothing comes for so long, and the connection stays."""
        self.socket.settimeout(seconds)
        try:
            return self.line() == "never"
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(allowed(PATIENCE_SECONDS))

    def is_closed(self) -> bool:
        """Return whether the gateway closes the connection, after whatever it sends."""
        while self.line():
            pass
        return True


class GatewayProcess:
    """A real `manage.py gateway`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, ports: dict[str, int]) -> None:
        self.process = process
        self.log = log
        self.ports = ports

    @property
    def port(self) -> int:
        return next(iter(self.ports.values()))

    def stop(self, number: int = signal.SIGTERM, seconds: float = 30) -> int:
        """Signal it, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(allowed(seconds))


@contextmanager
def gateway_process(
    folder: Path, *protocols: str, program: Sequence[str] = ("manage.py", "gateway"), **extra_environment: str
) -> Iterator[GatewayProcess]:
    """Start a gateway of these protocols on free ports, and wait until it listens; at the end it is gone."""
    protocols = protocols or (LINES.name,)
    ports = dict(zip(protocols, free_ports(len(protocols)), strict=True))
    names = {f"GATEWAY_{name.upper()}_PORT": str(port) for name, port in ports.items()}
    log = folder / f"gateway-{'-'.join(map(str, ports.values()))}.log"
    names["EXTRA_APPS"] = "tests.support.probe,tests.support.lines_app"
    command = [sys.executable, *program, "--protocols", ",".join(protocols), "--host", HOST]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(**names, **extra_environment),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until(
            lambda: log.read_bytes().count(b" listens on ") == len(ports) or process.poll() is not None,
            60,
            lambda: f"the gateway to listen: {log.read_text()}",
        )
        assert process.poll() is None, log.read_text()
        yield GatewayProcess(process, log, ports)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)


def free_ports(count: int) -> list[int]:
    """Return ports that are free for TCP and UDP."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind((HOST, 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind((HOST, port))
            except OSError:
                continue
            if port not in found:
                found.append(port)
    return found
