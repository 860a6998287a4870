"""Names in the letters of every script, drawn in a PDF so that people and programs can read them."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import pytest
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from reports_app.exporters import get_exporter, pdf_pen
from reports_app.exporters.pdf_fonts import report_font
from reports_app.exporters.pdf_pen import MARGIN, WIDTH, Pen, fitted, text_width, wrapped
from reports_app.exporters.pdf_shaping import cut, pieces
from reports_app.table import Column, ColumnKind, DisplaySettings, ReportTable, Section

WORDS = {
    "Chinese": "货车", "Chinese plate": "京A·12345", "Traditional": "貨車臺灣", "Japanese": "トラック", "Kana": "ひらがな",
    "Narrow kana": "ﾄﾗｯｸ", "Korean": "한국", "Wide": "ＡＢＣ１２３", "Khmer": "រថយន្ត", "Burmese": "မော်တော်ကား",
    "Sinhala": "ලංකා", "Ethiopic": "የጭነት", "Gujarati": "ગુજરાત", "Punjabi": "ਪੰਜਾਬ", "Malayalam": "മലയാളം",
    "Kannada": "ಕನ್ನಡ", "Odia": "ଓଡିଆ", "Tamil": "தமிழ்", "Telugu": "తెలుగు", "Bengali": "ট্রাক", "Hindi": "क्षत्रिय",
    "Thai": "รถบรรทุก", "Georgian": "საქართველო", "Armenian": "Հայաստան", "Hebrew": "משאית", "Arabic": "شاحنة",
    "Persian": "کامیون", "Urdu": "ٹرک", "Russian": "Фургон", "Greek": "Φορτηγό", "Vietnamese": "Việt", "Turkish": "Iğdır",
    "Lao": "ລົດບັນທຸກ", "Pali": "ກຳແພງ", "Punjabi truck": "ਟਰੱਕ", "Malayalam truck": "ട്രക്ക്", "Odia truck": "ଟ୍ରକ",
    "Emoji": "🚚", "Symbols": "★→№₿",
}  # fmt: skip


def text_of_pdf(name: str, tmp_path) -> str:
    section = Section(
        "devices", name, [Column("name", name), Column("km", "km", ColumnKind.DISTANCE_KM)], [[name, 1.5]]
    )
    at = datetime(2026, 3, 1, tzinfo=UTC)
    path = tmp_path / "report.pdf"
    with override("en"):
        table = ReportTable("summary", "Device summary", name, at, at, "UTC", [section])
        get_exporter("pdf").write(table, path, DisplaySettings("en", "UTC"))
    return "\n".join(page.extract_text() for page in PdfReader(path).pages)


def drawn_text(text: str) -> str:
    return "".join(piece.text for piece in pieces(text, False))


@pytest.mark.parametrize("script", WORDS)
def test_it_draws_the_letters_of_each_script_and_they_are_found_again(script, tmp_path):
    text = text_of_pdf(WORDS[script], tmp_path)
    assert "\N{REPLACEMENT CHARACTER}" not in text
    # In the title, the section's name, the column's, and the row.
    assert text.count(WORDS[script]) >= 4


@pytest.mark.parametrize("word", ["ລົດບັນທຸກ", "ଓଡ଼ିଆ", "ট্র্যাক", "👩‍🚒 🇧🇷 1️⃣"])
def test_it_draws_letters_that_readers_of_files_take_apart(word):
    assert [piece.font for piece in pieces(word, False) if piece.font.startswith("Vera")] in (
        [],
        ["Vera"],
        ["Vera"] * 2,
    )
    assert all(glyph for piece in pieces(word, False) for glyph in glyphs_of(piece))


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("བོད་ཡིག", "bod-yig"),
        ("ᏣᎳᎩ", "TsaLaGi"),
        ("ދިވެހި 7", "dhivehi 7"),
        ("\ue000", "[U+E000]"),
        ("\U000f0000\uffff", "[U+F0000][U+FFFF]"),
        ("a\x00b\x1fc\ud83d", "a b c "),
        ("Sa\u0303o Jose\u0301", "São José"),
        ("soft\u00adhy\u200bphen\ufeff", "soft\u00adhyphen"),
    ],
)
def test_it_writes_out_what_no_font_has(word, shown):
    assert drawn_text(word).replace("\u00ad", "") == shown.replace("\u00ad", "")


def test_words_from_right_to_left_are_turned_around_their_numbers():
    assert drawn_text("שלום 12, אב abc") == "abc בא ,12 םולש"
    assert drawn_text("abc \x07 שלום") == "abc   םולש"
    assert text_width("שלום", 8) == pytest.approx(text_width("םולש", 8), rel=0.1)


def test_arabic_letters_are_joined():
    apart = sum(text_width(letter, 100) for letter in "شاحنة")
    assert text_width("شاحنة", 100) < 0.9 * apart


def test_letters_are_stacked_where_their_script_stacks_them():
    (khmer,) = pieces("ភ្នំ", False)
    assert khmer.width < 1000, "one letter wide: the others stand below and above it"


@pytest.mark.parametrize("word", ["ភ្នំពេញ " * 30, "क्षत्रिय " * 30, "👩‍🚒" * 60, "e\u0302\u0301" * 90])
def test_a_text_is_not_cut_between_a_letter_and_its_marks(word):
    shown = fitted(word, 100, 8)
    assert shown.endswith("…")
    assert text_width(shown, 8) <= 100
    rest = word[len(shown.rstrip("…")) :].lstrip()
    assert unicodedata.category(rest[0])[0] != "M"


@pytest.mark.parametrize("part", ["ភ្នំពេញ", "\u0301", "\ue000", "👩\u200d", "x"])
def test_a_text_that_no_line_can_hold_is_not_shaped_as_a_whole(part, monkeypatch):
    lengths = []
    monkeypatch.setattr(pdf_pen, "pieces", lambda text, bold: lengths.append(len(text)) or pieces(text, bold))
    fitted("e" + part * 20_000, 100, 8.25)
    wrapped("e" + part * 20_000 + " e", 100, 8.25)
    assert max(lengths) <= 500


@pytest.mark.parametrize("letter", ["字", "W", "\ue000", "ﷺ"])
def test_no_name_is_drawn_beyond_the_page(letter, tmp_path, monkeypatch):
    ends = []
    draw = Pen.text

    def measured(pen, x, y, text, size, *, bold=False, align="left", **kwargs):
        ends.append(x + (text_width(text, size, bold=bold) if align == "left" else 0))
        draw(pen, x, y, text, size, bold=bold, align=align, **kwargs)

    monkeypatch.setattr(Pen, "text", measured)
    text_of_pdf(letter * 100, tmp_path)
    assert max(ends) <= WIDTH - MARGIN


def test_a_text_of_marks_alone_can_be_cut():
    assert cut("\u0301" * 5, 3) == ""
    assert cut("abc", 5) == "abc"
    assert cut("abc", 2) == "ab"


@given(st.text(max_size=12), st.booleans())
def test_no_text_at_all_is_drawn_with_a_missing_glyph(text, bold):
    for piece in pieces(text, bold):
        assert all(glyphs_of(piece)), (piece.font, piece.text)
        assert piece.width >= 0


@given(st.text(st.characters(max_codepoint=0x33FF, min_codepoint=0x0590), max_size=6))
def test_no_text_of_other_scripts_is_drawn_with_a_missing_glyph(text):
    assert all(glyph for piece in pieces(text, False) for glyph in glyphs_of(piece))


def glyphs_of(piece) -> list[int]:
    letters = report_font(piece.font).face.charToGlyph
    return [letters.get(ord(letter), 0) for letter in piece.text.replace("\xa0", " ")]


def test_a_name_in_other_letters_does_not_make_a_file_large(tmp_path):
    text_of_pdf("京A·12345 货车", tmp_path)
    assert (tmp_path / "report.pdf").stat().st_size < 80_000
