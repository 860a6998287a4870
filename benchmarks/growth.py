"""`python -m benchmarks.growth STORED BATCHES`: microseconds per position of store_fixes, with few and with STORED rows.

The rows that are there already are fixes of the same devices, spread evenly over the DAYS before and in order of arrival;
the last of their days is the one that the timed batches go to. The few are measured before and after the many, and the
mean of the two is what counts, so that a machine that grows slower or faster during the minutes between does not decide.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from statistics import mean, median

import django

django.setup()

from django.db import connection  # noqa: E402

from benchmarks.pipeline import clear  # noqa: E402
from benchmarks.sample_fleet import DEVICES, FLEET, batches, make_fixes, make_fleet, yesterday  # noqa: E402
from tasks_app.ingest.fix import Fix  # noqa: E402
from tasks_app.services.partitions import ensure_partitions  # noqa: E402
from tasks_app.services.positions.store import store_fixes  # noqa: E402

FEW = 100_000
DAYS = 20
BATCH = 5_000
WARM_UP_BATCHES = 2
FILL = """
    INSERT INTO tasks_app_position (device_id, fix_time, received_at, latitude, longitude, altitude_meters, speed_kph,
        course_degrees, accuracy_meters, attributes)
    SELECT d.id, moment, moment, -23.55 + (d.id + step) %% 997 * 0.0003, -46.63 + (d.id + step) %% 991 * 0.0003, 760,
        (d.id + step) %% 90, step %% 360, 5, '{"sat": 9, "ignition": true}'
    FROM generate_series(0, %(steps)s - 1) AS step
    CROSS JOIN LATERAL (SELECT %(first_at)s::timestamptz + step * %(apart)s::interval AS moment) AS clock
    CROSS JOIN (SELECT d.id FROM tasks_app_device d JOIN tasks_app_fleet f ON f.id = d.fleet_id WHERE f.name = %(fleet)s) d
"""


def main(stored: int, count: int) -> None:
    make_fleet()
    # In the middle of a day, whose partition is filled like the others up to there.
    first_at = yesterday() + timedelta(hours=12)
    work = batches(make_fixes((count + WARM_UP_BATCHES) * BATCH // DEVICES, first_at), BATCH)
    before, many, after = (microseconds_per_position(rows, first_at, work) for rows in (FEW, stored, FEW))
    clear()
    print(json.dumps({"few": mean((before, after)), "few_before": before, "few_after": after, "many": many}))


def microseconds_per_position(stored: int, until: datetime, work: list[list[Fix]]) -> float:
    """The median over the batches, after the table was filled."""
    clear()
    fill(stored, until)
    now, took = datetime.now(UTC), []
    for batch in work:
        began = time.perf_counter()
        result = store_fixes(batch, now)
        took.append(time.perf_counter() - began)
        if result.stored != len(batch):
            raise SystemExit(f"{result.stored} of {len(batch)} rows were stored")
    return median(took[WARM_UP_BATCHES:]) / BATCH * 1_000_000


def fill(rows: int, until: datetime) -> None:
    """Store `rows` made-up fixes of all devices from DAYS before until then. Nothing of the database's upkeep is left over."""
    first_at, steps = until - timedelta(days=DAYS), rows // DEVICES
    ensure_partitions(first_at + timedelta(days=day) for day in range(DAYS + 1))
    values = {"steps": steps, "first_at": first_at, "apart": timedelta(days=DAYS) / steps, "fleet": FLEET}
    with connection.cursor() as cursor:
        cursor.execute(FILL, values)
        if cursor.rowcount != rows:
            raise SystemExit(f"{cursor.rowcount} of {rows} rows were made")
        cursor.execute("VACUUM (ANALYZE) tasks_app_position")
        cursor.execute("CHECKPOINT")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
