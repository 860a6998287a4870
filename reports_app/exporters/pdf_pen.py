"""Text and pages of a PDF: any letters, whichever direction, and a footer that knows how many pages there are."""

from __future__ import annotations

from codecs import BOM_UTF16_BE
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from django.utils.translation import gettext as _
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4, landscape
from reportlab.pdfgen.canvas import Canvas
from reportlab.pdfgen.textobject import PDFTextObject

from reports_app.exporters.pdf_shaping import clean, cut, pieces

WIDTH, HEIGHT = landscape(A4)
MARGIN = 36.0
# Letters that a line may have: only they are shaped, however long a text is.
_MOST_LETTERS = 400
INK, SUBTLE, LINE, TINT, ACCENT = "#1b2330", "#5b6675", "#c9d1dc", "#eef2f8", "#1f64d8"


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
        """Return whether a height fits above the footer of this page."""
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
    if align != "left":
        width = text_width(text, size, bold=bold)
        x -= width if align == "right" else width / 2
    canvas.setFillColor(HexColor(color))
    line = canvas.beginText(x, y)
    for piece in pieces(text, bold):
        line.setFont(piece.font, size)
        with _read_as(line, piece.reading):
            line.textOut(piece.text)
    canvas.drawText(line)


@contextmanager
def _read_as(line: PDFTextObject, reading: str) -> Iterator[None]:
    """Draw so that it is copied and searched as `reading`, where that is not empty (ISO 32000-1, 14.9.4)."""
    if reading:
        line._code.append(f"/Span <</ActualText <{BOM_UTF16_BE.hex()}{reading.encode('utf-16-be').hex()}>>> BDC")
    yield
    if reading:
        line._code.append("EMC")


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of a line of text in points."""
    return sum(piece.width for piece in pieces(text, bold)) * size / 1000


def fitted(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """The text, cut with an ellipsis where it is wider than that."""
    if _fits(text, width, size, bold):
        return text
    low, high = 0, min(len(text), _MOST_LETTERS)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high) if text_width(cut(text, middle) + "…", size, bold=bold) <= width else (low, middle - 1)
        )
    return cut(text, low).rstrip() + "…"


def wrapped(text: str, width: float, size: float, *, bold: bool = False, lines: int = 3) -> list[str]:
    """The words of the text in at most so many lines, the last one cut."""
    found, rest = [""], text.split()
    for index, word in enumerate(rest):
        longer = f"{found[-1]} {word}".strip()
        if not found[-1] or _fits(longer, width, size, bold):
            found[-1] = longer
        elif len(found) == lines:
            found[-1] = " ".join([found[-1], *rest[index:]])
            break
        else:
            found.append(word)
    return [fitted(line, width, size, bold=bold) for line in found]


def _fits(text: str, width: float, size: float, bold: bool) -> bool:
    return len(text) <= _MOST_LETTERS and text_width(text, size, bold=bold) <= width


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
