"""How somebody reads: the language, time zone and units that files for people are written in."""

from __future__ import annotations

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from reports_app.table.columns import ColumnKind
from tasks_app.geo.units import AnyUnit, Units


@dataclass(frozen=True, slots=True)
class DisplaySettings:
    """One way of reading. `time_zone` is a name that this system knows."""

    language: str = "en"
    time_zone: str = "UTC"
    units: Units = field(default_factory=Units)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def reads_as(self) -> str:
        """A short text that two readers share when a file for one reads the same for the other."""
        units = self.units
        return " ".join([self.language, self.time_zone, units.distance, units.speed, units.altitude, units.volume])

    def unit_of(self, kind: ColumnKind) -> AnyUnit | None:
        """The unit this person reads such a column in; None where there is nothing to choose."""
        units: dict[ColumnKind, AnyUnit] = {
            ColumnKind.DISTANCE_KM: self.units.distance,
            ColumnKind.SPEED_KPH: self.units.speed,
            ColumnKind.ALTITUDE_METERS: self.units.altitude,
            ColumnKind.VOLUME_LITERS: self.units.volume,
        }
        return units.get(kind)
