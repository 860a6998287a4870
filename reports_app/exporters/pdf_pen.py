"""Text and pages of a PDF: any letters, whichever direction, and a footer that knows how many pages there are."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import arabic_reshaper
import manimgx_fonts
from bidi import get_display
from django.utils.translation import gettext as _
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4, landscape
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

WIDTH, HEIGHT = landscape(A4)
MARGIN = 36.0
INK, SUBTLE, LINE, TINT, ACCENT = "#1b2330", "#5b6675", "#c9d1dc", "#eef2f8", "#1f64d8"

_FOLDER = Path(manimgx_fonts.__file__).parent
_REGULAR, _BOLD = "Vera", "VeraBd"  # both come with reportlab
# Asked in this order for the letters the first font lacks.
_OTHERS = (
    "NotoSans",
    "NotoSansArabic",
    "NotoSansHebrew",
    "NotoSansDevanagari",
    "NotoSansThai",
    "NotoSansBengali",
    "NotoSansTamil",
    "NotoSansTelugu",
    "NotoSansGeorgian",
    "NotoSansArmenian",
    "NotoSansSymbols",
    "NotoEmoji",
)
_MISSING = "\N{REPLACEMENT CHARACTER}"


class Pen:
    """Draws on the pages of one document. Sizes and places are points from the lower left corner."""

    def __init__(self, path: Path, title: str, subject: str) -> None:
        self.canvas = _NumberedCanvas(str(path), pagesize=(WIDTH, HEIGHT), pageCompression=1)
        self.canvas.setTitle(clean(title))
        self.canvas.setSubject(clean(subject))
        self.canvas.footer = f"{title} · {subject}"
        self.y = HEIGHT - MARGIN

    def new_page(self) -> None:
        self.canvas.showPage()
        self.y = HEIGHT - MARGIN

    def room(self, height: float) -> bool:
        """Whether so much fits above the footer of this page."""
        return self.y - height >= MARGIN + 12

    def save(self) -> None:
        self.canvas.showPage()
        self.canvas.save()

    def text(
        self, x: float, y: float, text: str, size: float, *, bold: bool = False, color: str = INK, align: str = "left"
    ) -> None:
        """One line of text; `align` says which end of it stands at `x`."""
        draw_text(self.canvas, x, y, text, size, bold=bold, color=color, align=align)

    def box(self, x: float, y: float, width: float, height: float, color: str) -> None:
        """A filled rectangle without a border."""
        self.canvas.setFillColor(HexColor(color))
        self.canvas.rect(x, y, width, height, stroke=0, fill=1)

    def line(self, x: float, y: float, to_x: float, to_y: float, color: str = LINE, width: float = 0.5) -> None:
        self.canvas.setStrokeColor(HexColor(color))
        self.canvas.setLineWidth(width)
        self.canvas.line(x, y, to_x, to_y)


def draw_text(
    canvas: Canvas,
    x: float,
    y: float,
    text: str,
    size: float,
    *,
    bold: bool = False,
    color: str = INK,
    align: str = "left",
) -> None:
    """One line of text in whichever fonts have its letters."""
    shown = visual(text)
    if align != "left":
        width = text_width(text, size, bold=bold)
        x -= width if align == "right" else width / 2
    canvas.setFillColor(HexColor(color))
    for font, part in _runs(shown, bold):
        canvas.setFont(font, size)
        canvas.drawString(x, y, part)
        x += pdfmetrics.stringWidth(part, font, size)


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a line of text is, in points."""
    return sum(pdfmetrics.stringWidth(part, font, size) for font, part in _runs(visual(text), bold))


def fitted(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """The text, cut with an ellipsis where it is wider than that."""
    if text_width(text, size, bold=bold) <= width:
        return text
    low, high = 0, min(len(text), 400)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if text_width(text[:middle] + "…", size, bold=bold) <= width else (low, middle - 1)
    return text[:low].rstrip() + "…"


def wrapped(text: str, width: float, size: float, *, bold: bool = False, lines: int = 3) -> list[str]:
    """The words of the text in at most so many lines, the last one cut."""
    found, rest = [""], text.split()
    for index, word in enumerate(rest):
        longer = f"{found[-1]} {word}".strip()
        if text_width(longer, size, bold=bold) <= width or not found[-1]:
            found[-1] = longer
        elif len(found) == lines:
            found[-1] = " ".join([found[-1], *rest[index:]])
            break
        else:
            found.append(word)
    return [fitted(line, width, size, bold=bold) for line in found]


@lru_cache(maxsize=4096)
def visual(text: str) -> str:
    """The text as it is drawn from left to right: control characters gone, right-to-left words turned and joined."""
    plain = clean(text)
    if not any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in plain):
        return plain
    return str(get_display(arabic_reshaper.reshape(plain)))


def clean(text: str) -> str:
    """The text with a space for each control character and half of a pair."""
    return "".join(" " if unicodedata.category(letter) in ("Cc", "Cs", "Co") else letter for letter in text)


def _runs(text: str, bold: bool) -> Iterator[tuple[str, str]]:
    """The text in parts of one font each. What no font has is a replacement character."""
    main = _BOLD if bold else _REGULAR
    known = _letters(main)
    if all(ord(letter) in known for letter in text):
        yield main, text
        return
    for font, letters in groupby(text, key=lambda letter: _font_of(ord(letter), main)):
        part = "".join(letters)
        yield (font, part) if font else ("NotoSans", _MISSING * len(part))


@lru_cache(maxsize=8192)
def _font_of(code: int, main: str) -> str:
    return next((font for font in (main, *_OTHERS) if code in _letters(font)), "")


@lru_cache(maxsize=32)
def _letters(font: str) -> dict[int, int]:
    """The letters a font has. It is loaded when it is first asked for."""
    path = f"{font}.ttf" if font in (_REGULAR, _BOLD) else str(_FOLDER / f"{font}[wght].ttf")
    loaded = TTFont(font, path)
    pdfmetrics.registerFont(loaded)
    letters: dict[int, int] = loaded.face.charToGlyph
    return letters


class _NumberedCanvas(Canvas):
    """Keeps its pages until the last one is known, so that each can say "Page 2 of 7"."""

    footer = ""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._pages: list[dict[str, object]] = []

    def showPage(self) -> None:
        self._pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        for number, page in enumerate(self._pages, 1):
            self.__dict__.update(page)
            numbers = _("Page %(number)s of %(count)s") % {"number": number, "count": len(self._pages)}
            draw_text(self, WIDTH - MARGIN, MARGIN - 14, numbers, 7.5, color=SUBTLE, align="right")
            draw_text(self, MARGIN, MARGIN - 14, fitted(self.footer, WIDTH / 2, 7.5), 7.5, color=SUBTLE)
            super().showPage()
        super().save()
