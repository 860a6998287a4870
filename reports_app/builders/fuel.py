"""Fuel: used, refueled and drained, per local day and event by event."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from reports_app.builders.base import report_days, report_device, report_drive, report_table
from reports_app.models import Report
from reports_app.table import Cell, Column, ColumnKind, ReportTable, Section
from tasks_app.geo.days import DayPart
from tasks_app.geo.distance import FloatArray
from tasks_app.geo.figures import Figures, total
from tasks_app.geo.fuel import FuelChange, FuelUse, counted_liters, fuel_use, levels_in_liters, min_change_liters
from tasks_app.models import Device
from tasks_app.queries.drives import Drive, datetime_of
from tasks_app.queries.positions import sent_numbers

DAYS = [
    Column("day", _("Day"), ColumnKind.DATE),
    Column("used_liters", _("Fuel used"), ColumnKind.VOLUME_LITERS),
    Column("refueled_liters", _("Refueled"), ColumnKind.VOLUME_LITERS),
    Column("drained_liters", _("Drained"), ColumnKind.VOLUME_LITERS),
    Column("level_start_liters", _("Level at start"), ColumnKind.VOLUME_LITERS),
    Column("level_end_liters", _("Level at end"), ColumnKind.VOLUME_LITERS),
    Column("distance_km", _("Distance"), ColumnKind.DISTANCE_KM),
    Column("liters_per_100_km", _("Liters per 100 km"), ColumnKind.NUMBER),
    Column("idle_seconds", _("Idle"), ColumnKind.DURATION_SECONDS),
]
CHANGES = [
    Column("kind", _("Kind"), ColumnKind.LABEL),
    Column("started_at", _("Start"), ColumnKind.DATETIME),
    Column("ended_at", _("End"), ColumnKind.DATETIME),
    Column("liters", _("Fuel"), ColumnKind.VOLUME_LITERS),
    Column("level_before_liters", _("Level before"), ColumnKind.VOLUME_LITERS),
    Column("level_after_liters", _("Level after"), ColumnKind.VOLUME_LITERS),
    Column("latitude", _("Latitude"), ColumnKind.LATITUDE),
    Column("longitude", _("Longitude"), ColumnKind.LONGITUDE),
]
REFUEL, DRAIN = gettext_noop("Refuel"), gettext_noop("Drain")
NAMES = ("fuel", "fuel_level", "fuel_used")


@dataclass(frozen=True, slots=True)
class _Tank:
    """The fuel of a device around a range: by levels and by its own counter, as far as it sends them."""

    use: FuelUse | None
    times: FloatArray
    counted_liters: FloatArray | None

    def used(self, start: float, end: float) -> float | None:
        """Return the liters used in a part of the range, by the device's own counter if it has one."""
        if self.counted_liters is not None:
            return float(self.counted_liters[_part(self.times, start, end)].sum())
        if self.use is None:
            return None
        return float(np.diff(np.interp([start, end], self.use.times_seconds, self.use.used_so_far_liters))[0])

    def changes(self, start: float, end: float) -> list[FuelChange]:
        """Return the refuels and drains that ended in a part of the range."""
        return [] if self.use is None else [each for each in self.use.changes if start <= each.ended_seconds < end]

    def levels(self, start: float, end: float) -> list[Cell]:
        """Return the first and the last known level in a part of the range."""
        levels = [] if self.use is None else self.use.levels_liters[_part(self.use.times_seconds, start, end)].tolist()
        return [levels[0], levels[-1]] if levels else [None, None]


def build(report: Report) -> ReportTable:
    """Return the fuel of one device. Levels in percent need the size of its tank."""
    device, days = report_device(report), report_days(report)
    drive = report_drive(report, device)
    figures = drive.figures([report.range_start, *(end for _day, _start, end in days)])
    tank = _tank(drive, device)
    rows = [_day_row(part, tank, each) for part, each in zip(days, figures, strict=True)]
    whole = (days[0][0], report.range_start, report.range_end)
    changes = tank.changes(report.range_start.timestamp(), report.range_end.timestamp())
    sections = [
        Section("days", _("Days"), DAYS, rows, [None, *_day_row(whole, tank, total(figures))[1:]]),
        Section("changes", _("Refuels and drains"), CHANGES, [_change_row(each, drive) for each in changes]),
    ]
    return report_table(report, device.name, sections)


def _tank(drive: Drive, device: Device) -> _Tank:
    """Read the fuel beyond the range, as the drive does, so that the smoothing does not begin at its borders."""
    low, high = drive.fixes.times_seconds[[0, -1]] if len(drive.fixes) else (0.0, 0.0)
    times, sent = sent_numbers(device.pk, datetime_of(low), datetime_of(high + 1.0), NAMES)
    levels = levels_in_liters(sent["fuel"], sent["fuel_level"], device.tank_liters)
    use = fuel_use(times, levels, _running(drive, times), min_change=min_change_liters(device.tank_liters))
    has_counter = bool(np.isfinite(sent["fuel_used"]).any())
    return _Tank(use, times, counted_liters(sent["fuel_used"]) if has_counter else None)


def _running(drive: Drive, times: FloatArray) -> npt.NDArray[np.bool_]:
    """Return whether the device moved, or its engine ran, at each of these times."""
    if not len(drive.steps.moving):
        return np.zeros(len(times), dtype=np.bool_)
    steps = np.clip(np.searchsorted(drive.steps.times, times) - 1, 0, len(drive.steps.moving) - 1)
    fixes = np.clip(np.searchsorted(drive.fixes.times_seconds, times), 0, len(drive.fixes) - 1)
    return drive.steps.moving[steps] | (drive.fixes.ignition[fixes] == 1.0)


def _part(times: FloatArray, start: float, end: float) -> slice:
    first, last = np.searchsorted(times, [start, end]).tolist()
    return slice(first, last)


def _day_row(part: DayPart, tank: _Tank, figures: Figures) -> list[Cell]:
    day, start, end = part[0], part[1].timestamp(), part[2].timestamp()
    used, changes = tank.used(start, end), tank.changes(start, end)
    refueled = sum(each.liters for each in changes if each.liters > 0)
    drained = -sum(each.liters for each in changes if each.liters < 0)
    per_100_km = used / figures.distance_km * 100.0 if used is not None and figures.distance_km >= 1.0 else None
    levels = tank.levels(start, end)
    return [day, used or 0.0, refueled, drained, *levels, figures.distance_km, per_100_km, figures.idle_seconds]


def _change_row(change: FuelChange, drive: Drive) -> list[Cell]:
    place = int(np.clip(np.searchsorted(drive.fixes.times_seconds, change.ended_seconds), 0, len(drive.fixes) - 1))
    return [
        REFUEL if change.liters > 0 else DRAIN,
        datetime_of(change.started_seconds),
        datetime_of(change.ended_seconds),
        abs(change.liters),
        change.level_before_liters,
        change.level_after_liters,
        float(drive.fixes.latitudes[place]),
        float(drive.fixes.longitudes[place]),
    ]
