"""A real `manage.py gateway` on free ports, and simulated trackers that speak to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tasks_app.ingest.trackers.registry import PROTOCOLS
from tests.support.cluster import ROOT, environment
from trackerproject.dev.management.commands.demo import free_port
from trackerproject.dev.simulated_trackers import ENCODERS, Report, SimulatedTracker

# Of the protocols that both sides have.
SPOKEN = [name for name in ENCODERS if name in PROTOCOLS]


class GatewayProcess:
    """A gateway that can be killed and started again on the same ports."""

    def __init__(self, folder: Path, **extra_environment: str) -> None:
        self.ports = {name: free_port() for name in SPOKEN}
        self.log = folder / f"gateway-{time.monotonic_ns()}.log"
        ports = {f"GATEWAY_{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        self._environment = environment(GATEWAY_HOST="127.0.0.1", **ports, **extra_environment)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, where it does not run."""
        if self.process is not None and self.process.poll() is None:
            return
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "gateway"],
                cwd=ROOT,
                env=self._environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End it as a crash does."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


@contextmanager
def running_gateway(folder: Path, **extra_environment: str) -> Iterator[GatewayProcess]:
    """Start a gateway; at the end nothing of it is left."""
    gateway = GatewayProcess(folder, **extra_environment)
    gateway.start()
    try:
        yield gateway
    finally:
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.process.terminate()
            try:
                gateway.process.wait(15)
            except subprocess.TimeoutExpired:
                gateway.kill()


def identifier_of(protocol: str, number: int = 0) -> str:
    """Return an identifier as long as those of this protocol are, which no other test of the run uses."""
    sample = ENCODERS[protocol].sample_identifier
    return sample[:-6] + f"{(time.monotonic_ns() // 1000 + number) % 1_000_000:06d}"


def transport_of(protocol: str) -> str:
    """Return the transport on which its reports are acknowledged, TCP where neither or both are."""
    acknowledged_on = ENCODERS[protocol].acknowledged_on
    return "udp" if acknowledged_on == {"udp"} else "tcp"


@contextmanager
def running_trackers(
    gateway: GatewayProcess, identifiers: dict[str, str], **options: float
) -> Iterator[dict[str, SimulatedTracker]]:
    """Start one tracker for each protocol with its identifier; at the end they are stopped."""
    trackers = {
        protocol: SimulatedTracker(
            ENCODERS[protocol](identifier, transport_of(protocol)), "127.0.0.1", gateway.ports[protocol], **options
        )
        for protocol, identifier in identifiers.items()
    }
    for tracker in trackers.values():
        tracker.start()
    try:
        yield trackers
    finally:
        for tracker in trackers.values():
            tracker.stop()


def a_drive(number: int, count: int, *, ends_at: datetime | None = None, every_seconds: int = 10) -> list[Report]:
    """Return so many reports of a vehicle that drives north, the last one a moment ago."""
    ends_at = (ends_at or datetime.now(UTC)).replace(microsecond=0)
    return [
        Report(
            ends_at - timedelta(seconds=(count - 1 - step) * every_seconds),
            -23.55 + step * 1e-3,
            -46.63 + number * 1e-2,
            speed_kph=40.0,
            course_degrees=0.0,
            altitude_meters=760.0,
            odometer_meters=step * 111,
        )
        for step in range(count)
    ]
