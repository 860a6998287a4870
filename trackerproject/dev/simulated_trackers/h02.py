"""H02 as Sinotrack's trackers speak it: text, speeds in knots, bits of the status that are active when they are 0."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

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
IGNITION, SOS, RELAY = 10, 1, 27


class H02Tracker(Encoder):
    """One report at a time: the answer V4,V1 names none."""

    protocol = "h02"
    sample_identifier = "4210051415"
    window = 1

    def heartbeat(self) -> Packet:
        return Packet(f"*HQ,{self.identifier},HTBT,100#".encode(), "HTBT")

    def encode(self, reports: Sequence[Report]) -> Packet:
        (report,) = reports
        place = _place(report, f"{report.at:%H%M%S}")
        return Packet(f"*HQ,{self.identifier},V1,{place},724,5,4660,22136#".encode(), "V1", 1)

    def take(self) -> list[Heard] | None:
        message = self.take_until(b"#")
        if message is None:
            return None
        fields = message.decode("ascii").strip().removeprefix("*").split(",")
        if fields[1] != self.identifier:
            return []
        if fields[2] == "V4":
            return [Acknowledgement(fields[3])]
        if fields[2] in ("HTBT", "R12"):
            return [Acknowledgement(fields[2])]
        return [self._carry_out(fields[2], fields[3:])]

    def _carry_out(self, name: str, arguments: list[str]) -> HeardCommand:
        cuts = None
        if name == "S20" and arguments[1:2] == ["1"]:
            cuts = arguments[2:3] == ["1"]
        now = datetime.now(UTC)
        sent_at = arguments[0] if arguments else ""
        place = _place(self.last, f"{now:%H%M%S}") if self.last else f"{now:%H%M%S},V,,,,,0,0,{now:%d%m%y},FFFFFFFF"
        answer = f"*HQ,{self.identifier},V4,{name},DONE,{sent_at},{place}#"
        return HeardCommand(",".join([name, *arguments]), answer.encode(), cuts)


def _place(report: Report, clock: str) -> str:
    latitude, north = degrees_minutes(report.latitude, 2, "N", "S")
    longitude, east = degrees_minutes(report.longitude, 3, "E", "W")
    status = 0xFFFFFFFF
    if not report.ignition:
        status &= ~(1 << IGNITION)
    if report.alarm:
        status &= ~(1 << SOS)
    if report.is_relay_cut:
        status &= ~(1 << RELAY)
    knots, course = f"{report.speed_kph / KPH_PER_KNOT:06.2f}", f"{round(report.course_degrees) % 360:03d}"
    return f"{clock},A,{latitude},{north},{longitude},{east},{knots},{course},{report.at:%d%m%y},{status:08X}"
