"""JT/T 808-2013: registration, authentication, locations, and answers that name the serial number of their question."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import timedelta

from trackerproject.dev.simulated_trackers.base import Acknowledgement, Encoder, Heard, HeardCommand, Packet, Report
from trackerproject.dev.simulated_trackers.checksums import exclusive_or

ANSWER, HEARTBEAT, REGISTER, AUTHENTICATE, LOCATION, LOCATION_ANSWER = 0x0001, 0x0002, 0x0100, 0x0102, 0x0200, 0x0201
SERVER_ANSWER, REGISTERED, PARAMETERS, CONTROL, ASK_LOCATION, TEXT = 0x8001, 0x8100, 0x8103, 0x8105, 0x8201, 0x8300
OIL_OFF, OIL_ON = 0xF0, 0xF1
# The standard's clock.
CHINA = timedelta(hours=8)


class Jt808Tracker(Encoder):
    """The log-in is its registration; the code it gets by that is sent back in its authentication."""

    protocol = "jt808"
    sample_identifier = "002002604323"

    def login(self) -> Packet | None:
        plate = b"BRA2E19"
        body = struct.pack(">HH", 35, 100) + b"70111" + b"HB-R03GBD".ljust(20, b"\0") + b"2604323" + b"\x01" + plate
        return self._packet(REGISTER, body)

    def heartbeat(self) -> Packet:
        return self._packet(HEARTBEAT, b"")

    def encode(self, reports: Sequence[Report]) -> Packet:
        (report,) = reports
        return self._packet(LOCATION, _location(report), reports=1)

    def take(self) -> list[Heard] | None:
        begin = self.buffer.find(b"\x7e")
        end = self.buffer.find(b"\x7e", begin + 1)
        if begin < 0 or end < 0:
            return None
        escaped, self.buffer = self.buffer[begin + 1 : end], self.buffer[end + 1 :]
        frame = escaped.replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")
        if exclusive_or(frame) or len(frame) < 13:
            return []
        kind, serial, body = int.from_bytes(frame[:2], "big"), int.from_bytes(frame[10:12], "big"), frame[12:-1]
        if kind == SERVER_ANSWER:
            about, question, result = struct.unpack(">HHB", body[:5])
            return [Acknowledgement(f"{question:04x} {about}", is_refusal=bool(result))]
        if kind == REGISTERED:
            about, result = struct.unpack(">HB", body[:3])
            code = self._packet(AUTHENTICATE, body[3:])
            return [Acknowledgement(f"{REGISTER:04x} {about}", is_refusal=bool(result), then=code)]
        return [self._carry_out(kind, serial, body)]

    def _carry_out(self, kind: int, serial: int, body: bytes) -> HeardCommand:
        cuts = {OIL_OFF: True, OIL_ON: False}.get(body[0]) if kind == CONTROL and body else None
        if kind == ASK_LOCATION and self.last:
            answer = self._packet(LOCATION_ANSWER, struct.pack(">H", serial) + _location(self.last))
        else:
            is_known = kind in (PARAMETERS, CONTROL, TEXT)
            answer = self._packet(ANSWER, struct.pack(">HHB", serial, kind, 0 if is_known else 3))
        return HeardCommand(f"{kind:04X} {body.hex()}", answer.data, cuts)

    def _packet(self, kind: int, body: bytes, *, reports: int = 0) -> Packet:
        serial = self.next_serial()
        frame = struct.pack(">HH", kind, len(body)) + bytes.fromhex(self.identifier) + struct.pack(">H", serial) + body
        frame += bytes([exclusive_or(frame)])
        escaped = frame.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02")
        return Packet(b"\x7e" + escaped + b"\x7e", f"{kind:04x} {serial}", reports)


def _location(report: Report) -> bytes:
    status = (
        report.ignition | 1 << 1 | (report.latitude < 0) << 2 | (report.longitude < 0) << 3 | report.is_relay_cut << 10
    )
    fixed = struct.pack(
        ">IIIIhHH",
        1 if report.alarm else 0,
        status,
        round(abs(report.latitude) * 1_000_000),
        round(abs(report.longitude) * 1_000_000),
        round(report.altitude_meters),
        round(report.speed_kph * 10),
        round(report.course_degrees) % 360,
    )
    clock = bytes.fromhex(f"{report.at + CHINA:%y%m%d%H%M%S}")
    items = struct.pack(">BBIBBB", 1, 4, report.odometer_meters // 100, 0x31, 1, report.satellites)
    return fixed + clock + items
