"""The table abstraction: JSON and back, without losing a type."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime

import pytest
from django.utils.translation import gettext_lazy as _

from reports_app.table import Column, ColumnKind, ReportTable, Section, from_content, instant, json_writer, to_content

START, END = datetime(2026, 3, 1, 3, tzinfo=UTC), datetime(2026, 3, 2, 3, tzinfo=UTC)


def make_table(columns, rows, totals=None) -> ReportTable:
    section = Section("days", _("Days"), columns, rows, totals)
    return ReportTable("summary", _("Device summary"), "Van 1", START, END, "America/Sao_Paulo", [section])


def test_it_survives_the_way_through_json_with_its_types():
    columns = [
        Column("at", _("Time"), ColumnKind.DATETIME),
        Column("day", _("Day"), ColumnKind.DATE),
        Column("device", _("Device")),
        Column("longitude", _("Longitude"), ColumnKind.LONGITUDE),
        Column("count", _("Count"), ColumnKind.INTEGER),
    ]
    rows = [[START, date(2026, 3, 1), "=cmd()", -46.63, 7], [None, None, None, None, None]]
    stored = json.loads(json.dumps(to_content(make_table(columns, rows, [None, None, None, None, 7])), allow_nan=False))
    table = from_content(stored)
    (section,) = table.sections
    assert [list(row) for row in section.rows] == rows
    assert list(section.totals) == [None, None, None, None, 7]
    assert [(column.key, column.kind) for column in section.columns] == [(each.key, each.kind) for each in columns]
    assert (table.range_start, table.range_end, table.zone.key) == (START, END, "America/Sao_Paulo")


@pytest.mark.parametrize(
    ("kind", "cell", "expected"),
    [
        (ColumnKind.SPEED_KPH, math.nan, None),
        (ColumnKind.SPEED_KPH, math.inf, None),
        (ColumnKind.DISTANCE_KM, 12.34567, 12.346),
        (ColumnKind.LONGITUDE, -46.63333333, -46.633333),
        (ColumnKind.INTEGER, 3.0, 3),
        (ColumnKind.NUMBER, -0.0001, 0.0),
        (ColumnKind.DURATION_SECONDS, 59.6, 60.0),
        (ColumnKind.DATETIME, START, "2026-03-01T03:00:00Z"),
        (ColumnKind.DATE, date(2026, 3, 1), "2026-03-01"),
        (ColumnKind.TEXT, "=1", "=1"),
        (ColumnKind.INTEGER, math.nan, None),
    ],
)
def test_it_writes_each_kind_of_cell_as_json(kind, cell, expected):
    assert json_writer(kind)(cell) == expected


def test_it_never_writes_a_negative_zero():
    assert math.copysign(1, json_writer(ColumnKind.SPEED_KPH)(-0.04)) == 1


def test_it_keeps_milliseconds_of_an_instant():
    assert instant(datetime(2026, 3, 1, 3, 0, 0, 250_000, tzinfo=UTC)) == "2026-03-01T03:00:00.250Z"


def test_it_refuses_a_row_of_the_wrong_width():
    with pytest.raises(ValueError, match="zip"):
        to_content(make_table([Column("a", "A"), Column("b", "B")], [["only one"]]))


@pytest.mark.parametrize("content", [{}, {"sections": []}, {"sections": [{"key": "x"}]}, {"sections": None}])
def test_it_refuses_content_that_is_no_report(content):
    with pytest.raises(ValueError, match="Not the content"):
        from_content(content)


def test_it_stores_titles_untranslated_so_that_each_reader_gets_their_language():
    from django.utils.translation import override

    with override("pt-br"):
        content = to_content(make_table([Column("day", _("Day"), ColumnKind.DATE)], []))
    assert content["sections"][0]["columns"][0]["title"] == "Day"
    assert content["title"] == "Device summary"
