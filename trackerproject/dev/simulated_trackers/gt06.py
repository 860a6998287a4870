"""GT06 as Concox devices speak it: 22 for positions, 26 for alarms, 13 for the state of the terminal."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from trackerproject.dev.simulated_trackers.base import Acknowledgement, Encoder, Heard, HeardCommand, Packet, Report
from trackerproject.dev.simulated_trackers.checksums import crc16_x25

LOGIN, STATUS, REPLY, POSITION, ALARM, COMMAND = 0x01, 0x13, 0x15, 0x22, 0x26, 0x80
CELL = struct.pack(">HBHBH", 724, 5, 0x1234, 0, 0x5678)


class Gt06Tracker(Encoder):
    """An acknowledgement names the type and the serial number of what it acknowledges: log-ins, states, alarms."""

    protocol = "gt06"
    sample_identifier = "864717003283581"
    acknowledged_on = frozenset()

    def login(self) -> Packet | None:
        return self._packet(LOGIN, bytes.fromhex(self.identifier.zfill(16)))

    def heartbeat(self) -> Packet:
        return self._packet(STATUS, self._terminal(self.last) + b"\x00\x02")

    def encode(self, reports: Sequence[Report]) -> Packet:
        (report,) = reports
        if report.alarm:
            cells = bytes([len(CELL) + 1]) + CELL
            return self._packet(ALARM, _place(report) + cells + self._terminal(report) + b"\x01\x02", reports=1)
        flags = bytes([report.ignition, 0, report.is_buffered])
        return self._packet(POSITION, _place(report) + CELL + flags, reports=1)

    def take(self) -> list[Heard] | None:
        if len(self.buffer) < 5 or len(self.buffer) < (end := self.buffer[2] + 5):
            return None
        frame, self.buffer = self.buffer[:end], self.buffer[end:]
        covered, checksum = frame[2:-4], int.from_bytes(frame[-4:-2], "big")
        if frame[:2] != b"xx" or frame[-2:] != b"\r\n" or crc16_x25(covered) != checksum:
            return []
        kind, content, serial = covered[1], covered[2:-2], int.from_bytes(covered[-2:], "big")
        if kind == COMMAND:
            return [self._carry_out(content)]
        return [Acknowledgement(f"{kind:02x} {serial}")]

    def _carry_out(self, content: bytes) -> HeardCommand:
        flag, text = content[1:5], content[5 : 1 + content[0]].decode("ascii")
        name = text.rstrip("#").split(",")
        cuts: bool | None = {"DYD": True, "HFYD": False}.get(name[0])
        if name[0].upper() == "RELAY" and name[1:2] in (["0"], ["1"]):
            cuts = name[1] == "1"
        sentences: dict[bool | None, str] = {
            True: "Cut off the fuel supply: Success!",
            False: "Restore fuel supply: Success!",
        }
        said = sentences.get(
            cuts,
            {"WHERE": "Lat:S23.550000,Lon:W46.630000", "STATUS": "Battery:4.1V,NORMAL; GPS:Successful positioning"}.get(
                name[0], f"{name[0]} OK!"
            ),
        )
        answer = bytes([4 + len(said)]) + flag + said.encode() + b"\x00\x02"
        return HeardCommand(text, self._packet(REPLY, answer).data, cuts)

    def _packet(self, kind: int, content: bytes, *, reports: int = 0) -> Packet:
        serial = self.next_serial()
        covered = bytes([len(content) + 5, kind]) + content + struct.pack(">H", serial)
        data = b"xx" + covered + struct.pack(">H", crc16_x25(covered)) + b"\r\n"
        # The document asks for an answer to all but positions.
        return Packet(data, "" if kind == POSITION else f"{kind:02x} {serial}", reports)

    @staticmethod
    def _terminal(report: Report | None) -> bytes:
        cut, ignition = (report.is_relay_cut, report.ignition) if report else (False, False)
        alarm = 4 if report and report.alarm else 0
        return bytes([cut << 7 | 1 << 6 | alarm << 3 | 1 << 2 | ignition << 1, 6, 4])


def _place(report: Report) -> bytes:
    at = report.at
    flags = round(report.course_degrees) % 360 | (report.latitude >= 0) << 10 | (report.longitude < 0) << 11 | 1 << 12
    return bytes(
        [at.year - 2000, at.month, at.day, at.hour, at.minute, at.second, 0xC0 | report.satellites]
    ) + struct.pack(
        ">IIBH",
        round(abs(report.latitude) * 1_800_000),
        round(abs(report.longitude) * 1_800_000),
        min(255, round(report.speed_kph)),
        flags,
    )
