"""Overspeed: every episode of a device, whole, and their number and duration per local day."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from reports_app.builders.base import check_row_count, report_days, report_device, report_table
from reports_app.builders.events import number, peak_kph
from reports_app.models import Report
from reports_app.table import Cell, Column, ColumnKind, ReportTable, Section
from tasks_app.geo.days import DayPart
from tasks_app.models import Device, Event, EventKind

EPISODES = [
    Column("started_at", _("Start"), ColumnKind.DATETIME),
    Column("ended_at", _("End"), ColumnKind.DATETIME),
    Column("duration_seconds", _("Duration"), ColumnKind.DURATION_SECONDS),
    Column("speed_limit_kph", _("Speed limit"), ColumnKind.SPEED_KPH),
    Column("peak_kph", _("Peak speed"), ColumnKind.SPEED_KPH),
    Column("excess_kph", _("Above the limit"), ColumnKind.SPEED_KPH),
    Column("geofence", _("Geofence")),
    Column("latitude", _("Latitude"), ColumnKind.LATITUDE),
    Column("longitude", _("Longitude"), ColumnKind.LONGITUDE),
]
DAYS = [
    Column("day", _("Day"), ColumnKind.DATE),
    Column("overspeeds", _("Overspeeds"), ColumnKind.INTEGER),
    Column("duration_seconds", _("Duration"), ColumnKind.DURATION_SECONDS),
    Column("peak_kph", _("Peak speed"), ColumnKind.SPEED_KPH),
]
# An episode that began before the range may reach into it; none lasts as long as this.
LONGEST = timedelta(days=2)


class Episode(NamedTuple):
    """One overspeed; `ended_at` is None while it goes on."""

    event: Event
    ended_at: datetime | None
    duration_seconds: float
    limit_kph: float | None
    peak_kph: float | None


def build(report: Report) -> ReportTable:
    """Return the overspeeds of one device that touch the range."""
    device, now = report_device(report), timezone.now()
    episodes = _episodes(device, report.range_start, report.range_end, now)
    rows = [_row(episode) for episode in episodes]
    seconds = sum(episode.duration_seconds for episode in episodes)
    totals: list[Cell] = [None, None, seconds, None, _peak(episodes), None, None, None, None]
    days = [_day_row(part, episodes) for part in report_days(report)]
    begun = [each for each in episodes if each.event.occurred_at >= report.range_start]
    day_totals: list[Cell] = [None, *_figures(begun)]
    sections = [
        Section("overspeeds", _("Overspeeds"), EPISODES, rows, totals),
        Section("days", _("Days"), DAYS, days, day_totals),
    ]
    return report_table(report, device.name, sections)


def _episodes(device: Device, start: datetime, end: datetime, now: datetime) -> list[Episode]:
    found = Event.objects.filter(
        device=device, kind=EventKind.OVERSPEED, occurred_at__gte=start - LONGEST, occurred_at__lt=end
    )
    check_row_count(found.count())
    episodes = [_episode(event, now) for event in found.select_related("geofence").order_by("occurred_at", "pk")]
    return [each for each in episodes if each.event.occurred_at >= start or (each.ended_at or now) > start]


def _episode(event: Event, now: datetime) -> Episode:
    text, seconds = event.data.get("ended_at"), number(event.data, "duration_seconds")
    ended_at = datetime.fromisoformat(text) if isinstance(text, str) else None
    if seconds is None:
        seconds = max(0.0, ((ended_at or now) - event.occurred_at).total_seconds())
    return Episode(event, ended_at, seconds, number(event.data, "speed_limit_kph"), peak_kph(event.data))


def _row(episode: Episode) -> list[Cell]:
    event, limit, peak = episode.event, episode.limit_kph, episode.peak_kph
    return [
        event.occurred_at,
        episode.ended_at,
        episode.duration_seconds,
        limit,
        peak,
        None if limit is None or peak is None else peak - limit,
        event.geofence.name if event.geofence else None,
        event.latitude,
        event.longitude,
    ]


def _day_row(part: DayPart, episodes: list[Episode]) -> list[Cell]:
    """Return the figures of a day. An episode counts on the day it began, as in all other reports."""
    day, start, end = part
    return [day, *_figures([each for each in episodes if start <= each.event.occurred_at < end])]


def _figures(episodes: list[Episode]) -> list[Cell]:
    return [len(episodes), sum(each.duration_seconds for each in episodes), _peak(episodes)]


def _peak(episodes: list[Episode]) -> float | None:
    return max((each.peak_kph for each in episodes if each.peak_kph is not None), default=None)
