"""Geofence visits that touch the range, with entry, exit and duration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from django.db.models.fields.json import KeyTextTransform
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from reports_app.builders.base import check_row_count, report_device, report_table
from reports_app.models import Report
from reports_app.table import Cell, Column, ColumnKind, ReportTable, Section
from tasks_app.models import Device, DeviceDay, DeviceState, Event, EventKind, Geofence, Position

VISITS = [
    Column("geofence", _("Geofence")),
    Column("entered_at", _("Entered"), ColumnKind.DATETIME),
    Column("left_at", _("Left"), ColumnKind.DATETIME),
    Column("duration_seconds", _("Duration"), ColumnKind.DURATION_SECONDS),
    Column("in_range_seconds", _("of it in the range"), ColumnKind.DURATION_SECONDS),
    Column("state", _("State"), ColumnKind.LABEL),
]
GEOFENCES = [
    Column("geofence", _("Geofence")),
    Column("visits", _("Visits"), ColumnKind.INTEGER),
    Column("in_range_seconds", _("Time in the range"), ColumnKind.DURATION_SECONDS),
    Column("longest_seconds", _("Longest visit"), ColumnKind.DURATION_SECONDS),
    Column("first_entered_at", _("First entered"), ColumnKind.DATETIME),
    Column("last_left_at", _("Last left"), ColumnKind.DATETIME),
]
LEFT = gettext_noop("Left")
INSIDE = gettext_noop("Still inside")
UNSEEN_ENTRY = gettext_noop("Entry not seen")
UNSEEN_EXIT = gettext_noop("Exit not seen")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KINDS = (EventKind.GEOFENCE_ENTER, EventKind.GEOFENCE_EXIT)

# Its rows have no coordinates, so there are no files of it in geographic formats.
HAS_PLACES = False


@dataclass(frozen=True, slots=True)
class Crossing:
    """A geofence (its id, None once it is deleted, and name) entered or left."""

    geofence_id: int | None
    name: str
    is_enter: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Visit:
    """A stay in a geofence. The entry or exit is None if it was not recorded; `is_inside` while it lasts."""

    geofence_id: int | None
    name: str
    entered_at: datetime | None
    left_at: datetime | None
    is_inside: bool = False

    def seconds(self, start: datetime, end: datetime) -> float:
        """Return the seconds within `[start, end)`, 0 for a visit without entry or exit."""
        left_at = end if self.is_inside else self.left_at
        if self.entered_at is None or left_at is None:
            return 0.0
        return max(0.0, (min(left_at, end) - max(self.entered_at, start)).total_seconds())

    @property
    def state(self) -> str:
        if self.is_inside:
            return INSIDE
        if self.entered_at is None:
            return UNSEEN_ENTRY
        return LEFT if self.left_at is not None else UNSEEN_EXIT


def build(report: Report) -> ReportTable:
    """Return the visits of one device that touch the range."""
    device, now = report_device(report), timezone.now()
    start, end = report.range_start, min(report.range_end, max(now, report.range_start))
    crossings = _crossings(device, report.range_start, report.range_end)
    names = _inside_now(device) if report.range_start <= now and _was_heard(device, report.range_end) else {}
    found = [visit for visit in visits(crossings, names) if _touches(visit, start, report.range_end)]
    rows = [_row(visit, start, end, now) for visit in found]
    in_range = sum(visit.seconds(start, end) for visit in found)
    sections = [
        Section("visits", _("Visits"), VISITS, rows, [None, None, None, None, in_range, None]),
        Section(
            "geofences",
            _("Geofences"),
            GEOFENCES,
            _per_geofence(found, start, end, now),
            [None, len(found), in_range, None, None, None],
        ),
    ]
    return report_table(report, device.name, sections)


def visits(crossings: Sequence[Crossing], inside: Mapping[int, str]) -> list[Visit]:
    """Return crossings (in time order) as visits in the order of their starts. `inside` are the names, by id, of the
    geofences that the device is in now; one without a recorded entry is a visit too."""
    found: list[Visit] = []
    open_at: dict[tuple[int | None, str], datetime] = {}
    for each in crossings:
        key = (each.geofence_id, "" if each.geofence_id else each.name)
        entered_at = open_at.pop(key, None)
        if not each.is_enter:
            found.append(Visit(each.geofence_id, each.name, entered_at, each.at))
            continue
        if entered_at is not None:
            found.append(Visit(each.geofence_id, each.name, entered_at, None))
        open_at[key] = each.at
    names = {each.geofence_id: each.name for each in crossings}
    for (geofence_id, name), entered_at in open_at.items():
        found.append(Visit(geofence_id, name or names[geofence_id], entered_at, None, geofence_id in inside))
    found += [Visit(pk, name, None, None, is_inside=True) for pk, name in inside.items() if pk not in names]
    return sorted(found, key=lambda visit: (visit.entered_at or visit.left_at or _EPOCH, visit.name))


def _inside_now(device: Device) -> dict[int, str]:
    """Return the names, by id, of the geofences that the device is in. Its state still has those of its former fleet, and
    those switched off, until its next fix."""
    inside = DeviceState.objects.filter(device=device).values_list("geofence_ids", flat=True).first() or []
    watched = Geofence.objects.filter(pk__in=inside, fleet=device.fleet_id, is_active=True)
    return dict(watched.values_list("pk", "name"))


def _was_heard(device: Device, before: datetime) -> bool:
    """Return whether there is a fix before that time, or was one: without an entry, a visit lasts since any time."""
    days, positions = DeviceDay.objects.filter(device=device), Position.objects.filter(device=device)
    return days.filter(first_fix_at__lt=before).exists() or positions.filter(fix_time__lt=before).exists()


def _crossings(device: Device, start: datetime, end: datetime) -> list[Crossing]:
    """Return the crossings in the range, and of each geofence the last one before and the first one after it.

    Deleted geofences are distinguished by name.
    """
    events = Event.objects.filter(device=device, kind__in=KINDS).select_related("geofence")
    within = events.filter(occurred_at__gte=start, occurred_at__lt=end)
    check_row_count(within.count())
    named = events.annotate(known_as=KeyTextTransform("geofence", "data"))
    before = named.filter(occurred_at__lt=start).order_by("geofence_id", "known_as", "-occurred_at", "-pk")
    after = named.filter(occurred_at__gte=end).order_by("geofence_id", "known_as", "occurred_at", "pk")
    each = ("geofence_id", "known_as")
    known = [*before.distinct(*each), *within, *after.distinct(*each)]
    return [_crossing(event) for event in sorted(known, key=lambda event: (event.occurred_at, event.pk))]


def _crossing(event: Event) -> Crossing:
    return Crossing(event.geofence_id, event.geofence_name, event.kind == EventKind.GEOFENCE_ENTER, event.occurred_at)


def _touches(visit: Visit, start: datetime, end: datetime) -> bool:
    begins, ends = visit.entered_at or visit.left_at or _EPOCH, visit.left_at or visit.entered_at or _EPOCH
    return begins < end and (visit.is_inside or ends >= start)


def _duration(visit: Visit, now: datetime) -> float | None:
    left_at = now if visit.is_inside else visit.left_at
    if visit.entered_at is None or left_at is None:
        return None
    # The clock of a device may be ahead of now.
    return max(0.0, (left_at - visit.entered_at).total_seconds())


def _row(visit: Visit, start: datetime, end: datetime, now: datetime) -> list[Cell]:
    in_range = visit.seconds(start, end)
    return [visit.name, visit.entered_at, visit.left_at, _duration(visit, now), in_range, visit.state]


def _per_geofence(found: Iterable[Visit], start: datetime, end: datetime, now: datetime) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    ordered = sorted(found, key=lambda visit: (visit.name, visit.geofence_id or 0))
    for (name, _id), group in groupby(ordered, key=lambda visit: (visit.name, visit.geofence_id)):
        members = list(group)
        longest = max((_duration(visit, now) or 0.0 for visit in members), default=0.0)
        first = min((visit.entered_at for visit in members if visit.entered_at), default=None)
        last = max((visit.left_at for visit in members if visit.left_at), default=None)
        rows.append([name, len(members), sum(visit.seconds(start, end) for visit in members), longest, first, last])
    return rows
