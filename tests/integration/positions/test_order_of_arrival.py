"""Fixes arrive in any order and in any batches: the same are stored, and reports say the same of them."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports_app.builders import build_table
from reports_app.models import Report
from tasks_app.ingest.fix import Fix
from tasks_app.models import Position
from tasks_app.services.positions.store import store_fixes
from tests.support.reports import DAY, ELEVEN, NEXT_DAY, build, rows_of

pytestmark = pytest.mark.django_db

KINDS = ("summary", "trips", "stops", "route", "detailed")
# Recorded at once, when it happens, and the counters of the device's state.
LIVE = ("events", "odometer_km", "odometer_start_km", "odometer_end_km", "unique_id")
METERS_PER_DEGREE = 111_319.49
_numbers = count(1)

# Some minutes of driving or standing: minutes, seconds between fixes, km/h, whether speed and course are sent.
PHASES = st.tuples(
    st.integers(2, 12), st.sampled_from([7, 20, 60]), st.sampled_from([0, 4, 45, 110]), st.sampled_from([True, False])
)


def drive(phases) -> list[tuple[int, float, float, float | None]]:
    """Seconds, meters north and east, the speed sent."""
    fixes, seconds, meters = [], 0, 0.0
    for minutes, every, kph, is_sent in phases:
        for _step in range(minutes * 60 // every):
            seconds += every
            meters += every * kph / 3.6
            fixes.append((seconds, seconds * 7919 % 23 - 11.0, meters, float(kph) if is_sent else None))
    return fixes


def send(device, track, batches) -> None:
    for batch in batches:
        fixes = [
            Fix(
                device.unique_id,
                ELEVEN + timedelta(seconds=seconds),
                north / METERS_PER_DEGREE,
                -46.0 + east / METERS_PER_DEGREE,
                speed_kph=kph,
                course_degrees=None if kph is None else 90.0,
            )
            for seconds, north, east, kph in (track[number] for number in batch)
        ]
        store_fixes(fixes, received_at=ELEVEN + timedelta(hours=9))


def stored_fixes(device) -> list[tuple]:
    sent = ("fix_time", "latitude", "longitude", "altitude_meters", "speed_kph", "course_degrees", "attributes")
    return list(Position.objects.filter(device=device).order_by("fix_time").values_list(*sent))


def report_rows(device, kind) -> list:
    report = Report(kind=kind, device=device, range_start=DAY, range_end=NEXT_DAY)
    found = []
    for section in build_table(report).sections:
        if section.key in LIVE:
            continue
        keys = [column.key for column in section.columns]
        rows = [*section.row_lists(), section.total_row() or []]
        shown = [{key: cell for key, cell in zip(keys, row, strict=False) if key not in LIVE} for row in rows]
        found.append((section.key, shown))
    return found


@given(st.lists(PHASES, min_size=1, max_size=5), st.randoms(use_true_random=False), st.integers(1, 40))
@settings(max_examples=12)
def test_the_order_of_arrival_changes_neither_rows_nor_reports(make_device, phases, random, size):
    track = drive(phases)
    order = list(range(len(track)))
    random.shuffle(order)
    in_order, mixed = (make_device(name="Van", unique_id=f"order-{next(_numbers)}") for _ in range(2))
    send(in_order, track, [range(len(track))])
    send(mixed, track, [order[first : first + size] for first in range(0, len(order), size)])
    assert stored_fixes(mixed) == stored_fixes(in_order)
    for kind in KINDS:
        assert report_rows(mixed, kind) == report_rows(in_order, kind)


def test_a_speed_that_was_not_sent_is_not_stored_as_one(device):
    track = drive([(5, 20, 45, False), (5, 20, 45, True)])
    send(device, track, [range(len(track))])
    rows = stored_fixes(device)
    assert {(row[4], row[5]) for row in rows[:15]} == {(None, None)}
    assert {(row[4], row[5]) for row in rows[15:]} == {(45.0, 90.0)}


def test_positions_in_detail_tell_sent_speeds_from_derived_ones(device):
    track = drive([(10, 20, 45, False)])
    send(device, track, [range(len(track))])
    rows = rows_of(build("detailed", device=device), "positions")
    assert {row["speed_kph"] for row in rows} == {None}
    assert all(35 < row["mean_speed_kph"] < 60 for row in rows[1:])


def test_the_last_known_position_has_a_derived_speed_and_says_so(device, api):
    track = drive([(5, 20, 45, False), (1, 20, 45, True)])
    send(device, track, [range(15)])
    latest = api.get(f"/api/devices/{device.pk}/state").json()
    assert 35 < latest["speed_kph"] < 60
    assert latest["is_speed_derived"] is True
    send(device, track, [range(15, 18)])
    latest = api.get(f"/api/devices/{device.pk}/state").json()
    assert (latest["speed_kph"], latest["is_speed_derived"]) == (45.0, False)
