"""Tables as spreadsheets write them, in and out of the admin; and only the file one has sent oneself is imported."""

from __future__ import annotations

import io
import json
import os
import tempfile
import tracemalloc
import zipfile
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import openpyxl
import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.test import Client

from tasks_app.admin.table_formats import InvalidTable, XlsxFormat
from tasks_app.models import Device, Geofence

# --- In ---
from tests.support.spreadsheets import CIRCLE, CSV, HEAD, JSON, XLSX, imported, send, url, workbook


def test_ids_that_a_spreadsheet_made_numbers_are_the_ids_they_were(page, fleet, make_device):
    make_device(unique_id="48241179", name="Old")
    rows = [
        HEAD,
        [356153593162958.0, "Van 1", "Depot North", "van"],
        [48241179.0, 7.0, "Depot North", "van"],
        ["007", "007", "Depot North", "van"],
        [9007199254740991, 7.5, "Depot North", "van"],
        [True, datetime(2026, 10, 5), "Depot North", "van"],
    ]
    imported(page, workbook(*rows))
    assert dict(Device.objects.values_list("unique_id", "name")) == {
        "356153593162958": "Van 1",
        "48241179": "7",
        "007": "007",
        "9007199254740991": "7.5",
        "TRUE": "2026-10-05",
    }


def test_a_workbook_of_google_sheets_updates_the_device_it_means(page, fleet, make_device, traces_dir):
    path = traces_dir / "field_cases" / "devices_google_sheets.xlsx"
    if not path.is_file():
        pytest.skip(f"no {path} (set TRACES_DIR)")
    make_device(unique_id="48241179", name="Old")
    imported(page, path.read_bytes())
    assert dict(Device.objects.values_list("unique_id", "name")) == {"356153593162958": "Van 1", "48241179": "7"}


def test_numbers_in_json_are_texts_too(page, fleet):
    rows = [{"unique_id": 48241179, "name": 7.0, "fleet": "Depot North", "kind": "van"}]
    imported(page, json.dumps(rows).encode(), JSON)
    assert Device.objects.get().unique_id == "48241179"


@pytest.mark.parametrize("value", [True, "1_0"])
def test_what_only_python_takes_for_a_number_is_refused(page, fleet, value):
    row = {"unique_id": "v", "name": "V", "fleet": "Depot North", "kind": "van", "tank_liters": value}
    assert "is no number" in imported(page, json.dumps([row]).encode(), JSON)
    assert not Device.objects.exists()


def test_json_may_leave_members_out_and_is_read_in_utf_16(page, fleet):
    rows = [
        {"unique_id": "v", "name": "V\u00e9", "fleet": "Depot North", "kind": "van"},
        {"kind": "van", "fleet": "Depot North", "name": "W", "unique_id": "w", "speed_limit_kph": 80},
    ]
    imported(page, json.dumps(rows, ensure_ascii=False).encode("utf-16"), JSON)
    assert dict(Device.objects.values_list("name", "speed_limit_kph")) == {"V\u00e9": None, "W": 80}


@pytest.mark.parametrize(("name", "value"), [("unique_id", {"a": 1}), ("name", ["n"])])
def test_a_list_or_an_object_is_no_text(page, fleet, name, value):
    row = {"unique_id": "v", "name": "n", "fleet": "Depot North", "kind": "van", name: value}
    assert "a list or an object" in imported(page, json.dumps([row]).encode(), JSON)
    assert not Device.objects.exists()


@pytest.mark.parametrize("format", [CSV, XLSX])
def test_an_id_with_a_point_and_a_zero_is_the_number_it_was(page, fleet, make_device, format):
    make_device(unique_id="48241179", name="Old")
    row = ["48241179.0", "New", "Depot North", "van"]
    table = "\n".join(map(",".join, [HEAD, row])).encode() if format == CSV else workbook(HEAD, row)
    imported(page, table, format)
    assert list(Device.objects.values_list("unique_id", "name")) == [("48241179", "New")]


@pytest.mark.parametrize("error", ["#N/A", "#REF!", "#DIV/0!"])
def test_an_error_of_a_spreadsheet_is_no_text(page, fleet, error):
    assert error in imported(page, workbook(HEAD, [error, "Van", "Depot North", "van"]))
    assert not Device.objects.exists()


def test_a_geofence_and_a_fleet_named_by_a_number_are_found(page, fleet):
    fleet.name = "12"
    fleet.save()
    imported(page, workbook(["fleet", "name", "area"], [12.0, 3.0, json.dumps(CIRCLE)]), model="geofence")
    assert Geofence.objects.get().name == "3"


@pytest.mark.parametrize("value", [8.955011234567891e18, "3.56154E+14", "3,56154E+14"])
def test_an_id_that_lost_digits_is_refused(page, fleet, value):
    assert "as text" in imported(page, workbook(HEAD, [value, "Van", "Depot North", "van"]))
    assert not Device.objects.exists()


@pytest.mark.parametrize(
    ("value", "expected"),
    [(False, False), (0, False), (1.0, True), ("VERDADEIRO", True), ("falsch", False), ("Sim", True), ("maybe", None)],
)
def test_yes_and_no_are_read_as_spreadsheets_write_them(page, fleet, value, expected):
    said = imported(page, workbook([*HEAD, "is_active"], ["v", "Van", "Depot North", "van", value]))
    assert list(Device.objects.values_list("is_active", flat=True)) == ([] if expected is None else [expected])
    assert ("neither yes nor no" in said) == (expected is None)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("first", ["", "sep=;\r\n"])
def test_csv_of_a_brazilian_spreadsheet_is_read(page, fleet, encoding, first):
    text = f"{first}unique_id;name;fleet;kind;speed_limit_kph\r\n0071;Caminh\u00e3o;Depot North;van;80,5\r\n;;;;\r\n"
    said = imported(page, text.encode(encoding), CSV)
    device = Device.objects.filter(unique_id="0071").first()
    assert device, said
    assert (device.name, device.speed_limit_kph) == ("Caminh\u00e3o", 80.5)


@pytest.mark.parametrize(
    ("content", "format", "words"),
    [
        (b"PK\x03\x04nonsense", XLSX, "no XLSX"),
        (b"", XLSX, "empty"),
        (b"unique_id,name", XLSX, "no XLSX"),
        (b"\r\n,,\r\n", CSV, "must name the columns"),
        (b"unique_id,name\n1,2,3\n", CSV, "more cells"),
        (b"\xff\xfe\x00", CSV, "UTF-8"),
        (b"[[1, 2]]", JSON, "list of objects"),
        (b'[{"unique_id": "v"}, 5]', JSON, "list of objects"),
        (b'{"unique_id": "v"}', JSON, "list of objects"),
        (b"[]", JSON, "must name the columns"),
        (b"[{", JSON, "no JSON"),
        (b"[" * 100_000, JSON, "no JSON"),
        (b'[{"unique_id": "v", "kind": "\\ud800"}]', JSON, "text is damaged"),
        (b'[{"unique_id": "v", "\\ud800": {"a": ["b"]}}]', JSON, "text is damaged"),
        (b"unique_id,name,name\nv,A,B\n", CSV, "more than once"),
    ],
)
def test_what_is_no_table_says_so(page, fleet, content, format, words):
    assert words in imported(page, content, format)


# --- How much ---


def big_workbook(rows: int) -> bytes:
    out = io.BytesIO()
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(HEAD)
    for _number in range(rows):
        sheet.append(["12345678", "Van", "Depot North", "van"])
    book.save(out)
    return out.getvalue()


def with_sheet(xml: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook(HEAD))) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        for name in source.namelist():
            book.writestr(name, xml if name.endswith("sheet1.xml") else source.read(name))
    return out.getvalue()


SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>%b</sheetData></worksheet>'
CELL = b'<c r="A%d" t="inlineStr"><is><t>x</t></is></c>'


def test_a_workbook_of_150_000_rows_is_refused_before_it_is_parsed(page, fleet):
    content = big_workbook(150_000)
    page.get(url("device", "import"))
    assert "at most 5,000 are taken" in imported(page, content)
    tracemalloc.start()
    with pytest.raises(InvalidTable):
        XlsxFormat().create_dataset(content)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 30e6
    assert not Device.objects.exists()


def test_a_few_rows_too_many_are_refused_too(page, fleet):
    assert "at most 5,000 are taken" in imported(page, big_workbook(5001))
    lines = b"unique_id,name,fleet,kind\n" + b"1,Van,Depot North,van\n" * 5001
    assert "at most 5,000 are taken" in imported(page, lines, CSV)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (with_sheet(SHEET % (b'<row r="1">' + b'<c r="A1"/>' * 3_000_000 + b"</row>")), "more cells"),
        (with_sheet(SHEET % ((b'<row r="1">' + b'<c r="A1"/>' * 100 + b"</row>") * 30_000)), "more cells"),
        (with_sheet(SHEET % ((b'<row r="1">' + b'<c r="A1"/>' * 40 + b"</row>") * 4_900)), "must name the columns"),
        (with_sheet(b"x" * 300_000_000), "unpacks to more"),
        (with_sheet(SHEET % (b'<row r="1"/>' * 60_000)), "at most 5,000"),
        (with_sheet(SHEET % b"".join(b'<row r="%d">' % r + CELL % r + b"</row>" for r in (1, 1_000_000))), "at most 5,000"),
    ],
    ids=["cells of a row", "cells", "as many cells as are taken", "bytes", "empty rows", "a gap"],
)  # fmt: skip
def test_a_workbook_made_to_keep_the_server_busy_is_refused_fast(page, fleet, content, words):
    assert words in imported(page, content)


def test_rows_formatted_and_empty_below_the_table_cost_nothing(page, fleet):
    rows = [HEAD, ["v", "Van", "Depot North", "van"], *[[None] * 4] * 20, [None, "", None, None]]
    imported(page, workbook(*rows))
    assert Device.objects.get().unique_id == "v"


def test_a_file_too_large_is_refused(page, fleet, monkeypatch):
    monkeypatch.setattr("tasks_app.admin.exchange.MAX_TABLE_BYTES", 1000)
    assert "are accepted" in imported(page, b"x" * 1001, CSV)


# --- Whose file ---


def confirmation(page: Client, unique_id: str = "v") -> dict:
    return send(page, workbook(HEAD, [unique_id, "Van", "Depot North", "van"])).context["confirm_form"].initial


def confirm(page: Client, fields: dict, model: str = "device"):
    return page.post(url(model, "process_import"), fields, follow=True)


@pytest.mark.parametrize("name", ["secret.csv", "../../etc/passwd", "/etc/hostname", "", "."])
def test_no_file_of_the_server_is_imported_or_removed_by_its_name(page, fleet, name):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(tempfile.gettempdir()) / f"secret-{uuid4().hex}.csv"
        path.write_text("unique_id,name,fleet,kind\nv,Van,Depot North,van\n")
        try:
            fields = {"format": CSV, "resource": "0", "original_file_name": "x.csv"}
            wanted = path.name if name == "secret.csv" else name
            for each in (wanted, os.path.relpath(path, folder)):
                answer = confirm(page, {**fields, "import_file_name": each})
                assert answer.status_code == 200
                assert "no longer waiting" in answer.content.decode()
            assert path.exists()
        finally:
            path.unlink(missing_ok=True)
    assert not Device.objects.exists()


def test_only_the_session_that_sent_a_file_imports_it_and_only_once(page, fleet, make_user):
    fields = confirmation(page)
    other = Client()
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__endswith="_device"))
    other.force_login(user)
    assert "no longer waiting" in confirm(other, fields).content.decode()
    assert "no longer waiting" in confirm(page, fields, "geofence").content.decode()
    assert not Device.objects.exists()
    confirm(page, fields)
    assert Device.objects.count() == 1
    assert "no longer waiting" in confirm(page, fields).content.decode()


def test_a_file_that_is_gone_is_told(page, fleet):
    fields = confirmation(page)
    cache.clear()
    assert "no longer waiting" in confirm(page, fields).content.decode()


def test_two_tabs_each_import_their_file(page, fleet):
    first, second = confirmation(page, "a"), confirmation(page, "b")
    confirm(page, first)
    confirm(page, second)
    assert set(Device.objects.values_list("unique_id", flat=True)) == {"a", "b"}


@pytest.mark.parametrize(
    "changes", [{"format": "9"}, {"format": "x"}, {"format": "-1"}, {"resource": "7"}, {"resource": "x"}]
)
def test_a_changed_confirmation_is_no_error_of_the_server(page, fleet, changes):
    assert confirm(page, {**confirmation(page), **changes}).status_code == 200
    assert not Device.objects.exists()
