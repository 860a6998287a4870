"""Fonts of a PDF: which one has a letter, and letters that another program finds again in the file."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import manimgx_fonts
import paperang_p2_fonts_cjk
import uharfbuzz
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

REGULAR, BOLD = "Vera", "VeraBd"  # both come with reportlab
_NOTO = Path(manimgx_fonts.__file__).parent
_EAST_ASIAN = "WenQuanYiMicroHei"
_PATHS = {
    REGULAR: "Vera.ttf",
    BOLD: "VeraBd.ttf",
    _EAST_ASIAN: str(Path(paperang_p2_fonts_cjk.__file__).parent / "fonts" / "wqy-microhei.ttc"),
}
# First and last letter of the scripts that have a font of their own: no other font is loaded to look for them.
_SCRIPTS = (
    (0x0530, 0x058F, "NotoSansArmenian"),
    (0x0590, 0x05FF, "NotoSansHebrew"),
    (0x0600, 0x06FF, "NotoSansArabic"),
    (0x0750, 0x077F, "NotoSansArabic"),
    (0x08A0, 0x08FF, "NotoSansArabic"),
    (0x0900, 0x097F, "NotoSansDevanagari"),
    (0x0980, 0x09FF, "NotoSansBengali"),
    (0x0A00, 0x0A7F, "NotoSansGurmukhi"),
    (0x0A80, 0x0AFF, "NotoSansGujarati"),
    (0x0B00, 0x0B7F, "NotoSansOriya"),
    (0x0B80, 0x0BFF, "NotoSansTamil"),
    (0x0C00, 0x0C7F, "NotoSansTelugu"),
    (0x0C80, 0x0CFF, "NotoSansKannada"),
    (0x0D00, 0x0D7F, "NotoSansMalayalam"),
    (0x0D80, 0x0DFF, "NotoSansSinhala"),
    (0x0E00, 0x0E7F, "NotoSansThai"),
    (0x0E80, 0x0EFF, "NotoSansLao"),
    (0x1000, 0x109F, "NotoSansMyanmar"),
    (0x10A0, 0x10FF, "NotoSansGeorgian"),
    (0x1100, 0x11FF, _EAST_ASIAN),
    (0x1200, 0x139F, "NotoSansEthiopic"),
    (0x1780, 0x17FF, "NotoSansKhmer"),
    (0x19E0, 0x19FF, "NotoSansKhmer"),
    (0x1C90, 0x1CBF, "NotoSansGeorgian"),
    (0x2D00, 0x2D2F, "NotoSansGeorgian"),
    (0x2D80, 0x2DDF, "NotoSansEthiopic"),
    (0x2E80, 0x9FFF, _EAST_ASIAN),
    (0xA9E0, 0xA9FF, "NotoSansMyanmar"),
    (0xAA60, 0xAA7F, "NotoSansMyanmar"),
    (0xAB00, 0xAB2F, "NotoSansEthiopic"),
    (0xAC00, 0xD7FF, _EAST_ASIAN),
    (0xF900, 0xFAFF, _EAST_ASIAN),
    (0xFB13, 0xFB17, "NotoSansArmenian"),
    (0xFB1D, 0xFB4F, "NotoSansHebrew"),
    (0xFB50, 0xFDFF, "NotoSansArabic"),
    (0xFE30, 0xFE4F, _EAST_ASIAN),
    (0xFE70, 0xFEFE, "NotoSansArabic"),
    (0xFF00, 0xFFEF, _EAST_ASIAN),
    (0x1F000, 0x1FAFF, "NotoEmoji"),
    (0x20000, 0x3FFFF, _EAST_ASIAN),
)
_FIRSTS = [first for first, _last, _font in _SCRIPTS]
_GENERAL = ("NotoSans", "NotoSansSymbols", "NotoEmoji")
_FIRST_SIGN = 0x2000  # Signs such as a number in a circle stand in the large font for East Asia, too.
# Codes of the private use area, for glyphs that stand for a part of a letter or for several.
_FIRST_CODE, _LAST_CODE = 0xF0000, 0x10FFFD


class ReportFont(TTFont):
    """A font whose glyphs have codes of their own where they are shaped, and say in the file what they stand for."""

    def __init__(self, name: str) -> None:
        super().__init__(name, _PATHS.get(name) or str(_NOTO / f"{name}[wght].ttf"))
        self.letters = frozenset(code for code, glyph in self.face.charToGlyph.items() if glyph)
        self.shaper = uharfbuzz.Font(self.hbFace)
        self._codes: dict[tuple[int, str], int] = {}
        self._texts: dict[int, str] = {}

    def code_of(self, glyph: int, text: str, width: float) -> int:
        """The code that draws this glyph and reads as `text`, which may be empty."""
        if len(text) == 1 and self.face.charToGlyph.get(ord(text)) == glyph:
            return ord(text)
        if (code := self._codes.get((glyph, text))) is None:
            code = _FIRST_CODE + len(self._codes)
            if code > _LAST_CODE:  # After a hundred thousand different syllables.
                return self._codes.get((glyph, ""), _LAST_CODE)
            self._codes[glyph, text], self._texts[code] = code, text
            self.face.charToGlyph[code], self.face.charWidths[code] = glyph, width
        return code

    def addObjects(self, doc: Any) -> None:
        """Replace reportlab's tables of what codes read as: they know one letter each, of the first 65 536."""
        subsets = self._assignState(doc).subsets
        names = [self.getSubsetInternalName(number, doc)[1:] for number in range(len(subsets))]
        super().addObjects(doc)
        for name, subset in zip(names, subsets, strict=True):
            font = doc.idToObject["BasicFonts"].dict[name]
            texts = [self._texts.get(code, chr(code)) for code in subset]
            doc.idToObject[font.ToUnicode.name].content = _reading_table(texts)


def font_of(codes: Iterable[int], main: str) -> str:
    """The first font that has all of these letters; empty where none has."""
    needed = set(codes)
    return next((font for font in _candidates(needed, main) if needed <= report_font(font).letters), "")


@lru_cache(maxsize=64)
def report_font(name: str) -> ReportFont:
    """A font by its name. It is loaded when it is first asked for."""
    font = ReportFont(name)
    pdfmetrics.registerFont(font)
    return font


def _candidates(codes: set[int], main: str) -> Iterator[str]:
    yield main
    own = sorted({font for code in codes if (font := _font_of_script(code))})
    yield from own
    if not own:
        yield from _GENERAL
        if min(codes) >= _FIRST_SIGN:
            yield _EAST_ASIAN
    elif own == ["NotoEmoji"]:
        yield "NotoSansSymbols"


def _font_of_script(code: int) -> str:
    place = bisect_right(_FIRSTS, code) - 1
    if place < 0:
        return ""
    _first, last, font = _SCRIPTS[place]
    return font if code <= last else ""


def _reading_table(texts: list[str]) -> str:
    """A ToUnicode table of 256 codes at most (ISO 32000-1, 9.10.3)."""
    lines = [
        f"<{code:02X}> <{text.encode('utf-16-be').hex().upper()}>" for code, text in enumerate(texts) if text != "\0"
    ]
    blocks = [lines[first : first + 100] for first in range(0, len(lines), 100)]
    return "\n".join(
        [
            "/CIDInit /ProcSet findresource begin",
            "12 dict begin",
            "begincmap",
            "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
            "/CMapName /Adobe-Identity-UCS def",
            "/CMapType 2 def",
            "1 begincodespacerange",
            "<00> <FF>",
            "endcodespacerange",
            *(line for block in blocks for line in (f"{len(block)} beginbfchar", *block, "endbfchar")),
            "endcmap",
            "CMapName currentdict /CMap defineresource pop",
            "end",
            "end",
        ]
    )
