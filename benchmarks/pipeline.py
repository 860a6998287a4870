"""`python -m benchmarks.pipeline FIXES_PER_DEVICE`: rows/s of the whole pipeline and of what it is measured against.

All store the same rows, in batches of the same size, in the same partitioned table:
`pipeline` is services.positions.store.store_fixes: look-ups, derived quantities, states, geofences, overspeed, events;
`copy` writes the fixes as text, COPYs that into a temporary table and INSERTs ... ON CONFLICT DO NOTHING from there;
`copy_prepared` does so with binary rows that were written before the clock started: the database's share alone;
`bulk_create` is Django's bulk_create(ignore_conflicts=True) of model instances, with nothing derived.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import django

django.setup()

from django.db import connection, transaction  # noqa: E402

from benchmarks.sample_fleet import batches, make_fixes, make_fleet, yesterday  # noqa: E402
from tasks_app.ingest.fix import Fix  # noqa: E402
from tasks_app.models import Device, Position  # noqa: E402
from tasks_app.services.partitions import ensure_partitions  # noqa: E402
from tasks_app.services.positions.columns import to_columns  # noqa: E402
from tasks_app.services.positions.rows import COPY_COLUMNS, copy_rows  # noqa: E402
from tasks_app.services.positions.store import store_fixes  # noqa: E402

BATCH = 5_000
NAMES = ", ".join(COPY_COLUMNS)
STAGING = f"CREATE TEMP TABLE staging ON COMMIT DROP AS SELECT {NAMES} FROM tasks_app_position WITH NO DATA"
COPY = f"COPY staging ({NAMES}) FROM STDIN"
INSERT = f"INSERT INTO tasks_app_position ({NAMES}) SELECT {NAMES} FROM staging ON CONFLICT DO NOTHING"


def main(per_device: int) -> None:
    make_fleet()
    fixes = make_fixes(per_device, yesterday())
    ensure_partitions({fix.fix_time for fix in fixes})
    pks = dict(Device.objects.values_list("unique_id", "pk"))
    now = datetime.now(UTC)
    work = batches(fixes, BATCH)
    encoded = [copy_rows(to_columns(one, [pks[fix.device_id] for fix in one], [now] * len(one))) for one in work]
    store_fixes(make_fixes(10, yesterday()), now)  # warm: connection, caches, compiled regular expressions
    rates = {
        "pipeline": rate(lambda batch: store_fixes(batch, now), work, len(fixes)),
        "copy": rate(lambda batch: copy_in(as_text(batch, pks, now), ""), work, len(fixes)),
        "copy_prepared": rate(copy_in, encoded, len(fixes)),
        "bulk_create": rate(lambda batch: bulk_create(batch, pks, now), work, len(fixes)),
    }
    clear()
    print(json.dumps(rates))


def rate(store: Callable[[Any], object], work: Sequence[Any], rows: int) -> float:
    """Rows per second into an emptied table. Raises SystemExit when not every row was stored."""
    clear()
    began = time.perf_counter()
    for batch in work:
        store(batch)
    seconds = time.perf_counter() - began
    stored = Position.objects.count()
    if stored != rows:
        raise SystemExit(f"{stored} of {rows} rows were stored")
    return rows / seconds


def clear() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE tasks_app_position, tasks_app_event, tasks_app_devicestate CASCADE")


def copy_in(rows: bytes, how: str = "(FORMAT binary)") -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(STAGING)
        cursor.copy_expert(f"{COPY} {how}", io.BytesIO(rows))
        cursor.execute(INSERT)


def as_text(batch: list[Fix], pks: dict[str, int], received_at: datetime) -> bytes:
    """PostgreSQL's text COPY format, in the order of COPY_COLUMNS."""
    lines = [
        f"{pks[fix.device_id]}\t{fix.fix_time}\t{received_at}\t{fix.latitude}\t{fix.longitude}\t{fix.altitude_meters}\t"
        f"{fix.speed_kph}\t{fix.course_degrees}\t{fix.accuracy_meters}\t{json.dumps(fix.attributes)}\n"
        for fix in batch
    ]
    return "".join(lines).encode()


def bulk_create(batch: list[Fix], pks: dict[str, int], received_at: datetime) -> None:
    Position.objects.bulk_create(
        [
            Position(
                device_id=pks[fix.device_id],
                fix_time=fix.fix_time,
                received_at=received_at,
                latitude=fix.latitude,
                longitude=fix.longitude,
                altitude_meters=fix.altitude_meters,
                speed_kph=fix.speed_kph,
                course_degrees=fix.course_degrees,
                accuracy_meters=fix.accuracy_meters,
                attributes=fix.attributes,
            )
            for fix in batch
        ],
        ignore_conflicts=True,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
