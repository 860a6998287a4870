"""The table abstraction: rows as columns, as bytes, and back, without losing a type."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from reports_app.exporters.cells import utc_offsets
from reports_app.table import (
    CHUNK_ROWS,
    NO_TIME,
    Coded,
    Column,
    ColumnKind,
    Section,
    as_chunks,
    as_rows,
    chunk_of,
    decode_chunk,
    encode_chunk,
    first_rows,
    instant,
    json_writer,
    section_content,
    section_from_content,
)

START, END = datetime(2026, 3, 1, 3, tzinfo=UTC), datetime(2026, 3, 2, 3, tzinfo=UTC)


COLUMNS = [
    Column("at", _("Time"), ColumnKind.DATETIME),
    Column("day", _("Day"), ColumnKind.DATE),
    Column("device", _("Device")),
    Column("kind", _("Kind"), ColumnKind.LABEL),
    Column("longitude", _("Longitude"), ColumnKind.LONGITUDE),
    Column("count", _("Count"), ColumnKind.INTEGER),
    Column("speed_kph", _("Speed"), ColumnKind.SPEED_KPH),
]
ROWS = [
    [START, date(2026, 3, 1), "=cmd()\x00🚚", "On", -46.63, 7, 0.1],
    [None] * 7,
    [datetime(1890, 1, 1, 0, 0, 0, 1, tzinfo=UTC), date(1, 1, 1), "", "Off", 180.0, -(2**53), 1e300],
    [END, date(9999, 12, 31), "x" * 40_000, "On", -180.0, 2**53, -12.3],
]


def stored_and_read(columns, rows):
    """The rows after their way through the database's bytes."""
    chunks = [(chunk.row_count, encode_chunk(columns, chunk)) for chunk in as_chunks(columns, rows)]
    return list(as_rows(columns, (decode_chunk(columns, count, content) for count, content in chunks)))


def test_rows_survive_the_way_through_columns_and_bytes_with_their_types():
    assert stored_and_read(COLUMNS, ROWS) == ROWS
    types = [type(cell) for cell in stored_and_read(COLUMNS, ROWS)[0]]
    assert types == [datetime, date, str, str, float, int, float]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (ColumnKind.SPEED_KPH, [0.1 * n for n in range(-500, 500)]),  # two bytes each
        (ColumnKind.LATITUDE, [-90.0, 90.0, 0.000001, -0.000001]),  # four
        (ColumnKind.PERCENT, [0.0, 25.4]),  # one, the largest of which would be 255: empty
        (ColumnKind.PERCENT, [0.0, 25.5]),
        (ColumnKind.NUMBER, [9e15, 0.001]),  # as they are
        (ColumnKind.INTEGER, [0, 2**32 - 1]),
        (ColumnKind.INTEGER, [0, 2**32]),
    ],
)
def test_numbers_survive_in_however_few_bytes_they_fit(kind, values):
    columns = [Column("a", "A", kind)]
    rows = [[value] for value in values] + [[None]]
    found = [row[0] for row in stored_and_read(columns, rows)]
    assert found[-1] is None
    assert found[:-1] == pytest.approx(values, abs=1e-9)


def test_a_number_that_is_none_is_an_empty_cell():
    columns = [Column("a", "A", ColumnKind.SPEED_KPH)]
    assert stored_and_read(columns, [[math.nan], [math.inf], [-math.inf], [-0.04]]) == [[None], [None], [None], [0.0]]


def test_times_keep_their_microseconds():
    times = [datetime(2026, 3, 1, 3, 0, second, fraction, tzinfo=UTC) for second, fraction in ((0, 0), (1, 1), (2, 0))]
    assert stored_and_read([Column("at", "At", ColumnKind.DATETIME)], [[at] for at in times]) == [[at] for at in times]


def test_whole_seconds_need_few_bytes():
    columns = [Column("at", "At", ColumnKind.DATETIME)]
    start = 1_772_323_200_000_000
    chunk = chunk_of(columns, [start + np.arange(10_000) * 1_000_000])
    assert len(encode_chunk(columns, chunk)) < 2.1 * 10_000


def test_a_section_of_chunks_reads_like_a_section_of_rows():
    columns = [COLUMNS[0], COLUMNS[3], COLUMNS[6], COLUMNS[2]]
    arrays = [
        np.array(["2026-03-01T03:00:00", "NaT"], dtype="datetime64[s]"),
        Coded(np.array([0, -1]), ["On", "Off"]),
        np.array([np.nan, 12.34]),
        ["Van 1", None],
    ]
    section = Section("route", "Route", columns, [chunk_of(columns, arrays), [END, "Off", 5, "Van 2"]])
    expected = [[START, "On", None, "Van 1"], [None, None, 12.34, None], [END, "Off", 5.0, "Van 2"]]
    assert list(section.row_lists()) == expected
    assert [chunk.row_count for chunk in section.chunks()] == [2, 1]


def test_many_rows_become_several_chunks_and_a_preview_reads_the_first_only():
    columns, read = [Column("n", "N", ColumnKind.INTEGER)], []
    rows = ([read.append(n) or n] for n in range(2 * CHUNK_ROWS + 1))
    assert first_rows(columns, as_chunks(columns, rows), 3) == [[0], [1], [2]]
    assert len(read) == CHUNK_ROWS
    counts = [chunk.row_count for chunk in as_chunks(columns, ([n] for n in range(2 * CHUNK_ROWS + 1)))]
    assert counts == [CHUNK_ROWS, CHUNK_ROWS, 1]


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        ([np.zeros(2), np.zeros(3)], "differ in length"),
        ([np.zeros(2)], "zip"),
        ([np.zeros(2), np.zeros(2), np.zeros(2)], "zip"),
    ],
)
def test_it_refuses_a_chunk_of_the_wrong_shape(arrays, problem):
    columns = [Column("a", "A", ColumnKind.NUMBER), Column("b", "B", ColumnKind.NUMBER)]
    with pytest.raises(ValueError, match=problem):
        chunk_of(columns, arrays)


def test_it_refuses_times_that_are_no_whole_numbers():
    with pytest.raises(ValueError, match="whole numbers"):
        chunk_of([Column("at", "At", ColumnKind.DATETIME)], [np.array([1.5e9])])


def test_the_empty_marker_of_times_is_numpys_own():
    assert np.isnat(np.array([NO_TIME]).view("datetime64[us]")[0])


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
    with pytest.raises(ValueError, match="2 cells"):
        list(as_chunks([Column("a", "A"), Column("b", "B")], [["only one"]]))


def test_a_section_without_its_rows_survives_the_way_through_json():
    totals = [START, date(2026, 3, 1), None, None, None, 7, None]
    content = section_content(Section("days", _("Days"), COLUMNS, [], lambda: totals))
    section = section_from_content(content, [])
    assert section.total_row() == totals
    assert [(column.key, column.kind) for column in section.columns] == [(each.key, each.kind) for each in COLUMNS]


def test_titles_and_labels_are_kept_untranslated_so_that_each_reader_gets_their_language():
    columns = [Column("day", _("Day"), ColumnKind.LABEL)]
    with override("pt-br"):
        (chunk,) = as_chunks(columns, [[_("Day")]])
        with override(None):
            content = section_content(Section("days", _("Days"), columns, []))
    assert content["columns"][0]["title"] == "Day"
    assert chunk.data[0].values == ["Day"]


@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("America/Sao_Paulo", datetime(2018, 11, 4, 3, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
        ("America/St_Johns", datetime(2008, 11, 2, 2, 31, tzinfo=UTC)),  # clocks changed at a minute past midnight
        ("America/St_Johns", datetime(2009, 3, 8, 3, 31, tzinfo=UTC)),
        ("Antarctica/Casey", datetime(2020, 10, 3, 16, 1, tzinfo=UTC)),
    ],
)
def test_local_times_are_right_around_every_change_of_the_clocks(zone, change):
    times = [change + timedelta(seconds=seconds) for seconds in (-900, -60, -1, 0, 1, 60, 840, 900)]
    assert len({at.astimezone(ZoneInfo(zone)).utcoffset() for at in times}) == 2
    seconds = np.array([int(at.timestamp()) for at in times])
    found = [timedelta(seconds=offset) for offset in utc_offsets(seconds, ZoneInfo(zone)).tolist()]
    assert found == [at.astimezone(ZoneInfo(zone)).utcoffset() for at in times]
