"""PDF reports, opened again by another reader."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
from django.utils.translation import override
from pypdf import PdfReader

from reports_app.exporters import get_exporter
from reports_app.exporters.pdf_document import MAX_ROWS
from reports_app.exporters.pdf_drawings import MAX_POINTS, Sketch
from reports_app.exporters.pdf_pen import fitted, text_width, wrapped
from reports_app.table import Column, ColumnKind, DisplaySettings, ReportTable, Section, chunk_of
from tasks_app.geo.units import DistanceUnit, SpeedUnit, Units

START = datetime(2026, 3, 1, 3, tzinfo=UTC)
READER = DisplaySettings("en", "America/Sao_Paulo")
MILES = DisplaySettings("en", "UTC", Units(DistanceUnit.MI, SpeedUnit.MPH))
DAYS = [
    Column("day", "Day", ColumnKind.DATE),
    Column("distance_km", "Distance", ColumnKind.DISTANCE_KM),
    Column("moving_seconds", "Moving", ColumnKind.DURATION_SECONDS),
    Column("share", "Share", ColumnKind.PERCENT),
    Column("fixes", "Positions", ColumnKind.INTEGER),
]
DAY_ROWS = [[date(2026, 3, 1) + timedelta(days=day), 1609.344 * day, 90_061.0, 12.5, 1_234_567] for day in range(3)]
TRACK = [
    Column("fix_time", "Time", ColumnKind.DATETIME),
    Column("latitude", "Latitude", ColumnKind.LATITUDE),
    Column("longitude", "Longitude", ColumnKind.LONGITUDE),
]


def table_of(*sections: Section, subject: str = "Van São João") -> ReportTable:
    return ReportTable(
        "summary", "Device summary", subject, START, START + timedelta(days=3), "America/Sao_Paulo", sections
    )


def days_table(**options) -> ReportTable:
    return table_of(Section("days", "Days", DAYS, DAY_ROWS, [None, 4828.032, 270_183.0, None, 3_703_701]), **options)


def pages_of(table: ReportTable, tmp_path, display=READER) -> list[str]:
    path = tmp_path / "report.pdf"
    with override(display.language):
        get_exporter("pdf").write(table, path, display)
    assert list(tmp_path.iterdir()) == [path]
    return [page.extract_text() for page in PdfReader(path).pages]


def test_a_page_has_title_period_key_figures_table_and_number(tmp_path):
    (page,) = pages_of(days_table(), tmp_path)
    for text in (
        "Van São João",
        "Device summary",
        "2026-03-01 00:00 – 2026-03-04 00:00 (America/Sao_Paulo)",
        "Distance (km)",
        "2026-03-02",
        "1,609.3",
        "25:01:01",
        "12.5%",
        "1,234,567",
        "Total",
        "Page 1 of 1",
    ):
        assert text in page
    assert page.count("4,828.0") == 2, "among the key figures and in the totals"


def test_numbers_dates_and_units_are_the_readers(tmp_path):
    (page,) = pages_of(days_table(), tmp_path, DisplaySettings("pt-br", "America/Sao_Paulo"))
    for text in ("01/03/2026 00:00", "02/03/2026", "1.609,3", "1.234.567"):
        assert text in page
    (page,) = pages_of(days_table(), tmp_path, MILES)
    for text in ("2026-03-01 03:00", "(UTC)", "Distance (mi)", "1,000.0"):
        assert text in page


WIDE = [
    Column("device", "Rastreador"),
    *(Column(f"speed{number}", "Velocidade máxima", ColumnKind.SPEED_KPH) for number in range(9)),
    Column("trips", "Viagens", ColumnKind.INTEGER),
    Column("mean_kph", "Velocidade média desde a última posição", ColumnKind.SPEED_KPH),
]


def test_in_a_wide_table_names_give_way_before_titles_and_their_units(tmp_path):
    row = ["Caminhão de entregas da filial de Ribeirão Preto", *[88.8] * 9, 12, 45.6]
    (page,) = pages_of(table_of(Section("devices", "Rastreadores", WIDE, [row, row])), tmp_path)
    assert (page.count("Velocidade"), page.count("máxima"), page.count("(km/h)")) == (10, 9, 10)
    assert ("Viagens" in page, "Caminhão de" in page) == (True, True)


def test_coordinates_have_a_point_as_on_the_page_and_accuracies_no_false_digits(tmp_path):
    columns = [*TRACK, Column("accuracy_meters", "Accuracy (m)", ColumnKind.NUMBER)]
    table = table_of(Section("route", "Route", columns, [[START, -23.5, -46.633308, 12.0]]))
    (page,) = pages_of(table, tmp_path, DisplaySettings("pt-br", "UTC"))
    assert [text in page for text in ("-23.500000", "-46.633308", "12,0", "12,000")] == [True, True, True, False]


def test_totals_alone_on_a_page_have_a_header(tmp_path):
    rows = [[date(2026, 3, 1), float(number), None, None, number] for number in range(48)]
    pages = pages_of(table_of(Section("days", "Days", DAYS, rows, [None, 1.0, None, None, None])), tmp_path)
    assert pages[-1].startswith("Day Distance (km) Moving Share Positions\nTotal")


def test_headers_are_repeated_and_pages_numbered(tmp_path):
    rows = [[date(2026, 3, 1), float(number), None, None, number] for number in range(120)]
    pages = pages_of(table_of(Section("days", "Days", DAYS, rows)), tmp_path)
    assert len(pages) > 2
    assert all("Distance (km)" in page for page in pages)
    assert [f"Page {number} of {len(pages)}" in page for number, page in enumerate(pages, 1)] == [True] * len(pages)


def test_a_long_table_is_cut_and_says_how_much_was_left_out(tmp_path):
    count = 25_000
    arrays = [
        1_772_334_000_000_000 + np.arange(count) * 1_000_000,
        np.linspace(-23, -24, count),
        np.linspace(-46, -47, count),
    ]
    pages = pages_of(table_of(Section("route", "Route", TRACK, [chunk_of(TRACK, arrays)])), tmp_path)
    assert "24,500 more rows are left out here" in pages[-1]
    assert len(pages) < 20
    few = chunk_of(TRACK, [array[: MAX_ROWS + 1234] for array in arrays])
    brazilian = DisplaySettings("pt-br", "America/Sao_Paulo")
    assert "1.234" in pages_of(table_of(Section("route", "Route", TRACK, [few])), tmp_path, brazilian)[-1]


def test_a_section_of_one_row_is_shown_as_figures_and_an_empty_one_says_so(tmp_path):
    (page,) = pages_of(
        table_of(Section("summary", "Summary", DAYS, DAY_ROWS[1:2]), Section("e", "Events", DAYS, [])), tmp_path
    )
    assert "1,609.3" in page
    assert "Summary" not in page.replace("Device summary", "")
    assert "Nothing in this period." in page
    ranking = Section("ranking", "Ranking", DAYS, DAY_ROWS[1:2])
    (page,) = pages_of(table_of(Section("days", "Days", DAYS, DAY_ROWS), ranking), tmp_path)
    assert "Ranking" in page, "a table of one row further down stays a table"


def test_a_track_is_sketched_with_its_scale(tmp_path):
    rows = [[START + timedelta(minutes=minute), -23.5 + minute / 100, -46.6] for minute in range(60)]
    (page, *_rest) = pages_of(table_of(Section("route", "Route", TRACK, rows)), tmp_path, MILES)
    assert "10 mi" in page
    points = [
        Column("latitude", "Latitude", ColumnKind.LATITUDE),
        Column("longitude", "Longitude", ColumnKind.LONGITUDE),
    ]
    (page,) = pages_of(table_of(Section("events", "Events", points, [[0.0, 0.0], [None, None]])), tmp_path)
    assert " km" in page


def test_a_sketch_keeps_few_points_of_many_and_its_ends():
    sketch = Sketch()
    for first in range(0, 200_000, 10_000):
        latitudes = np.arange(first, first + 10_000, dtype=float)
        starts = np.zeros(10_000, dtype=bool)
        starts[0] = first == 0
        sketch.add_track(latitudes, latitudes, starts)
    assert MAX_POINTS / 4 < len(sketch.points) <= MAX_POINTS + 20
    assert (sketch.lines[0][0], sketch.lines[-1][-1]) == ((0.0, 0.0), (199_999.0, 199_999.0))


def test_texts_are_cut_to_their_room():
    assert fitted("short", 200, 8) == "short"
    cut = fitted("long " * 100, 100, 8)
    assert cut.endswith("…")
    assert text_width(cut, 8) <= 100
    assert wrapped("one two three four five", 40, 8, lines=2)[-1].endswith("…")
    assert wrapped("", 40, 8) == [""]


def test_numbers_and_times_are_never_cut_where_long_texts_take_the_page(tmp_path):
    named = [Column(f"name{number}", f"A rather long title {number}", ColumnKind.TEXT) for number in range(6)]
    row = [START, -23.550520, -46.633308, *["Depot of the north with a very long name"] * 6, 1609.344]
    columns = [*TRACK, *named, Column("distance_km", "Distance", ColumnKind.DISTANCE_KM)]
    (page,) = pages_of(table_of(Section("positions", "Positions", columns, [row])), tmp_path)
    for text in ("2026-03-01 00:00:00", "-23.550520", "-46.633308", "1,609.3", "Depot"):
        assert text in page
