"""Text as it stands on paper: fonts chosen, letters joined and stacked, right-to-left words turned.

What no font has is written in Latin letters, or as its number (U+XXXX): never as a box that all names share.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise

import uharfbuzz
from anyascii import anyascii
from bidi import algorithm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import ShapeData, ShapedStr

from reports_app.exporters.pdf_fonts import BOLD, REGULAR, ReportFont, font_of, report_font

_JOINERS = ("\N{ZERO WIDTH NON-JOINER}", "\N{ZERO WIDTH JOINER}")
_DIRECTION_MARKS = ("\N{LEFT-TO-RIGHT MARK}", "\N{RIGHT-TO-LEFT MARK}")
_VARIANTS = {chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))}
# Signs that no letter follows when a text is cut: what they join would be gone.
_JOINING_CLASS = 9  # virama, coeng and the like


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line in one font, in the order it is drawn; `width` is that of letters of size 1 000.

    `reading` is its text, where that is more than its glyphs one by one.
    """

    font: str
    text: str
    width: float
    reading: str = ""


@dataclass(frozen=True, slots=True)
class _Cluster:
    """A letter and the marks on it."""

    text: str
    font: str
    level: int = 0


@lru_cache(maxsize=4096)
def pieces(text: str, bold: bool) -> tuple[Piece, ...]:
    """The line of text from left to right."""
    main = BOLD if bold else REGULAR
    plain = clean(text)
    if report_font(main).letters.issuperset(map(ord, plain)):
        return (Piece(main, plain, pdfmetrics.stringWidth(plain, main, 1000)),)
    clusters = _with_levels([one for cluster in _clusters(plain) for one in _in_a_font(cluster, main)])
    runs = [list(run) for _key, run in groupby(clusters, key=lambda cluster: (cluster.font, cluster.level))]
    return tuple(_shaped(run) for run in _reordered(runs))


def clean(text: str) -> str:
    """The text with a space for each control character and half of a pair."""
    if text.isascii() and text.isprintable():
        return text
    composed = unicodedata.normalize("NFC", text)
    return "".join(" " if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") else letter for letter in composed)


def cut(text: str, length: int) -> str:
    """At most the first so many letters, and no letter without its marks."""
    while 0 < length < len(text) and (_is_attached(text[length]) or _joins(text[length - 1])):
        length -= 1
    return text[:length]


def _is_attached(letter: str) -> bool:
    return unicodedata.category(letter)[0] == "M" or letter in _JOINERS


def _joins(letter: str) -> bool:
    return unicodedata.combining(letter) == _JOINING_CLASS or letter == _JOINERS[1]


def _clusters(text: str) -> list[str]:
    found: list[str] = []
    for letter in text:
        if letter in _VARIANTS or (unicodedata.category(letter) == "Cf" and letter not in _JOINERS + _DIRECTION_MARKS):
            continue
        if found and (_is_attached(letter) or found[-1][-1] == _JOINERS[1]):
            found[-1] += letter
        elif letter not in _JOINERS:
            found.append(letter)
    return found


def _in_a_font(cluster: str, main: str) -> Iterator[_Cluster]:
    """The cluster in a font that has all of it; else its letters one by one, at worst written out."""
    if cluster in _DIRECTION_MARKS:
        yield _Cluster(cluster, "")
    elif font := _font_of(cluster, main):
        yield _Cluster(cluster, font)
    elif len(cluster) > 1:
        for letter in cluster:
            if letter not in _JOINERS:
                yield from _in_a_font(letter, main)
    else:
        yield from (_Cluster(letter, main) for letter in _written_out(cluster))


def _font_of(cluster: str, main: str) -> str:
    """Fonts name a few codes that are no letters."""
    if any(unicodedata.category(letter) in ("Co", "Cn") for letter in cluster):
        return ""
    return font_of((ord(letter) for letter in cluster if letter not in _JOINERS), main)


def _written_out(letter: str) -> str:
    """Return a transliteration such as "hri" for a Tibetan letter, and "[U+E000]" for a character without one."""
    return anyascii(letter).strip() or f"[U+{ord(letter):04X}]"


def _with_levels(clusters: Sequence[_Cluster]) -> list[_Cluster]:
    """Their levels by the bidirectional algorithm: odd ones are read from the right. Its own marks have done their work."""
    first_letters = "".join(cluster.text[0] for cluster in clusters)
    if not any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in first_letters):
        return [cluster for cluster in clusters if cluster.font]
    return [
        _Cluster(cluster.text, cluster.font, level)
        for cluster, level in zip(clusters, _levels(first_letters), strict=True)
        if cluster.font
    ]


def _levels(text: str) -> list[int]:
    storage = algorithm.get_empty_storage()
    base = algorithm.get_base_level(text)
    storage.update(base_level=base, base_dir="R" if base else "L")
    algorithm.get_embedding_levels(text, storage)
    algorithm.explicit_embed_and_overrides(storage)
    algorithm.resolve_weak_types(storage)
    algorithm.resolve_neutral_types(storage, False)
    algorithm.resolve_implicit_levels(storage, False)
    return [one["level"] for one in storage["chars"]]


def _reordered(runs: list[list[_Cluster]]) -> list[list[_Cluster]]:
    """Rule L2 of the bidirectional algorithm: from the highest level down, what is at least so high is turned."""
    levels = {run[0].level for run in runs}
    for level in range(max(levels, default=0), 0, -1):
        parts = [list(part) for _key, part in groupby(runs, key=lambda run: run[0].level >= level)]
        runs = [run for part in parts for run in (reversed(part) if part[0][0].level >= level else part)]
    return runs


def _shaped(run: Sequence[_Cluster]) -> Piece:
    """A run of one font and level, its glyphs from left to right."""
    font = report_font(run[0].font)
    text = "".join(cluster.text for cluster in run)
    buffer = uharfbuzz.Buffer()
    buffer.add_str(text)
    buffer.guess_segment_properties()
    buffer.direction = "rtl" if run[0].level % 2 else "ltr"
    uharfbuzz.shape(font.shaper, buffer)
    glyphs, positions = buffer.glyph_infos, buffer.glyph_positions
    letters, shapes = [], []
    for glyph, position, part in zip(glyphs, positions, _parts(text, glyphs, positions), strict=True):
        letters.append(_letter(font, glyph.codepoint, part, position))
        shapes.append(_shape(font, letters[-1], position))
    drawn = ShapedStr("".join(letters), shapes)
    # Programs disagree on the order of such a reading where it runs from the right.
    reading = "" if drawn == text or run[0].level % 2 else text
    return Piece(font.fontName, drawn, sum(shape.x_advance for shape in shapes), reading)


def _letter(font: ReportFont, glyph: int, text: str, position: uharfbuzz.GlyphPosition) -> str:
    """Its width reaches back to where a mark on the letter before begins: programs take a step forward for a space."""
    return chr(font.code_of(glyph, text, font.pdfScale(position.x_advance - min(position.x_offset, 0))))


def _shape(font: ReportFont, letter: str, position: uharfbuzz.GlyphPosition) -> ShapeData:
    measures = (position.x_advance, position.y_advance, position.x_offset, position.y_offset)
    return ShapeData(0, *(font.pdfScale(value) for value in measures), font.face.charWidths[ord(letter)])


def _parts(text: str, glyphs: Sequence[uharfbuzz.GlyphInfo], positions: Sequence[uharfbuzz.GlyphPosition]) -> list[str]:
    """The text each glyph stands for: the widest of a cluster for all of it, its dots and marks for nothing."""
    widest: dict[int, int] = {}
    for place, glyph in enumerate(glyphs):
        before = widest.setdefault(glyph.cluster, place)
        if positions[place].x_advance > positions[before].x_advance:
            widest[glyph.cluster] = place
    ends = dict(pairwise([*sorted(widest), len(text)]))
    parts = [""] * len(glyphs)
    for start, place in widest.items():
        parts[place] = text[start : ends[start]]
    return parts
