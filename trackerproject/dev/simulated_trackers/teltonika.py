"""Teltonika with Codec 8 Extended, and Codec 12 for commands."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from trackerproject.dev.simulated_trackers.base import Acknowledgement, Encoder, Heard, HeardCommand, Packet, Report
from trackerproject.dev.simulated_trackers.checksums import crc16_arc

CODEC_8E, CODEC_12 = 0x8E, 0x0C
IGNITION, MOVEMENT, OUTPUT_1, EXTERNAL_MILLIVOLTS, ODOMETER_METERS = 239, 240, 179, 66, 16
SOS_BUTTON = 236
LOGIN = "login"


class TeltonikaTracker(Encoder):
    """One packet at a time: its acknowledgement is the number of records, and names no packet."""

    protocol = "teltonika"
    sample_identifier = "352093086403655"
    most_reports = 10
    window = 1

    def __init__(self, *arguments: str) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._is_logged_in = False

    def begin(self) -> None:
        super().begin()
        self._is_logged_in = self.transport == "udp"

    def login(self) -> Packet | None:
        if self.transport == "udp":
            return None
        name = self.identifier.encode()
        return Packet(struct.pack(">H", len(name)) + name, LOGIN)

    def heartbeat(self) -> Packet:
        return Packet(b"\xff")

    def encode(self, reports: Sequence[Report]) -> Packet:
        count = bytes([len(reports)])
        body = bytes([CODEC_8E]) + count + b"".join(map(_record, reports)) + count
        if self.transport == "tcp":
            return Packet(_framed(body), f"records {len(reports)}", len(reports))
        number, name = self.next_serial(), self.identifier.encode()
        rest = struct.pack(">HBBH", number, 1, number & 0xFF, len(name)) + name + body
        return Packet(struct.pack(">H", len(rest)) + rest, f"packet {number} {len(reports)}", len(reports))

    def take(self) -> list[Heard] | None:
        if self.transport == "udp":
            return self._take_datagram()
        if not self._is_logged_in:
            if not self.buffer:
                return None
            answer, self.buffer = self.buffer[:1], self.buffer[1:]
            self._is_logged_in = answer == b"\x01"
            return [Acknowledgement(LOGIN, is_refusal=not self._is_logged_in)]
        if len(self.buffer) < 4:
            return None
        if records := int.from_bytes(self.buffer[:4], "big"):
            self.buffer = self.buffer[4:]
            return [Acknowledgement(f"records {records}")]
        return self._take_command()

    def _take_datagram(self) -> list[Heard] | None:
        if len(self.buffer) < 7:
            return None
        _, number, _, _, records = struct.unpack(">HHBBB", self.buffer[:7])
        self.buffer = self.buffer[7:]
        return [Acknowledgement(f"packet {number} {records}")]

    def _take_command(self) -> list[Heard] | None:
        if len(self.buffer) < 8:
            return None
        end = 12 + int.from_bytes(self.buffer[4:8], "big")
        if len(self.buffer) < end:
            return None
        body, checksum, self.buffer = self.buffer[8 : end - 4], self.buffer[end - 4 : end], self.buffer[end:]
        if body[0] != CODEC_12 or int.from_bytes(checksum, "big") != crc16_arc(body):
            return []
        text = body[7 : 7 + int.from_bytes(body[3:7], "big")].decode("ascii")
        cuts, answer = _carry_out(text)
        said = answer.encode()
        length = struct.pack(">I", len(said))
        return [HeardCommand(text, _framed(bytes([CODEC_12, 1, 6]) + length + said + b"\x01"), cuts)]


def _record(report: Report) -> bytes:
    where = struct.pack(
        ">QBiihHBH",
        int(report.at.timestamp() * 1000),
        2 if report.alarm else 0,
        round(report.longitude * 1e7),
        round(report.latitude * 1e7),
        round(report.altitude_meters),
        round(report.course_degrees) % 360,
        report.satellites,
        round(report.speed_kph),
    )
    ones = {
        IGNITION: report.ignition,
        MOVEMENT: report.speed_kph > 0,
        OUTPUT_1: report.is_relay_cut,
        **({SOS_BUTTON: 1} if report.alarm else {}),
    }
    groups = [
        _group(">HB", ones),
        _group(">HH", {EXTERNAL_MILLIVOLTS: 12_600}),
        _group(">HI", {ODOMETER_METERS: report.odometer_meters}),
        _group(">HQ", {}),
        _group(">H", {}),
    ]
    event = SOS_BUTTON if report.alarm else 0
    return where + struct.pack(">HH", event, len(ones) + 2) + b"".join(groups)


def _group(layout: str, values: dict[int, int]) -> bytes:
    return struct.pack(">H", len(values)) + b"".join(struct.pack(layout, name, value) for name, value in values.items())


def _framed(body: bytes) -> bytes:
    return struct.pack(">II", 0, len(body)) + body + struct.pack(">I", crc16_arc(body))


def _carry_out(text: str) -> tuple[bool | None, str]:
    """Return the relay's new state and the answer of the device."""
    name, _, rest = text.partition(" ")
    if name == "setdigout" and rest[:1] in ("0", "1"):
        return rest[0] == "1", f"DOUT1:{rest[0]} Timeout:INFINITY"
    answers = {
        "getver": "Ver:03.27.07_00 GPS:AXN_5.10 Hw:FMB920 Mod:13 IMEI:352093086403655",
        "getinfo": "RTC:2026/11/30 10:00 Rst:1 Err:0 SR:0 BR:0 CF:0 FG:0 FL:0 UT:0 SMS:0 NOGPS:0 GPS:3 SAT:9 RS:3",
        "getgps": "GPS:1 Sat:9 Lat:-23.550000 Long:-46.630000 Alt:760 Speed:0 Dir:0",
        "getio": "DI1:1 DI2:0 AIN1:0 DO1:0",
        "cpureset": "",
    }
    if name == "setparam":
        return None, f"New value {rest}"
    return None, answers.get(name, "Unknown command")
