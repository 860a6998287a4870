"""Queclink @Track of a GV300, text, with SACK switched on: the server acknowledges each message by its count number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from trackerproject.dev.simulated_trackers.base import Acknowledgement, Encoder, Heard, HeardCommand, Packet, Report

VERSION, NAME = "1F0101", "gv300"
# The first output is on: bit 0 of the second byte of the state.
STATE_MOVING, STATE_RESTING = "22", "21"


class QueclinkTracker(Encoder):
    """Position reports by GTFRI, the SOS button by GTSOS, the ignition and the outputs in the state of GTERI's kin."""

    protocol = "queclink"
    sample_identifier = "861971050039361"

    def heartbeat(self) -> Packet:
        return self._packet("+ACK:GTHBD", [])

    def encode(self, reports: Sequence[Report]) -> Packet:
        (report,) = reports
        kind = "GTSOS" if report.alarm else "GTFRI"
        header = "+BUFF" if report.is_buffered else "+RESP"
        place = [
            "1",
            f"{report.speed_kph:.1f}",
            f"{round(report.course_degrees) % 360}",
            f"{report.altitude_meters:.1f}",
            f"{report.longitude:.6f}",
            f"{report.latitude:.6f}",
            f"{report.at:%Y%m%d%H%M%S}",
            "0724",
            "0005",
            "1234",
            "5678",
            "00",
        ]
        # Power and kind of report, number of places, then the place, the mileage and what is on.
        state = f"{STATE_MOVING if report.ignition else STATE_RESTING}{bool(report.alarm):02X}{report.is_relay_cut:02X}"
        before = ["", "10" if not report.alarm else "00", "1"]
        after = [f"{report.odometer_meters / 1000:.1f}", "", "", "", "100", state, "", "", ""]
        return self._packet(f"{header}:{kind}", before + place + after, reports=1)

    def take(self) -> list[Heard] | None:
        message = self.take_until(b"$")
        if message is None:
            return None
        text = message.decode("ascii").strip()
        if text.startswith("+SACK:"):
            return [Acknowledgement(text.removeprefix("+SACK:").split(",")[-1])]
        if not text.startswith("AT+"):
            return []
        command, _, rest = text.removeprefix("AT+").partition("=")
        arguments = rest.split(",")
        cuts = arguments[1] == "1" if command == "GTOUT" and arguments[1:2] in (["0"], ["1"]) else None
        answer = self._packet(f"+ACK:{command}", [*(["", arguments[-1]])]) if command != "GTRTO" else None
        answer = answer or self._packet("+ACK:GTRTO", ["RTL" if arguments[1:2] == ["1"] else "VER", arguments[-1]])
        return [HeardCommand(f"{text}$", answer.data, cuts)]

    def _packet(self, kind: str, fields: list[str], *, reports: int = 0) -> Packet:
        count = f"{self.next_serial():04X}"
        parts = [kind, VERSION, self.identifier, NAME, *fields, f"{datetime.now(UTC):%Y%m%d%H%M%S}", count]
        return Packet((",".join(parts) + "$").encode(), count, reports)
