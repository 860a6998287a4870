"""Display settings: language, time zone and units of files and pages for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from reports_app.table.columns import ColumnKind
from tasks_app.geo.units import AnyUnit, Units


@dataclass(frozen=True, slots=True)
class DisplaySettings:
    """Language, time zone (a known name) and units."""

    language: str = "en"
    time_zone: str = "UTC"
    units: Units = field(default_factory=Units)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def reads_as(self) -> str:
        """Return a text that is equal for display settings that give equal files."""
        units = self.units
        return " ".join([self.language, self.time_zone, units.distance, units.speed, units.altitude, units.volume])

    def unit_of(self, kind: ColumnKind) -> AnyUnit | None:
        """Return the unit of such a column, None for kinds with one unit only."""
        units: dict[ColumnKind, AnyUnit] = {
            ColumnKind.DISTANCE_KM: self.units.distance,
            ColumnKind.SPEED_KPH: self.units.speed,
            ColumnKind.ALTITUDE_METERS: self.units.altitude,
            ColumnKind.VOLUME_LITERS: self.units.volume,
        }
        return units.get(kind)
