"""Fleet, and a fleet's day: a row per device, a row per local day, rankings and violations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from reports_app.builders.base import check_row_count, figure_cells, figure_columns, report_days, report_table
from reports_app.builders.events import number, peak_kph
from reports_app.models import Report
from reports_app.queries import reportable_devices
from reports_app.table import Cell, Column, ColumnKind, ReportTable, Section
from tasks_app.engine import current_job
from tasks_app.geo.days import DayPart
from tasks_app.geo.figures import Figures, total
from tasks_app.models import Device, Event, EventKind
from tasks_app.queries.device_days import DayTotals, day_totals
from tasks_app.queries.streaming import streamed
from tasks_app.services.devices import refresh_days

TOP = 10
NAMES_IN_SUBJECT = 3
EVENT_COUNTS: dict[str, tuple[str, ...]] = {
    "overspeeds": (EventKind.OVERSPEED,),
    "geofence_events": (EventKind.GEOFENCE_ENTER, EventKind.GEOFENCE_EXIT),
    "offline_events": (EventKind.DEVICE_OFFLINE,),
}


# How many devices are brought up to date between two looks at whether the job was cancelled.
DEVICES_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """The figures of one device, per day part and in all."""

    device: Device
    days: list[DayTotals]
    figures: Figures = field(init=False)
    events: Counter[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "figures", total(day.figures for day in self.days))
        object.__setattr__(self, "events", Counter())
        for day in self.days:
            self.events.update(day.events)

    @property
    def trips(self) -> int:
        return sum(day.trips for day in self.days)

    def event_count(self, key: str) -> int:
        """Return the number of events of a group of EVENT_COUNTS."""
        return sum(self.events[kind] for kind in EVENT_COUNTS[key])


def build(report: Report) -> ReportTable:
    """Return the report of a fleet, of `device_ids`, or of all devices of the requester. Stops between devices when
    cancelled."""
    days, now = report_days(report), timezone.now()
    devices = list(report_devices(report).select_related("fleet").order_by("name", "pk"))
    events = Event.objects.filter(
        device__in=devices, occurred_at__gte=report.range_start, occurred_at__lt=report.range_end
    )
    check_row_count(events.filter(kind=EventKind.OVERSPEED).count())
    rows = list(_device_rows(devices, days, now))
    elapsed_seconds = max(0.0, (min(report.range_end, now) - report.range_start) / timedelta(seconds=1))
    sections = [
        devices_section(rows, elapsed_seconds),
        days_section(days, rows),
        *ranking_sections(rows, elapsed_seconds),
        _violations(events),
    ]
    return report_table(report, _subject(report, devices), sections)


def report_devices(report: Report) -> QuerySet[Device]:
    """Return the devices of a fleet report: the recorded ones, else those that its requester may report on now."""
    if report.held_device_ids is not None:
        return Device.objects.filter(pk__in=report.held_device_ids)
    devices = reportable_devices(report.fleet, report.requested_by)
    return devices if report.device_ids is None else devices.filter(pk__in=report.device_ids)


def utilisation_percent(figures: Figures, elapsed_seconds: float) -> float:
    """Return the percentage of the range, as far as it has passed, in which the device moved."""
    return min(100.0, figures.moving_seconds / elapsed_seconds * 100.0) if elapsed_seconds > 0 else 0.0


def devices_section(rows: Sequence[DeviceRow], elapsed_seconds: float) -> Section:
    """Return a row per device, including silent ones, and the totals; the total utilisation is the mean."""
    columns = [
        Column("device", _("Device")),
        Column("unique_id", _("Unique id")),
        *figure_columns(),
        Column("utilisation_percent", _("Utilisation"), ColumnKind.PERCENT),
        Column("trips", _("Trips"), ColumnKind.INTEGER),
        Column("overspeeds", _("Overspeeds"), ColumnKind.INTEGER),
        Column("geofence_events", _("Geofence events"), ColumnKind.INTEGER),
        Column("offline_events", _("Times offline"), ColumnKind.INTEGER),
        Column("fixes", _("Positions"), ColumnKind.INTEGER),
    ]
    whole = total(row.figures for row in rows)
    totals: list[Cell] = [None, None, *figure_cells(whole), utilisation_percent(whole, elapsed_seconds * len(rows))]
    totals += [sum(row.trips for row in rows)]
    totals += [sum(row.event_count(key) for row in rows) for key in EVENT_COUNTS]
    cells = [_device_cells(row, elapsed_seconds) for row in rows]
    return Section("devices", _("Devices"), columns, cells, [*totals, whole.fix_count])


def days_section(days: Sequence[DayPart], rows: Sequence[DeviceRow]) -> Section:
    """Return a row per local day over all devices, and the totals."""
    columns = [
        Column("day", _("Day"), ColumnKind.DATE),
        *figure_columns(),
        Column("trips", _("Trips"), ColumnKind.INTEGER),
        Column("events", _("Events"), ColumnKind.INTEGER),
        Column("active_devices", _("Active devices"), ColumnKind.INTEGER),
    ]
    cells: list[list[Cell]] = []
    trips = events = 0
    for index, (day, _start, _end) in enumerate(days):
        found = [row.days[index] for row in rows]
        day_trips = sum(each.trips for each in found)
        day_events = sum(sum(each.events.values()) for each in found if each.events)
        active = sum(each.figures.distance_meters > 0 for each in found)
        cells.append([day, *figure_cells(total(each.figures for each in found)), day_trips, day_events, active])
        trips, events = trips + day_trips, events + day_events
    active = sum(row.figures.distance_meters > 0 for row in rows)
    totals: list[Cell] = [None, *figure_cells(total(row.figures for row in rows)), trips, events, active]
    return Section("days", _("Days"), columns, cells, totals)


def ranking_sections(rows: Sequence[DeviceRow], elapsed_seconds: float) -> list[Section]:
    """Return the first ten devices by distance, utilisation and overspeeds, leaving out zeros."""
    return [
        _ranking(
            "ranking_distance",
            _("Longest distance"),
            Column("distance_km", _("Distance"), ColumnKind.DISTANCE_KM),
            rows,
            lambda row: row.figures.distance_km,
        ),
        _ranking(
            "ranking_utilisation",
            _("Highest utilisation"),
            Column("utilisation_percent", _("Utilisation"), ColumnKind.PERCENT),
            rows,
            lambda row: utilisation_percent(row.figures, elapsed_seconds),
        ),
        _ranking(
            "ranking_overspeeds",
            _("Most overspeeds"),
            Column("overspeeds", _("Overspeeds"), ColumnKind.INTEGER),
            rows,
            lambda row: row.event_count("overspeeds"),
        ),
    ]


def _ranking(
    key: str, name: Any, column: Column, rows: Sequence[DeviceRow], value: Callable[[DeviceRow], float]
) -> Section:
    ranked = sorted(
        ((value(row), row.device.name) for row in rows if value(row) > 0), key=lambda pair: (-pair[0], pair[1])
    )
    columns = [Column("rank", _("Rank"), ColumnKind.INTEGER), Column("device", _("Device")), column]
    return Section(
        key, name, columns, [[rank, device, figure] for rank, (figure, device) in enumerate(ranked[:TOP], 1)]
    )


def _device_rows(devices: Sequence[Device], days: Sequence[DayPart], now: datetime) -> Iterator[DeviceRow]:
    job = current_job()
    for done in range(0, len(devices), DEVICES_AT_ONCE):
        job.raise_if_cancelled()
        job.progress(done, len(devices), devices[done].name)
        refresh_days(devices[done : done + DEVICES_AT_ONCE], days[0][0], days[-1][0], now=now)
    for device, totals in day_totals(devices, days, now=now):
        job.raise_if_cancelled()
        yield DeviceRow(device, totals)
    job.progress(len(devices), len(devices))


def _device_cells(row: DeviceRow, elapsed_seconds: float) -> list[Cell]:
    figures = row.figures
    return [
        row.device.name,
        row.device.unique_id,
        *figure_cells(figures),
        utilisation_percent(figures, elapsed_seconds),
        row.trips,
        *(row.event_count(key) for key in EVENT_COUNTS),
        figures.fix_count,
    ]


def _violations(events: QuerySet[Event]) -> Section:
    columns = [
        Column("occurred_at", _("Time"), ColumnKind.DATETIME),
        Column("device", _("Device")),
        Column("speed_limit_kph", _("Speed limit"), ColumnKind.SPEED_KPH),
        Column("peak_kph", _("Peak speed"), ColumnKind.SPEED_KPH),
        Column("duration_seconds", _("Duration"), ColumnKind.DURATION_SECONDS),
        Column("latitude", _("Latitude"), ColumnKind.LATITUDE),
        Column("longitude", _("Longitude"), ColumnKind.LONGITUDE),
    ]
    found = events.filter(kind=EventKind.OVERSPEED).select_related("device").order_by("occurred_at", "pk")
    return Section("violations", _("Overspeeds"), columns, [_violation(event) for event in streamed(found)])


def _violation(event: Event) -> list[Cell]:
    return [
        event.occurred_at,
        event.device.name,
        number(event.data, "speed_limit_kph"),
        peak_kph(event.data),
        number(event.data, "duration_seconds"),
        event.latitude,
        event.longitude,
    ]


def _subject(report: Report, devices: Sequence[Device]) -> str:
    if report.fleet is not None:
        return report.fleet.name
    names = ", ".join(device.name for device in devices[:NAMES_IN_SUBJECT])
    more = len(devices) - NAMES_IN_SUBJECT
    return f"{names} +{more}" if more > 0 else names
