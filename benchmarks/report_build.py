"""`python -m benchmarks.report_build detailed ROWS`, `... clear` or `... fleet DEVICES DAYS`: how long reports take to be made.

`detailed` stores ROWS positions of one device, one a second, and prints the shortest of three times of: COPY TO of the same
rows, the detailed report computed, and the same stored; and the largest resident set of this process, Django and all.
`clear` removes those positions, which larger cases reuse.
`fleet` makes roll-ups of so many devices and days and prints how long the fleet report takes, without storing it. Times
are wall clock, since much of the work is PostgreSQL's.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import django

django.setup()

from django.db import connection  # noqa: E402

from reports_app.builders import build_table  # noqa: E402
from reports_app.models import Report  # noqa: E402
from reports_app.services.generation import generate_report  # noqa: E402
from tasks_app.geo.days import day_start  # noqa: E402
from tasks_app.models import Device, DeviceDay, Fleet, Position  # noqa: E402
from tasks_app.services.partitions import drop_partition, ensure_partitions, list_partitions, partition_name  # noqa: E402

START = datetime(2025, 1, 1, tzinfo=UTC)
ROUNDS = 3
DAY_SECONDS = 86_400

# Drives of half an hour at 42 km/h and stops of ten minutes, on a road that winds, n seconds after START.
_POSITIONS = """
    INSERT INTO "{partition}" (device_id, fix_time, received_at, latitude, longitude, altitude_meters, speed_kph,
                               course_degrees, accuracy_meters, attributes)
    SELECT %s, %s + n * interval '1 second', now(), -23.5 + sin(driven / 4000.0) * 0.01,
           -46.6 + abs(driven %% 360000 - 180000) / 9000.0,
           700 + sin(n / 500.0) * 50, CASE WHEN n %% 2400 < 1800 THEN 42.0 ELSE 0.0 END, n %% 360, 5,
           CASE WHEN n %% 2400 < 2000 THEN '{{"ignition": true}}'::jsonb ELSE '{{"ignition": false}}'::jsonb END
    FROM (SELECT n, n / 2400 * 1800 + least(n %% 2400, 1800) AS driven FROM generate_series(%s, %s) AS n) AS steps
"""
_ROWS = """
    COPY (SELECT * FROM tasks_app_position WHERE device_id = %s AND fix_time < %s ORDER BY fix_time) TO STDOUT
"""
_DAYS = """
    INSERT INTO tasks_app_deviceday (device_id, day, time_zone, distance_meters, driven_meters, moving_seconds,
        stopped_seconds, idle_seconds, engine_seconds, max_speed_kph, trip_count, stop_count, fix_count, first_fix_at,
        last_fix_at, event_counts, is_settled, computed_at)
    SELECT d.id, %s::date + n, %s, 90000, 88000, 7200, 79200, 900, 8100, 91, 6, 7, 4000,
        %s + n * interval '1 day', %s + n * interval '1 day', '{"overspeed": 2, "ignition_on": 6}', true, now()
    FROM tasks_app_device d, generate_series(0, %s - 1) AS n WHERE d.id = ANY(%s)
"""


def detailed(rows: int) -> dict[str, float]:
    device = _device(_own_fleet(), "bench-detailed")
    _fill(device, rows)
    end = START + timedelta(seconds=rows)
    took = _shortest(
        {
            "computed_seconds": lambda: _compute(_report(device, end)),
            "stored_seconds": lambda: generate_report(_report(device, end).pk),
            "copy_seconds": lambda: _copy(device, end),
        }
    )
    Report.objects.filter(device=device).delete()
    return {**took, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _fill(device: Device, rows: int) -> None:
    """Store the first ROWS positions, less those of a smaller case that are there already: day by day, straight into the
    partition of each, which spares the rows the way through the table above."""
    stored = Position.objects.filter(device=device).count()
    days = [START + timedelta(days=number) for number in range(-(-rows // DAY_SECONDS))]
    ensure_partitions(days)
    with connection.cursor() as cursor:
        for number, day in enumerate(days):
            first, end = max(stored, number * DAY_SECONDS), min(rows, (number + 1) * DAY_SECONDS)
            cursor.execute(_POSITIONS.format(partition=partition_name(day.date())), [device.pk, START, first, end - 1])
        cursor.execute("VACUUM (ANALYZE) tasks_app_position")


def clear() -> dict[str, float]:
    """Drop the positions that `detailed` made: two gigabytes of them in the largest case."""
    for name, day in list_partitions():
        if day.year == START.year:
            drop_partition(name)
    return {}


def fleet(devices: int, days: int) -> dict[str, float]:
    owner = _own_fleet()
    chosen = [_device(owner, f"bench-month-{number}") for number in range(devices)]
    DeviceDay.objects.filter(device__in=chosen).delete()
    first = day_start(START.date(), owner.zone)
    with connection.cursor() as cursor:
        cursor.execute(_DAYS, [START.date(), owner.time_zone, first, first, days, [device.pk for device in chosen]])
    report = Report.objects.create(
        kind="fleet",
        fleet=owner,
        device_ids=[device.pk for device in chosen],
        range_start=first,
        range_end=first + timedelta(days=days),
    )
    took = _shortest({"seconds": lambda: _compute(report)})
    report.delete()
    return took


def _shortest(actions: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Each action in turn, some rounds; the shortest time of each."""
    took = {name: float("inf") for name in actions}
    for _round in range(ROUNDS):
        for name, action in actions.items():
            began = time.perf_counter()
            action()
            took[name] = min(took[name], time.perf_counter() - began)
    return took


def _copy(device: Device, end: datetime) -> None:
    with connection.cursor() as cursor, open(os.devnull, "wb") as nowhere:
        cursor.copy_expert(cursor.mogrify(_ROWS, [device.pk, end]), nowhere)


def _compute(report: Report) -> int:
    return sum(chunk.row_count for section in build_table(report).sections for chunk in section.chunks())


def _report(device: Device, end: datetime) -> Report:
    return Report.objects.create(kind="detailed", device=device, range_start=START, range_end=end)


def _own_fleet() -> Fleet:
    """Apart from the fleet of the other benchmarks, which count its devices."""
    return Fleet.objects.get_or_create(name="Benchmark of reports")[0]


def _device(owner: Fleet, unique_id: str) -> Device:
    known = Device.objects.select_related("fleet")
    return known.get_or_create(unique_id=unique_id, defaults={"fleet": owner, "name": unique_id})[0]


if __name__ == "__main__":
    action, *sizes = sys.argv[1:]
    print(json.dumps({"detailed": detailed, "fleet": fleet, "clear": clear}[action](*map(int, sizes))))
