"""A simulated tracker on a real socket: it logs in, sends, waits for acknowledgements, repeats, and carries out commands."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from trackerproject.dev.simulated_trackers.base import Acknowledgement, Encoder, HeardCommand, Packet, Report
from trackerproject.dev.simulated_trackers.connections import Connection, connect

LOOK_SECONDS = 0.05
RECONNECT_SECONDS = 0.3
ANSWER_SECONDS = 10.0


@dataclass(slots=True)
class Figures:
    """Figures of a tracker. `packets` counts repeated ones each time."""

    connections: int = 0
    packets: int = 0
    repeated: int = 0
    acknowledged: int = 0
    refusals: int = 0
    commands: list[HeardCommand] = field(default_factory=list)


class SimulatedTracker(threading.Thread):
    """One tracker. `send` may be called from any thread; reports leave in the order in which they were given.

    `heartbeat_seconds` is the pause after which it says that it lives. A packet whose acknowledgement did not come within
    `answer_seconds` is sent again on a new connection, as devices do.
    """

    def __init__(
        self,
        encoder: Encoder,
        host: str,
        port: int,
        *,
        heartbeat_seconds: float = 30.0,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        super().__init__(name=f"tracker-{encoder.protocol}-{encoder.identifier}", daemon=True)
        self.encoder = encoder
        self.figures = Figures()
        self.is_relay_cut = False
        self._where = (host, port)
        self._heartbeat_seconds = heartbeat_seconds
        self._answer_seconds = answer_seconds
        self._waiting: deque[Report] = deque()
        self._sent: list[tuple[Packet, list[Report]]] = []
        self._asked_at = time.monotonic()
        self._ending = threading.Event()
        self._is_connected = threading.Event()

    # --- For others ---

    def send(self, reports: Iterable[Report]) -> None:
        """Send these as soon as the connection takes them."""
        self._waiting.extend(reports)

    @property
    def is_connected(self) -> bool:
        """Whether the server has taken its log-in, where it has one, or its connection."""
        return self._is_connected.is_set()

    @property
    def left(self) -> int:
        """How many reports are not sent, or not acknowledged though this protocol would."""
        return len(self._waiting) + sum(len(reports) for _, reports in self._sent)

    def stop(self) -> None:
        """End its thread, and wait for that."""
        self._ending.set()
        self.join(10)

    # --- Its thread ---

    def run(self) -> None:
        while not self._ending.is_set():
            try:
                self._converse()
            except OSError:
                self._is_connected.clear()
                self._ending.wait(RECONNECT_SECONDS)

    def _converse(self) -> None:
        """Keep one connection until it ends. Raises OSError."""
        connection = connect(self.encoder.transport, *self._where)
        try:
            self.encoder.begin()
            self._take_back_sent()
            self.figures.connections += 1
            self._log_in(connection)
            self._is_connected.set()
            spoke_at = time.monotonic()
            while not self._ending.is_set():
                if self._send_some(connection):
                    spoke_at = time.monotonic()
                elif time.monotonic() - spoke_at > self._heartbeat_seconds:
                    connection.send(self.encoder.heartbeat().data)
                    spoke_at = time.monotonic()
                self._listen(connection)
                self._complain_if_unanswered()
        finally:
            self._is_connected.clear()
            connection.close()

    def _log_in(self, connection: Connection) -> None:
        packet = self.encoder.login()
        deadline = time.monotonic() + self._answer_seconds
        while packet is not None:
            connection.send(packet.data)
            packet = self._login_answer(connection, packet, deadline)

    def _login_answer(self, connection: Connection, packet: Packet, deadline: float) -> Packet | None:
        """Wait for the answer to a part of the log-in; return the next part. Raises OSError where it is refused."""
        while not self._ending.is_set():
            for heard in self.encoder.hear(connection.receive(LOOK_SECONDS)):
                if isinstance(heard, Acknowledgement) and heard.key == packet.key:
                    if heard.is_refusal:
                        self.figures.refusals += 1
                        raise ConnectionRefusedError(self.encoder.identifier)
                    return heard.then
            if time.monotonic() > deadline:
                raise TimeoutError("no answer to the log-in")
        return None

    def _take_back_sent(self) -> None:
        """Put what nobody acknowledged before what waits: it is repeated first."""
        for _, reports in reversed(self._sent):
            self._waiting.extendleft(replace(report, is_buffered=True) for report in reversed(reports))
            self.figures.repeated += 1
        self._sent.clear()

    def _send_some(self, connection: Connection) -> bool:
        """Send a packet for each place in the window; return whether any was sent."""
        before = self.figures.packets
        while self._waiting and len(self._sent) < self.encoder.window:
            reports = [self._waiting[0]]
            for number in range(1, min(self.encoder.most_reports, len(self._waiting))):
                reports.append(self._waiting[number])
            reports = [replace(report, is_relay_cut=self.is_relay_cut) for report in reports]
            packet = self.encoder.pack(reports)
            connection.send(packet.data)
            self.figures.packets += 1
            for _ in reports:
                self._waiting.popleft()
            if packet.key:
                self._sent.append((packet, reports))
                self._asked_at = time.monotonic()
        return self.figures.packets > before

    def _listen(self, connection: Connection) -> None:
        for heard in self.encoder.hear(connection.receive(LOOK_SECONDS)):
            if isinstance(heard, HeardCommand):
                self._obey(heard, connection)
            else:
                self._note(heard)

    def _note(self, heard: Acknowledgement) -> None:
        for place, (packet, _) in enumerate(self._sent):
            if packet.key == heard.key:
                del self._sent[place]
                self.figures.acknowledged += 1
                self._asked_at = time.monotonic()
                return

    def _complain_if_unanswered(self) -> None:
        if self._sent and time.monotonic() - self._asked_at > self._answer_seconds:
            raise TimeoutError("no acknowledgement")

    def _obey(self, command: HeardCommand, connection: Connection) -> None:
        """Answer a command; where it switched the relay, report that at once, from where the tracker is."""
        self.figures.commands.append(command)
        if command.answer:
            connection.send(command.answer)
        if command.cuts_relay is not None:
            self.is_relay_cut = command.cuts_relay
            if self.encoder.last is not None:
                self.encoder.last = replace(self.encoder.last, is_relay_cut=self.is_relay_cut, alarm="")
                # Of some models only this tells the state of the relay.
                connection.send(self.encoder.heartbeat().data)
                # Clocks of trackers have whole seconds: this one comes after the command.
                at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
                self._waiting.append(replace(self.encoder.last, at=at, is_buffered=False))
