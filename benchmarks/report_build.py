"""`python -m benchmarks.report_build detailed ROWS` or `... fleet DEVICES DAYS`: how long reports take to be made.

`detailed` stores ROWS positions of one device, ten seconds apart, and prints the shortest of three times of: COPY TO of the
same rows, the detailed report computed, and the same stored. `fleet` makes roll-ups of so many devices and days and prints
how long the fleet report takes, without storing it. Times are wall clock, since much of the work is PostgreSQL's.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import django

django.setup()

from django.db import connection  # noqa: E402

from benchmarks.sample_fleet import make_fleet  # noqa: E402
from reports_app.builders.registry import build_table  # noqa: E402
from reports_app.models import Report  # noqa: E402
from reports_app.services.generate import generate_report  # noqa: E402
from tasks_app.geo.days import day_start  # noqa: E402
from tasks_app.models import Device, DeviceDay, Fleet, Position  # noqa: E402
from tasks_app.services.partitions import ensure_partitions  # noqa: E402

START = datetime(2025, 1, 1, tzinfo=UTC)
EVERY_SECONDS = 10
ROUNDS = 3

# Drives of half an hour and stops of ten minutes, on a road that winds.
_POSITIONS = """
    INSERT INTO tasks_app_position (device_id, fix_time, received_at, latitude, longitude, altitude_meters, speed_kph,
                                    course_degrees, accuracy_meters, attributes)
    SELECT %s, %s + n * make_interval(secs => %s), now(), -23.5 + sin(n / 4000.0) * 0.4,
           -46.6 + abs(driven %% 360000 - 180000) / 9000.0,
           700 + sin(n / 500.0) * 50, CASE WHEN n %% 240 < 180 THEN 42.0 ELSE 0.0 END, n %% 360, 5,
           CASE WHEN n %% 240 < 200 THEN '{"ignition": true}'::jsonb ELSE '{"ignition": false}'::jsonb END
    FROM (SELECT n, n / 240 * 180 + least(n %% 240, 180) AS driven FROM generate_series(0, %s - 1) AS n) AS steps
"""
_ROWS = "COPY (SELECT * FROM tasks_app_position WHERE device_id = %s ORDER BY fix_time) TO STDOUT"
_DAYS = """
    INSERT INTO tasks_app_deviceday (device_id, day, time_zone, distance_meters, driven_meters, moving_seconds,
        stopped_seconds, idle_seconds, engine_seconds, max_speed_kph, trip_count, stop_count, fix_count, first_fix_at,
        last_fix_at, event_counts, is_settled, computed_at)
    SELECT d.id, %s::date + n, %s, 90000, 88000, 7200, 79200, 900, 8100, 91, 6, 7, 4000,
        %s + n * interval '1 day', %s + n * interval '1 day', '{"overspeed": 2, "ignition_on": 6}', true, now()
    FROM tasks_app_device d, generate_series(0, %s - 1) AS n WHERE d.id = ANY(%s)
"""


def detailed(rows: int) -> dict[str, float]:
    device = _device(make_fleet(), "bench-detailed")
    end = START + timedelta(seconds=rows * EVERY_SECONDS)
    ensure_partitions(START + timedelta(days=n) for n in range((end - START).days + 2))
    Position.objects.filter(device=device).delete()
    with connection.cursor() as cursor:
        cursor.execute(_POSITIONS, [device.pk, START, EVERY_SECONDS, rows])
        cursor.execute("ANALYZE tasks_app_position")
    took = _shortest(
        {
            "copy_seconds": lambda: _copy(device),
            "computed_seconds": lambda: _compute(_report(device, end)),
            "stored_seconds": lambda: generate_report(_report(device, end).pk),
        }
    )
    Report.objects.filter(device=device).delete()
    return took


def fleet(devices: int, days: int) -> dict[str, float]:
    owner = make_fleet()
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


def _copy(device: Device) -> None:
    with connection.cursor() as cursor:
        cursor.copy_expert(cursor.mogrify(_ROWS, [device.pk]), io.BytesIO())


def _compute(report: Report) -> int:
    return sum(chunk.row_count for section in build_table(report).sections for chunk in section.chunks())


def _report(device: Device, end: datetime) -> Report:
    return Report.objects.create(kind="detailed", device=device, range_start=START, range_end=end)


def _device(owner: Fleet, unique_id: str) -> Device:
    known = Device.objects.select_related("fleet")
    return known.get_or_create(unique_id=unique_id, defaults={"fleet": owner, "name": unique_id})[0]


if __name__ == "__main__":
    action, *sizes = sys.argv[1:]
    print(json.dumps({"detailed": detailed, "fleet": fleet}[action](*map(int, sizes))))
