"""Texts in XLSX files: what XML and Excel cannot hold never spoils the file."""

from __future__ import annotations

import re
from xml.etree import ElementTree
from zipfile import ZipFile

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports_app.exporters.xlsx_cells import escaped, text_writer
from reports_app.table import Column, ReportTable
from tasks_app.utils.spreadsheets import MAX_TEXT_UNITS, cut_to_units
from tests.unit.test_reports_exporters import END, START, days, write

_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")
ODD = "Van\x0b1 \x00\x1b[31m\ufffe\uffff\ud800 & <b>"


def decoded(cell: bytes) -> str:
    """The text of a cell as ECMA-376 has it read (22.9.2.19 ST_Xstring), from left to right."""
    (text,) = ElementTree.fromstring(cell).iter("t")
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text.text or "")


def as_cell(text: str) -> str:
    return decoded(text_writer(b"0")(text))


@pytest.mark.parametrize(
    "text",
    [
        "_x0041_",
        "_x0041\x01",
        "_x0041\r",
        "_x0041\uffff",
        "\x01x0041_",
        "_x005F_x0041_",
        "_x0041_x0041_",
        "_x00e9\x0b_",
    ],
)
def test_what_looks_like_an_escape_stays_what_it_is(text):
    assert as_cell(text) == text


@given(st.text(st.sampled_from("_x0041AF\x01\x0b\r\n\t\uffff\ufffeé<&"), max_size=40))
def test_every_text_comes_back_as_it_was(text):
    assert as_cell(text) == text


@pytest.mark.parametrize("letter", ["x", "é", "🚚", "字"])
@pytest.mark.parametrize("before", ["", "a"])
def test_a_cell_has_as_many_utf16_units_as_excel_takes(letter, before):
    found = as_cell(before + letter * 40_000)
    units = len(found.encode("utf-16-le")) // 2
    assert MAX_TEXT_UNITS - 1 <= units <= MAX_TEXT_UNITS
    assert set(found) <= {letter, *before}


@settings(max_examples=50)
@given(st.text(max_size=30), st.integers(0, 20))
def test_a_cut_never_parts_a_pair(text, most):
    cut = cut_to_units(text, most)
    assert text.startswith(cut)
    assert len(cut.encode("utf-16-le")) // 2 <= most
    assert len(text.encode("utf-16-le")) // 2 <= most or len(cut.encode("utf-16-le")) // 2 >= most - 1


def test_no_name_spoils_the_workbook(tmp_path):
    table = ReportTable(
        "summary", "Device summary", ODD, START, END, "UTC", [days([[ODD]], name=ODD, columns=[Column("a", ODD)])]
    )
    path = write("xlsx", table, tmp_path)
    with ZipFile(path) as book:
        for name in book.namelist():
            if name.endswith((".xml", ".rels")):
                ElementTree.fromstring(book.read(name))
    sheet = openpyxl.load_workbook(path).active
    assert sheet.title.startswith("Van")
    assert sheet["A2"].value.startswith("Van")


@pytest.mark.parametrize("letter", ["&", "🚚", "1"])
def test_a_long_name_leaves_the_header_of_printed_pages(letter, tmp_path):
    table = ReportTable(
        "summary", "Device summary", letter * 255, START, END, "UTC", [days([["1"]], columns=[Column("a", "A")])]
    )
    sheet = openpyxl.load_workbook(write("xlsx", table, tmp_path)).active
    assert sheet.oddHeader.left.text.startswith(f"Device summary · {letter}")
    assert sheet.oddHeader.right.text == "2026-03-01 00:00 - 2026-03-02 00:00"


@settings(max_examples=100)
@given(st.text(max_size=20))
def test_every_text_is_good_xml(text):
    ElementTree.fromstring(b"<t>" + escaped(text) + b"</t>")
