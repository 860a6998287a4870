"""Trackers of the soak: one for each protocol, which sends a fix every half second through a gateway that is killed, too.

At the end every fix of a protocol that acknowledges positions is stored, once; of the others none is stored twice, or wrongly.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from django.conf import settings

from tasks_app.ingest.trackers.registry import PROTOCOLS
from tasks_app.models import Device, Fleet, Position
from tasks_app.services.intake import ask_for_drains
from trackerproject.dev.embedded import start_child
from trackerproject.dev.management.commands.demo import gateway_environment
from trackerproject.dev.sample_trackers import simulated_tracker
from trackerproject.dev.simulated_trackers import ENCODERS, Report, SimulatedTracker

HOST = "127.0.0.1"
FLEET = "Soak"
SEND_EVERY_SECONDS = 0.5
ANSWER_SECONDS = 5.0
DRAIN_EVERY_SECONDS = 3.0


class SoakTrackers:
    """The gateway of one host, and the trackers."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.starts = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.trackers: dict[str, SimulatedTracker] = {}
        self.sent: dict[str, list[datetime]] = {}
        self._devices: dict[str, Device] = {}
        self._environment: dict[str, str] = {}
        self._began_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
        self._send_at = self._drain_at = 0.0

    def prepare(self) -> None:
        """Make the devices, without positions, and choose the ports."""
        self.log.unlink(missing_ok=True)
        self._environment = gateway_environment()
        names = {name: int(self._environment[f"GATEWAY_{name.upper()}_PORT"]) for name in ENCODERS if name in PROTOCOLS}
        settings.GATEWAY["PORTS"] |= names
        fleet, _ = Fleet.objects.get_or_create(name=FLEET)
        for name in names:
            identifier = ENCODERS[name].sample_identifier
            self._devices[name], _ = Device.objects.get_or_create(
                unique_id=identifier, defaults={"fleet": fleet, "name": identifier}
            )
            self.sent[name] = []
            self.trackers[name] = simulated_tracker(name, HOST, answer_seconds=ANSWER_SECONDS)
        Position.objects.filter(device__in=self._devices.values()).delete()

    # --- While things break ---

    def keep_running(self) -> None:
        """Start the gateway where it does not run, and the trackers once."""
        if self.process is None or self.process.poll() is not None:
            command = [sys.executable, "manage.py", "gateway"]
            with self.log.open("ab") as output:
                self.process = start_child(command, env={**os.environ, **self._environment}, output=output)
            self.starts += 1
        for tracker in self.trackers.values():
            if not tracker.is_alive() and tracker.ident is None:
                tracker.start()

    def processes(self) -> list[psutil.Process]:
        """The gateway, if it runs."""
        if self.process is not None and self.process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                return [psutil.Process(self.process.pid)]
        return []

    def send_some(self) -> None:
        """Have each tracker send a fix, if it is time for one."""
        if time.monotonic() < self._send_at:
            return
        self._send_at = time.monotonic() + SEND_EVERY_SECONDS
        for number, (name, tracker) in enumerate(self.trackers.items()):
            step = len(self.sent[name])
            at = self._began_at + timedelta(seconds=step)
            tracker.send([Report(at, -23.55 + step * 1e-4, -46.63 + number * 1e-2, speed_kph=40.0)])
            self.sent[name].append(at)

    # --- At the end ---

    @property
    def kept(self) -> list[str]:
        """The protocols whose positions are acknowledged, on the transport their tracker uses."""
        encoders = {name: tracker.encoder for name, tracker in self.trackers.items()}
        return [name for name, encoder in encoders.items() if encoder.transport in encoder.acknowledged_on]

    def is_settled(self) -> bool:
        """Whether all that trackers keep until it is acknowledged is stored. Raises errors of the servers."""
        if time.monotonic() >= self._drain_at:
            # The soak has no schedules, which would do this.
            self._drain_at = time.monotonic() + DRAIN_EVERY_SECONDS
            ask_for_drains()
        return not any(self.trackers[name].left for name in self.kept) and not any(
            set(self.sent[name]) - self._stored(name) for name in self.kept
        )

    def stop(self) -> int:
        """Stop trackers and gateway; return the gateway's exit code."""
        for tracker in self.trackers.values():
            if tracker.is_alive():
                tracker.stop()
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def rows(self) -> list[tuple[str, object]]:
        """Figures for the report."""
        figures = [tracker.figures for tracker in self.trackers.values()]
        return [
            ("gateway starts", self.starts),
            ("protocols that spoke", ", ".join(self.trackers)),
            ("fixes sent by trackers", sum(map(len, self.sent.values()))),
            ("packets of them that were sent again", sum(one.repeated for one in figures)),
            ("connections of trackers", sum(one.connections for one in figures)),
        ]

    def problems(self) -> list[str]:
        """Return sentences about all that is wrong in the books of the trackers."""
        found = []
        for name in self.trackers:
            stored = self._stored(name)
            if missing := len(set(self.sent[name]) - stored):
                note = f"{missing} fixes of {name} are lost"
                if name in self.kept:
                    found.append(note)
                else:
                    print(f"  {note}: nothing acknowledges its positions", flush=True)
            if stored - set(self.sent[name]):
                found.append(f"{name} has positions that were never sent")
            if Position.objects.filter(device=self._devices[name]).count() != len(stored):
                found.append(f"{name} has positions twice")
        return found

    def _stored(self, name: str) -> set[datetime]:
        return set(Position.objects.filter(device=self._devices[name]).values_list("fix_time", flat=True))
