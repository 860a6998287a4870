"""Exporters: every file is opened again by another reader."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import openpyxl
import pytest
from django.utils.translation import override
from openpyxl.utils.escape import unescape

from reports_app.exceptions import InvalidReport
from reports_app.exporters import EXPORTERS, get_exporter
from reports_app.exporters.xlsx_skeleton import sheet_name
from reports_app.services.files import check_format, formats_of
from reports_app.table import Column, ColumnKind, DisplaySettings, ReportTable, Section, chunk_of
from tasks_app.geo.units import AltitudeUnit, DistanceUnit, SpeedUnit, Units, VolumeUnit
from tasks_app.utils.spreadsheets import FORMULA_STARTS, guarded, unguarded

START, END = datetime(2026, 3, 1, 3, tzinfo=UTC), datetime(2026, 3, 2, 3, tzinfo=UTC)
COLUMNS = [
    Column("at", "Time", ColumnKind.DATETIME),
    Column("day", "Day", ColumnKind.DATE),
    Column("note", "Note", ColumnKind.TEXT),
    Column("longitude", "Longitude", ColumnKind.LONGITUDE),
    Column("moving_seconds", "Moving", ColumnKind.DURATION_SECONDS),
    Column("share", "Share", ColumnKind.PERCENT),
    Column("trips", "Trips", ColumnKind.INTEGER),
]
ROW = [START, date(2026, 3, 1), 'Rua "A", 1\nSão Paulo', -46.633308, 93_600.0, 12.5, 3]
TOTALS = [None, None, None, None, 93_600.0, None, 3]
READER = DisplaySettings("en", "America/Sao_Paulo")
IMPERIAL = DisplaySettings(
    "en", "Asia/Tokyo", Units(DistanceUnit.MI, SpeedUnit.MPH, AltitudeUnit.FEET, VolumeUnit.GALLONS)
)
INJECTIONS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://evil")']


def table_of(*sections: Section) -> ReportTable:
    return ReportTable("summary", "Device summary", "Van 1", START, END, "America/Sao_Paulo", sections)


def days(rows, totals=None, name="Days", columns=COLUMNS) -> Section:
    return Section(name.lower(), name, columns, rows, totals)


def write(format: str, table: ReportTable, tmp_path, display=READER):
    path = tmp_path / f"report.{format}"
    get_exporter(format).write(table, path, display)
    return path


def read_csv(path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_json_rows_are_objects_with_times_in_utc(tmp_path):
    found = json.loads(write("json", table_of(days([ROW], TOTALS), days([], name="Empty")), tmp_path).read_bytes())
    assert found["subject"] == "Van 1"
    assert found["sections"][0]["rows"] == [
        {
            "at": "2026-03-01T03:00:00Z",
            "day": "2026-03-01",
            "note": 'Rua "A", 1\nSão Paulo',
            "longitude": -46.633308,
            "moving_seconds": 93600,
            "share": 12.5,
            "trips": 3,
        }
    ]
    assert found["sections"][0]["totals"]["trips"] == 3
    assert found["sections"][1] == {**found["sections"][0], "key": "empty", "name": "Empty", "rows": [], "totals": None}


def test_csv_keeps_quotes_commas_line_ends_and_letters(tmp_path):
    path = write("csv", table_of(days([ROW], TOTALS)), tmp_path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    header, row, totals = read_csv(path)
    units = {"Moving": "Moving (s)", "Share": "Share (%)"}
    assert header == [units.get(column.title, column.title) for column in COLUMNS]
    assert row == [
        "2026-03-01T00:00:00-03:00", "2026-03-01", 'Rua "A", 1\nSão Paulo', "-46.633308", "93600", "12.5", "3"
    ]  # fmt: skip
    assert totals == ["Total", "", "", "", "93600", "", "3"]


@pytest.mark.parametrize("text", INJECTIONS)
def test_csv_text_cannot_become_a_formula(text, tmp_path):
    columns = [Column("a", text), Column("b", "B", ColumnKind.LABEL)]
    (title, _b), (cell, label) = read_csv(write("csv", table_of(days([[text, text]], columns=columns)), tmp_path))
    shown = guarded(text.replace("\r", "\n"))  # what gettext makes of a title or label; a text cell stays as it is
    assert (title, cell, label) == (shown, guarded(text), shown)
    assert shown.startswith("'")


@pytest.mark.parametrize(
    "text", ["Van;=1+1;", "Van;'=1+1", "Van\t@SUM(A1)", 'Van "1"\n=1+1', "Van\r\n-1+1", "Van;\uff1d1"]
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_text_is_no_formula_where_a_spreadsheet_splits_at_another_sign(text, delimiter, tmp_path):
    """An Excel that is set to Brazil opens a double-clicked CSV with semicolons between its cells."""
    columns = [Column("a", "A"), Column("b", "B"), Column("c", "C")]
    path = write("csv", table_of(days([["x", text, text]], columns=columns)), tmp_path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file, delimiter=delimiter) for cell in row]
    assert [cell for cell in cells if cell.lstrip("\r\n").startswith(FORMULA_STARTS)] == []
    assert unguarded(guarded(text)) == text


def test_csv_numbers_stay_numbers(tmp_path):
    columns = [Column("x", "X", ColumnKind.LONGITUDE), Column("y", "Y", ColumnKind.NUMBER)]
    assert read_csv(write("csv", table_of(days([[-46.5, -3]], columns=columns)), tmp_path))[1] == ["-46.5", "-3.0"]


def test_csv_sections_are_blocks_under_their_names(tmp_path):
    columns = [Column("a", "A")]
    sections = [days([["1"]], columns=columns), days([["2"]], name="=More", columns=columns)]
    assert read_csv(write("csv", table_of(*sections), tmp_path)) == [
        ["Days"],
        ["A"],
        ["1"],
        [],
        ["'=More"],
        ["A"],
        ["2"],
    ]


def test_xlsx_cells_have_their_types(tmp_path):
    book = openpyxl.load_workbook(write("xlsx", table_of(days([ROW], TOTALS)), tmp_path))
    sheet = book["Days"]
    assert sheet["A1"].value == "Time (America/Sao_Paulo)"
    assert sheet["A1"].font.bold
    assert sheet.freeze_panes == "A2"
    assert sheet["A2"].value == datetime(2026, 3, 1)
    assert sheet["B2"].value == datetime(2026, 3, 1)
    assert sheet["B2"].number_format == "yyyy-mm-dd"
    assert sheet["D2"].value == pytest.approx(-46.633308)
    assert sheet["D2"].data_type == "n"
    assert sheet["E2"].value == timedelta(hours=26)
    assert sheet["F2"].value == pytest.approx(0.125)
    assert sheet["G2"].value == 3
    assert sheet["A3"].value == "Total"
    assert sheet["G3"].font.bold
    assert sheet["C3"].value is None


@pytest.mark.parametrize("text", [*INJECTIONS[:4], INJECTIONS[6], "http://example.org", "007"])
def test_xlsx_text_is_a_string_and_nothing_else(text, tmp_path):
    columns = [Column("a", text), Column("b", "B", ColumnKind.LABEL)]
    table = table_of(days([[text, text]], columns=columns, name="Sheet"))
    sheet = openpyxl.load_workbook(write("xlsx", table, tmp_path))["Sheet"]
    for cell in (sheet["A1"], sheet["A2"], sheet["B2"]):
        assert (cell.value, cell.data_type, cell.hyperlink) == (text, "s", None)


def test_xlsx_has_a_sheet_per_section_and_leaves_nothing_else_behind(tmp_path):
    path = write("xlsx", table_of(days([ROW]), days([], name="Days"), days([ROW], name="A/B:C")), tmp_path)
    assert openpyxl.load_workbook(path).sheetnames == ["Days", "Days (2)", "A B C"]
    assert list(tmp_path.iterdir()) == [path]


def test_xlsx_continues_a_long_section_on_another_sheet(tmp_path, monkeypatch):
    monkeypatch.setattr("reports_app.exporters.xlsx_skeleton.MAX_ROWS", 4)
    columns = [Column("n", "N", ColumnKind.INTEGER)]
    book = openpyxl.load_workbook(write("xlsx", table_of(days([[1], [2], [3]], [6], columns=columns)), tmp_path))
    values = [[cell.value for cell in sheet["A"]] for sheet in book.worksheets]
    assert values == [["N", 1, 2], ["N", 3, 6]]


def test_xlsx_takes_texts_longer_than_a_cell_and_times_older_than_excel(tmp_path):
    columns = [Column("a", "A"), Column("t", "T", ColumnKind.DATETIME), Column("d", "D", ColumnKind.DATE)]
    row = ["x" * 40_000, datetime(1890, 1, 1, tzinfo=UTC), date(1890, 1, 1)]
    sheet = openpyxl.load_workbook(write("xlsx", table_of(days([row], columns=columns)), tmp_path)).active
    assert len(sheet["A2"].value) == 32_767
    assert sheet["C2"].value == "1890-01-01 00:00:00"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("Days", "Days"), ("", "Sheet"), ("'quoted'", "quoted"), ("[a]:*?/\\", "a"), ("x" * 40, "x" * 31)],
)
def test_a_sheet_name_is_one_excel_takes(wanted, expected):
    assert sheet_name(wanted, set()) == expected


def test_sheet_names_differ_by_more_than_case():
    taken: set[str] = set()
    names = [sheet_name(name, taken) for name in ("Days", "DAYS", "x" * 31, "X" * 31)]
    assert names == ["Days", "DAYS (2)", "x" * 31, "X" * 27 + " (2)"]


@pytest.mark.parametrize("format", sorted(EXPORTERS))
def test_every_format_writes_an_empty_report(format, tmp_path):
    columns = [
        Column("latitude", "Latitude", ColumnKind.LATITUDE),
        Column("longitude", "Longitude", ColumnKind.LONGITUDE),
    ]
    path = write(format, table_of(days([], columns=columns)), tmp_path)
    assert path.stat().st_size > 0
    assert list(tmp_path.iterdir()) == [path]


# Of further formats each has tests of its own.
FORMATS = ["json", "csv", "xlsx", "pdf", "geojson", "gpx", "kml"]


@pytest.mark.parametrize(("kind", "formats"), [("route", FORMATS), ("events", FORMATS), ("summary", FORMATS[:4])])
def test_a_kind_has_the_formats_it_can_be_written_in(kind, formats):
    assert [format for format in formats_of(kind) if format in FORMATS] == formats


def test_a_format_a_kind_cannot_have_is_refused_before_any_work():
    with pytest.raises(InvalidReport, match="choose json, csv, xlsx, pdf") as caught:
        check_format("summary", "gpx")
    assert (caught.value.code, caught.value.field) == ("format_without_places", "format")


@pytest.mark.parametrize("format", ["geojson", "gpx", "kml"])
def test_a_table_without_coordinates_is_refused_by_geographic_formats(format, tmp_path):
    with pytest.raises(InvalidReport, match="no places"):
        write(format, table_of(days([ROW])), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_it_names_the_known_formats_when_asked_for_another():
    with pytest.raises(InvalidReport, match=r"json, csv, xlsx") as caught:
        get_exporter("exe")
    assert (caught.value.code, caught.value.field) == ("unknown_format", "format")


# --- the reader's units, zone and language

MEASURED = [
    Column("at", "Time", ColumnKind.DATETIME),
    Column("distance_km", "Distance (km)", ColumnKind.DISTANCE_KM),  # a title of an earlier version
    Column("speed_kph", "Speed", ColumnKind.SPEED_KPH),
    Column("altitude_meters", "Altitude", ColumnKind.ALTITUDE_METERS),
    Column("fuel_liters", "Fuel", ColumnKind.VOLUME_LITERS),
]
MEASURED_ROW = [START, 16.09344, 80.4672, 304.8, 37.85411784]


def measured_table() -> ReportTable:
    return table_of(days([MEASURED_ROW], [None, 16.09344, None, None, None], columns=MEASURED))


def test_csv_is_in_the_units_and_on_the_clock_of_its_reader(tmp_path):
    header, row, totals = read_csv(write("csv", measured_table(), tmp_path, IMPERIAL))
    assert header == ["Time", "Distance (mi)", "Speed (mph)", "Altitude (ft)", "Fuel (gal)"]
    assert row == ["2026-03-01T12:00:00+09:00", "10.0", "50.0", "1000", "10.0"]
    assert totals == ["Total", "10.0", "", "", ""]


def test_xlsx_is_in_the_units_and_on_the_clock_of_its_reader(tmp_path):
    sheet = openpyxl.load_workbook(write("xlsx", measured_table(), tmp_path, IMPERIAL)).active
    header, row, totals = ([cell.value for cell in line] for line in sheet.iter_rows())
    assert header == ["Time (Asia/Tokyo)", "Distance (mi)", "Speed (mph)", "Altitude (ft)", "Fuel (gal)"]
    assert row == [datetime(2026, 3, 1, 12), 10, 50, 1000, 10]
    assert totals == ["Total", 10, None, None, None]


def test_json_keeps_the_units_its_keys_name_for_every_reader(tmp_path):
    (row,) = json.loads(write("json", measured_table(), tmp_path, IMPERIAL).read_bytes())["sections"][0]["rows"]
    assert row == {
        "at": "2026-03-01T03:00:00Z",
        "distance_km": 16.093,
        "speed_kph": 80.5,
        "altitude_meters": 304.8,
        "fuel_liters": 37.85,
    }


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Asia/Kathmandu", ["05:45:00+05:45", "06:45:00+05:45"]),
        ("America/New_York", ["01:00:00-05:00", "03:00:00-04:00"]),  # the clocks go forward at 2
        ("UTC", ["00:00:00+00:00", "01:00:00+00:00"]),
    ],
)
def test_csv_times_follow_the_zone_through_its_changes(zone, expected, tmp_path):
    start = datetime(2026, 3, 8, 6, tzinfo=UTC) if zone == "America/New_York" else datetime(2026, 3, 8, tzinfo=UTC)
    columns = [Column("at", "Time", ColumnKind.DATETIME)]
    table = table_of(days([[start], [start + timedelta(hours=1)]], columns=columns))
    _header, *rows = read_csv(write("csv", table, tmp_path, DisplaySettings("en", zone)))
    assert [row[0].partition("T")[2] for row in rows] == expected


def test_times_with_milliseconds_before_1900_and_without_value(tmp_path):
    columns = [Column("at", "Time", ColumnKind.DATETIME), Column("n", "N", ColumnKind.INTEGER)]
    times = [datetime(2026, 3, 1, 3, 0, 0, 250_000, tzinfo=UTC), datetime(1890, 1, 1, 12, tzinfo=UTC), None]
    table = table_of(days([[at, 1] for at in times], columns=columns))
    _header, *rows = read_csv(write("csv", table, tmp_path))
    assert [datetime.fromisoformat(row[0]) if row[0] else None for row in rows] == times
    assert rows[0][0] == "2026-03-01T00:00:00.250-03:00"


NAMES = [
    "Van 🚚",
    "عربة التوصيل",
    "a\x00b\x0b\x1fc",
    "_x0041_",
    " spaces ",
    "x" * 300,
    "<b>&amp;</b>",
    "emoji\ud83d alone",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_any_letters_survive_in_every_format(name, tmp_path):
    columns = [Column("a", "A")]
    table = table_of(days([[name]], columns=columns))
    clean = name.encode(errors="replace").decode()
    assert read_csv(write("csv", table, tmp_path))[1] == [clean]
    (row,) = json.loads(write("json", table, tmp_path).read_bytes())["sections"][0]["rows"]
    assert row["a"] == clean
    value = openpyxl.load_workbook(write("xlsx", table, tmp_path)).active["A2"].value
    assert unescape(value) == clean


def _values_of(series) -> str:
    return (series.val or series.yVal).numRef.f


def test_xlsx_has_a_chart_of_distances_per_day_and_of_the_speed_along_a_track(tmp_path):
    per_day = [Column("day", "Day", ColumnKind.DATE), Column("distance_km", "Distance", ColumnKind.DISTANCE_KM)]
    track = [Column("fix_time", "Time", ColumnKind.DATETIME), Column("speed_kph", "Speed", ColumnKind.SPEED_KPH)]
    sections = [
        days([[date(2026, 3, 1), 5.0], [date(2026, 3, 2), None]], columns=per_day),
        days([[START, 5.0], [END, 6.0]], name="Route", columns=track),
        days([[START, 5.0]], name="One", columns=track),
    ]
    book = openpyxl.load_workbook(write("xlsx", table_of(*sections), tmp_path))
    charts = {sheet.title: [_values_of(chart.series[0]) for chart in sheet._charts] for sheet in book.worksheets}
    assert charts == {"Days": ["Days!$B$2:$B$3"], "Route": ["Route!$B$2:$B$3"], "One": []}


def test_xlsx_rows_of_many_chunks_are_numbered_through(tmp_path):
    columns = [Column("n", "N", ColumnKind.INTEGER)]
    chunks = [chunk_of(columns, [np.arange(start, start + 10_000)]) for start in (0, 10_000)]
    path = write("xlsx", table_of(days(chunks, [19_999], columns=columns)), tmp_path)
    sheet = openpyxl.load_workbook(path, read_only=True).active
    assert sheet.calculate_dimension() == "A1:A20002"
    assert [row[0] for row in sheet.iter_rows(min_row=2, values_only=True)] == [*range(20_000), 19_999]


def test_xlsx_dates_look_as_the_readers_language_writes_them(tmp_path):
    table = table_of(days([ROW]))
    with override("pt-br"):
        sheet = openpyxl.load_workbook(write("xlsx", table, tmp_path)).active
    assert (sheet["A2"].number_format, sheet["B2"].number_format) == ("dd/mm/yyyy hh:mm:ss", "dd/mm/yyyy")
    assert sheet["A2"].value == datetime(2026, 3, 1)
