"""The parts of the page of a device's day: timeline, speed graph, totals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from tasks_app.geo.motion_rules import MotionRules
from tasks_app.geo.units import Units, in_unit, unit_symbol
from tasks_app.models import Device, Event, EventKind
from tasks_app.pages.device.days import ShownDay
from tasks_app.pages.device.places import place_text
from tasks_app.queries.day_timeline import MOST_EVENTS, DayTimeline, Entry, EntryKind, events_between, read_timeline
from tasks_app.web.event_details import event_details
from tasks_app.web.graphs import graph_over_time
from tasks_app.web.quantities import MISSING, format_distance, format_number, format_seconds, format_speed

EVENT = "event"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the timeline; `clock` is the time of its start that the page jumps to, "" on another day."""

    kind: str
    title: str
    times: str
    details: list[str]
    clock: str
    seconds: float
    is_at: bool = False


def day_context(device: Device, day: ShownDay, units: Units, *, with_events: bool) -> dict[str, Any]:
    """Return the timeline, the graph and the totals of a day for the template."""
    timeline = read_timeline(device, day.start, day.end)
    events = events_between(device, day.start, day.end) if with_events else []
    lines = [_entry_line(entry, day, units) for entry in timeline.entries]
    lines += [_event_line(event, day, units) for event in events]
    return {
        "lines": sorted(lines, key=lambda line: line.seconds),
        "totals": _totals(timeline, units),
        "graph": speed_graph(timeline, events, units),
        "quarters": day.quarters(),
        "fix_count": timeline.fix_count,
        "has_more_events": len(events) == MOST_EVENTS,
        "most_events": MOST_EVENTS,
    }


def speed_graph(timeline: DayTimeline, events: list[Event], units: Units) -> dict[str, Any] | None:
    """Return the graph of speeds with its overspeeds and limit, None for a day without speeds."""
    times, speeds = timeline.speeds_kph()
    limit = timeline.device.speed_limit_kph or timeline.device.fleet.speed_limit_kph
    graph = graph_over_time(
        times,
        in_unit(speeds, units.speed),
        start=timeline.start.timestamp(),
        end=timeline.end.timestamp(),
        max_gap_seconds=MotionRules.max_gap_seconds,
        limit=None if limit is None else in_unit(limit, units.speed),
        spans=[_overspeed(event, units) for event in events if event.kind == EventKind.OVERSPEED],
    )
    if graph is None:
        return None
    symbol = unit_symbol(units.speed)
    return {
        "drawn": graph,
        "most": f"{format_number(graph.most, 1)} {symbol}",
        "ceiling": f"{format_number(graph.ceiling)} {symbol}",
        "limit": format_speed(limit, units) if limit is not None else "",
    }


def _overspeed(event: Event, units: Units) -> tuple[float, float, str]:
    started = event.occurred_at.timestamp()
    ended = event.data.get("ended_at")
    until = datetime.fromisoformat(ended).timestamp() if isinstance(ended, str) else started
    return started, until, ", ".join([event.get_kind_display(), *event_details(event.data, units)])


def _totals(timeline: DayTimeline, units: Units) -> list[tuple[str, str]]:
    figures = timeline.figures
    return [
        (_("Distance"), format_distance(figures.distance_meters, units)),
        (_("Driving"), format_seconds(figures.moving_seconds) if figures.moving_seconds else MISSING),
        (_("Trips"), format_number(timeline.trip_count)),
        (_("Top speed"), format_speed(figures.max_speed_kph, units)),
        (_("Idle"), format_seconds(figures.idle_seconds) if figures.idle_seconds else MISSING),
        (_("Positions"), format_number(timeline.fix_count)),
    ]


def _entry_line(entry: Entry, day: ShownDay, units: Units) -> Line:
    started, ended = day.text(entry.started_at), day.text(entry.ended_at)
    begin = place_text(entry.latitude, entry.longitude, entry.place)
    end = place_text(entry.end_latitude, entry.end_longitude, entry.end_place)
    titles = {EntryKind.TRIP: _("Trip"), EntryKind.STOP: _("Stop"), EntryKind.SILENCE: _("No positions")}
    way = _("From %(begin)s to %(end)s") % {"begin": begin, "end": end}
    details = [begin] if entry.kind is EntryKind.STOP else [way]
    if entry.kind is EntryKind.TRIP:
        details += [
            format_distance(entry.distance_meters, units),
            _("average %s") % format_speed(entry.average_speed_kph, units),
            _("at most %s") % format_speed(entry.max_speed_kph, units),
        ]
    times = f"{started} – {ended} ({format_seconds(entry.duration_seconds)})"
    return Line(
        entry.kind.value,
        titles[entry.kind],
        times,
        details,
        day.clock(entry.started_at),
        entry.started_at.timestamp(),
        is_at=day.at is not None and entry.started_at <= day.at < entry.ended_at,
    )


def _event_line(event: Event, day: ShownDay, units: Units) -> Line:
    details = event_details(event.data, units)
    names = [event.geofence_name] if event.geofence_name else []
    at = event.occurred_at
    return Line(EVENT, event.get_kind_display(), day.text(at), [*names, *details], day.clock(at), at.timestamp())
