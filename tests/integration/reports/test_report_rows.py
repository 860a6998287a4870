"""Rows of reports in the database: chunk by chunk in, chunk by chunk out, whole or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module
from uuid import uuid4

import numpy as np
import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from reports_app.builders.registry import BUILDERS
from reports_app.exceptions import InvalidReport
from reports_app.models import Report, ReportChunk, ReportState
from reports_app.queries import stored_table
from reports_app.queries.content import preview_sections
from reports_app.services.generation import generate_report
from reports_app.services.generation.rows import store_rows
from reports_app.table import CHUNK_ROWS, Column, ColumnKind, ReportTable, Section, chunk_of
from tasks_app.engine.context import CurrentJob, set_current_job

START, END = datetime(2026, 3, 1, 3, tzinfo=UTC), datetime(2026, 3, 2, 3, tzinfo=UTC)
COLUMNS = [Column("n", "N", ColumnKind.INTEGER), Column("on", "On", ColumnKind.LABEL)]


@pytest.fixture
def report(device) -> Report:
    return Report.objects.create(kind="route", device=device, range_start=START, range_end=END)


def table_of(*sections: Section) -> ReportTable:
    return ReportTable("route", "Route", "Van 1", START, END, "America/Sao_Paulo", sections)


def chunks(count: int, rows: int = CHUNK_ROWS):
    for number in range(count):
        yield chunk_of(COLUMNS, [np.arange(number * rows, (number + 1) * rows), ["On"] * rows])


def test_rows_are_stored_as_they_are_built_and_read_one_chunk_at_a_time(report):
    sections = [Section("many", "Many", COLUMNS, chunks(3)), Section("none", "None", COLUMNS, [])]
    content = store_rows(report.pk, table_of(*sections))
    assert [(part["row_count"], part["chunk_count"]) for part in content["sections"]] == [(3 * CHUNK_ROWS, 3), (0, 0)]
    Report.objects.filter(pk=report.pk).update(content=content)
    many, none = stored_table(report.pk).sections
    with CaptureQueriesContext(connection) as asked:
        read = many.chunks()
        assert next(read).data[0].tolist() == list(range(CHUNK_ROWS))
        assert len(asked) == 1
        assert [chunk.data[0][0] for chunk in read] == [CHUNK_ROWS, 2 * CHUNK_ROWS]
    assert list(none.chunks()) == []


def test_a_preview_reads_one_chunk_of_each_section(report):
    content = store_rows(report.pk, table_of(Section("many", "Many", COLUMNS, chunks(3))))
    with CaptureQueriesContext(connection) as asked:
        (found,) = preview_sections(content, report.pk, 2)
    assert (found["rows"], found["row_count"], len(asked)) == ([[0, "On"], [1, "On"]], 3 * CHUNK_ROWS, 1)


def test_stored_bytes_are_not_compressed_again_by_postgresql(report):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attstorage FROM pg_attribute WHERE attrelid = 'reports_app_reportchunk'::regclass AND attname = 'data'"
        )
        assert cursor.fetchone() == ("e",)


def test_a_builder_that_breaks_half_way_leaves_no_rows(report, monkeypatch):
    def rows():
        yield from chunks(1)
        raise RuntimeError("half way")

    monkeypatch.setitem(BUILDERS, "route", lambda _report: table_of(Section("many", "Many", COLUMNS, rows())))
    with pytest.raises(RuntimeError, match="half way"):
        generate_report(report.pk)
    report.refresh_from_db()
    assert (report.state, report.error) == (ReportState.FAILED, "RuntimeError: half way")
    assert not ReportChunk.objects.exists()


def test_rows_of_a_job_that_lost_the_report_meanwhile_are_not_kept(report, monkeypatch):
    mine, theirs = uuid4(), uuid4()

    def rows():
        yield from chunks(1)
        Report.objects.filter(pk=report.pk).update(job_id=theirs)

    monkeypatch.setitem(BUILDERS, "route", lambda _report: table_of(Section("many", "Many", COLUMNS, rows())))
    set_current_job(CurrentJob(job_id=mine))
    try:
        generate_report(report.pk)
    finally:
        set_current_job(None)
    assert not ReportChunk.objects.exists()
    assert Report.objects.get().content is None


def test_a_second_attempt_replaces_the_rows_of_the_first(report):
    store_rows(report.pk, table_of(Section("many", "Many", COLUMNS, chunks(3))))
    content = store_rows(report.pk, table_of(Section("few", "Few", COLUMNS, [[7, None]])))
    assert ReportChunk.objects.count() == 1
    assert preview_sections(content, report.pk, 9)[0]["rows"] == [[7, None]]


def test_a_report_deleted_while_it_is_read_says_so(report):
    content = store_rows(report.pk, table_of(Section("many", "Many", COLUMNS, chunks(2))))
    Report.objects.filter(pk=report.pk).update(content=content)
    read = stored_table(report.pk).sections[0].chunks()
    next(read)
    report.delete()
    assert not ReportChunk.objects.exists()
    with pytest.raises(InvalidReport, match="There is no report"):
        next(read)


def test_rows_of_an_earlier_version_move_out_of_the_json(report):
    columns = [
        {"key": "at", "title": "Time", "kind": "datetime"},
        {"key": "km", "title": "Distance (km)", "kind": "distance_km"},
    ]
    part = {"key": "route", "name": "Route", "columns": columns, "totals": [None, 1.5]}
    header = {"kind": "route", "title": "Route", "subject": "Van 1", "time_zone": "UTC"}
    header |= {"range_start": "2026-03-01T03:00:00Z", "range_end": "2026-03-02T03:00:00Z"}
    rows = [["2026-03-01T03:00:00.250Z", 1.5], [None, None]]
    Report.objects.filter(pk=report.pk).update(content={**header, "sections": [{**part, "rows": rows}]})
    import_module("reports_app.migrations.0003_report_chunks").rows_to_chunks(apps, None)
    (section,) = stored_table(report.pk).sections
    assert list(section.row_lists()) == [[START + timedelta(milliseconds=250), 1.5], [None, None]]
    assert section.total_row() == [None, 1.5]
    assert "rows" not in Report.objects.get().content["sections"][0]
