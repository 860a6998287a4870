"""`python -m benchmarks.report_export ACTION ROWS`: one way of writing a detailed report of so many rows to a file.

ACTION is `store` (put the report into the database, which the others read), a format of ours, or a peer: `openpyxl`,
`csv_module`. Prints {"rows_per_second", "megabytes"}: per second of processor time of this process, without the database's;
and the largest resident set of this process.
"""

from __future__ import annotations

import csv
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import django

django.setup()

import numpy as np  # noqa: E402
from django.db import transaction  # noqa: E402

from benchmarks.sample_fleet import make_fleet, unique_id  # noqa: E402
from reports_app.exporters import EXPORTERS  # noqa: E402
from reports_app.models import (  # noqa: E402
    Report,
    ReportState,
)
from reports_app.queries import (  # noqa: E402
    report_display_settings,
    stored_table,
)
from reports_app.services.generation.rows import store_rows  # noqa: E402
from reports_app.table import (  # noqa: E402  # noqa: E402
    CHUNK_ROWS,
    Chunk,
    Coded,
    Column,
    ColumnKind,
    ReportTable,
    Section,
    chunk_of,
)
from tasks_app.models import Device  # noqa: E402

START = datetime(2026, 3, 1, tzinfo=UTC)
COLUMNS = [
    Column("fix_time", "Time", ColumnKind.DATETIME),
    Column("latitude", "Latitude", ColumnKind.LATITUDE),
    Column("longitude", "Longitude", ColumnKind.LONGITUDE),
    Column("altitude_meters", "Altitude", ColumnKind.ALTITUDE_METERS),
    Column("speed_kph", "Speed", ColumnKind.SPEED_KPH),
    Column("course_degrees", "Course", ColumnKind.COURSE_DEGREES),
    Column("accuracy_meters", "Accuracy", ColumnKind.ALTITUDE_METERS),
    Column("distance_km", "Distance", ColumnKind.DISTANCE_KM),
    Column("odometer_km", "Odometer", ColumnKind.DISTANCE_KM),
    Column("motion", "Motion", ColumnKind.LABEL),
    Column("ignition", "Ignition", ColumnKind.LABEL),
    Column("geofences", "Geofences"),
]


def main(action: str, rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        seconds = ACTIONS.get(action, write_ours)(action, rows, Path(folder) / "report")
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows_per_second": rows / seconds, "megabytes": megabytes}))


def store(action: str, rows: int, target: Path) -> float:
    """The report all others read."""
    device = Device.objects.get(fleet=make_fleet(), unique_id=unique_id(0))
    wanted = {"kind": "route", "device": device, "range_start": START, "range_end": START + timedelta(days=60)}
    Report.objects.filter(kind="route", device=device).delete()
    section = Section("route", "Route", COLUMNS, make_chunks(rows))
    table = ReportTable(
        "route", "Route", device.name, START, START + timedelta(days=60), "America/Sao_Paulo", [section]
    )
    with transaction.atomic():
        report = Report.objects.create(**wanted, state=ReportState.READY)
        began = time.process_time()
        Report.objects.filter(pk=report.pk).update(content=store_rows(report.pk, table))
    return time.process_time() - began


def write_ours(format: str, rows: int, target: Path) -> float:
    report = Report.objects.defer("content").get(kind="route", device__unique_id=unique_id(0))
    began = time.process_time()
    EXPORTERS[format].write(
        stored_table(report.pk), target.with_suffix(f".{format}"), report_display_settings(None, report)
    )
    return time.process_time() - began


def write_openpyxl(action: str, rows: int, target: Path) -> float:
    """Its fastest way, with the same cells: naive times, numbers, strings."""
    import openpyxl

    cells = [[row[0].replace(tzinfo=None), *row[1:]] for row in stored_rows(rows)]
    began = time.process_time()
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append([str(column.title) for column in COLUMNS])
    for row in cells:
        sheet.append(row)
    book.save(target)
    return time.process_time() - began


def write_csv_module(action: str, rows: int, target: Path) -> float:
    """csv.writer of Python, each time written by isoformat."""
    cells = list(stored_rows(rows))
    began = time.process_time()
    with target.open("w", newline="") as file:
        csv.writer(file).writerows([row[0].isoformat(), *row[1:]] for row in cells)
    return time.process_time() - began


ACTIONS: dict[str, Callable[[str, int, Path], float]] = {
    "store": store,
    "openpyxl": write_openpyxl,
    "csv_module": write_csv_module,
}


def stored_rows(rows: int) -> Iterator[list]:
    report = Report.objects.defer("content").get(kind="route", device__unique_id=unique_id(0))
    return islice(stored_table(report.pk).sections[0].row_lists(), rows)


def make_chunks(rows: int) -> Iterator[Chunk]:
    """A drive of a fix a second: places and odometer go on, the rest wavers."""
    chance = np.random.default_rng(7)
    for first in range(0, rows, CHUNK_ROWS):
        number = np.arange(first, min(rows, first + CHUNK_ROWS))
        size = len(number)
        yield chunk_of(
            COLUMNS,
            [
                int(START.timestamp()) * 1_000_000 + number * 1_000_000,
                -23.5 + np.sin(number / 9_000) * 0.2,
                -46.6 + np.cos(number / 11_000) * 0.2,
                700 + chance.random(size) * 50,
                chance.random(size) * 110,
                chance.random(size) * 360,
                chance.random(size) * 10,
                chance.random(size) * 0.03,
                number * 0.015,
                Coded(number // 300 % 2, ["Moving", "Stopped"]),
                Coded(number // 900 % 2, ["On", "Off"]),
                Coded(number // 700 % 4 - 1, ["Depot, north", "Yard", "Customer 17"]),
            ],
        )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
