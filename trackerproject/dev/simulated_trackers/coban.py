"""Coban (GPS103, TK103): text; only the SOS button is acknowledged. The first stamp is local time, the second UTC."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from trackerproject.dev.simulated_trackers.base import (
    Acknowledgement,
    Encoder,
    Heard,
    HeardCommand,
    Packet,
    Report,
    degrees_minutes,
)

KPH_PER_KNOT = 1.852
# Its clock was set in São Paulo.
LOCAL = timedelta(hours=-3)
LOGIN, ALIVE, SOS = "LOAD", "ON", "E"


class CobanTracker(Encoder):
    """Reports go out and are forgotten, as the protocol has it: what a connection loses is lost."""

    protocol = "coban"
    sample_identifier = "359586015829802"
    acknowledged_on = frozenset()

    def login(self) -> Packet | None:
        return Packet(f"##,imei:{self.identifier},A;".encode(), LOGIN)

    def heartbeat(self) -> Packet:
        return Packet(f"{self.identifier};".encode(), ALIVE)

    def encode(self, reports: Sequence[Report]) -> Packet:
        (report,) = reports
        keyword = "help me" if report.alarm else "tracker"
        return Packet(self._report(report, keyword), SOS if report.alarm else "", 1)

    def take(self) -> list[Heard] | None:
        for word in (LOGIN, ALIVE):
            if self.buffer.startswith(word.encode()):
                self.buffer = self.buffer[len(word) :].lstrip(b";\r\n")
                return [Acknowledgement(word)]
        message = self.take_until(b";")
        if message is None and self.buffer.startswith(b"**,imei:"):
            # A command comes alone and without an end.
            message, self.buffer = self.buffer, b""
        if message is None:
            return None
        marks, name, *rest = message.decode("ascii").strip().split(",")
        if marks != "**" or name != f"imei:{self.identifier}" or not rest:
            return []
        if rest[0] == SOS:
            return [Acknowledgement(SOS)]
        cuts = {"J": True, "K": False}.get(rest[0])
        answer = self._report(self.last, f"{rest[0].lower()}t") if self.last else b""
        return [HeardCommand(",".join(rest), answer, cuts)]

    def _report(self, report: Report, keyword: str) -> bytes:
        latitude, north = degrees_minutes(report.latitude, 2, "N", "S")
        longitude, east = degrees_minutes(report.longitude, 3, "E", "W")
        place = f"{latitude},{north},{longitude},{east},{report.speed_kph / KPH_PER_KNOT:.2f}"
        end = f"{report.course_degrees % 360:.2f},{report.altitude_meters:.0f},{report.ignition:d},0,0.00%,0.00%"
        clocks = f"{report.at + LOCAL:%y%m%d%H%M%S},,F,{report.at:%H%M%S}.000,A"
        return f"imei:{self.identifier},{keyword},{clocks},{place},{end};".encode()
