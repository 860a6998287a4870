"""Suntech ST300: text, without a log-in. Over TCP nothing acknowledges a report; over UDP the server does if so configured."""

from __future__ import annotations

from collections.abc import Sequence

from trackerproject.dev.simulated_trackers.base import Acknowledgement, Encoder, Heard, HeardCommand, Packet, Report

SOFTWARE = "319"


class SuntechTracker(Encoder):
    """Configured with UDP_ACK=1: over UDP each report waits for its ST300ACK, one at a time, as it names no report."""

    protocol = "suntech"
    sample_identifier = "511848119"
    window = 1
    acknowledged_on = frozenset({"udp"})

    def heartbeat(self) -> Packet:
        return Packet(f"ST300ALV;{self.identifier}\r".encode())

    def encode(self, reports: Sequence[Report]) -> Packet:
        (report,) = reports
        number = self.next_serial(10_000)
        outputs = f"{report.ignition:d}{bool(report.alarm):d}00{report.is_relay_cut:d}0"
        mode = "1" if report.alarm else "2" if report.speed_kph else "1"
        fields = [
            "ST300EMG" if report.alarm else "ST300STT",
            self.identifier,
            "03",
            SOFTWARE,
            f"{report.at:%Y%m%d}",
            f"{report.at:%H:%M:%S}",
            "177b38",
            f"{report.latitude:+010.6f}",
            f"{report.longitude:+011.6f}",
            f"{report.speed_kph:07.3f}",
            f"{report.course_degrees % 360:06.2f}",
            str(report.satellites),
            "1",
            str(report.odometer_meters),
            "12.60",
            outputs,
            mode,
            # A status bears its number, an emergency none.
            *([] if report.alarm else [f"{number:04d}"]),
            "000100",
            "4.1",
            "0" if report.is_buffered else "1",
        ]
        key = "report" if self.transport == "udp" else ""
        return Packet((";".join(fields) + "\r").encode(), key, 1)

    def take(self) -> list[Heard] | None:
        message = self.take_until(b"\r")
        if message is None and self.transport == "udp" and self.buffer:
            # A datagram is whole, whether it ends in CR or not.
            message, self.buffer = self.buffer, b""
        if message is None:
            return None
        fields = message.decode("ascii").strip().split(";")
        if fields[:2] == ["ST300ACK", self.identifier]:
            return [Acknowledgement("report")]
        if fields[:2] != ["ST300CMD", self.identifier]:
            return []
        name = ";".join(fields[3:])
        cuts = {"Enable1": True, "Disable1": False}.get(name)
        return [HeardCommand(name, f"ST300CMD;Res;{self.identifier};{SOFTWARE};{name}\r".encode(), cuts)]
