"""Fields of text protocols: numbers, degrees and times as trackers write them, and the cutting of their frames.

A field that should be a number and is none stays a text, for the rules of fixes to refuse, with the rest of the message kept in
quarantine; an attribute of that kind is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from tasks_app.ingest.message import KPH_PER
from tasks_app.ingest.trackers.base import Cut, FrameTooLong, TrackerSession

# ASCII digits only, and no more of them than a float holds: int() and float() take others, underscores and "inf" too.
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})")
_WHOLE = re.compile(r"[+-]?[0-9]{1,15}")
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{1,15}")
# Minutes have two digits, or one where a dash or nothing stands before them.
_DEGREES_MINUTES = re.compile(r"(?:-([0-9]{1,3})-|([0-9]{1,3})(?=[0-9]{2}\.)|)([0-9]{1,2}\.[0-9]{1,8})")
_SIGNS = {"N": 1.0, "S": -1.0, "E": 1.0, "W": -1.0}


def text_of(frame: bytes) -> str:
    """The text of a frame; what is no UTF-8 is replaced, and fits no pattern any more."""
    return frame.decode("utf-8", "replace")


def field_at(fields: list[str], index: int) -> str:
    """The field at this place, "" beyond the last."""
    return fields[index].strip() if 0 <= index < len(fields) else ""


def number(text: str) -> float | None:
    """The number in a field, None where there is none."""
    return float(text) if _NUMBER.fullmatch(text) else None


def number_or_text(text: str) -> float | str | None:
    """The number in a field, None for an empty one, else the text as it is, which the rules of fixes refuse."""
    return float(text) if _NUMBER.fullmatch(text) else text or None


def whole(text: str) -> int | None:
    """The whole number in a field, None where there is none."""
    return int(text) if _WHOLE.fullmatch(text) else None


def hexadecimal(text: str) -> int | None:
    """The hexadecimal number in a field, None where there is none."""
    return int(text, 16) if _HEXADECIMAL.fullmatch(text) else None


def knots_to_kph(text: str) -> float | str | None:
    """A speed in knots as km/h; a text that is no number stays one."""
    value = number_or_text(text)
    return value * KPH_PER["knots"] if isinstance(value, float) else value


def degrees(text: str, hemisphere: str) -> float | str | None:
    """Degrees and minutes (`2212.8745`, `11346.6574`, `-23-29.0095`, `38.6508` without degrees) as degrees.

    A hemisphere that is none of N, S, E and W makes them a text, so that no place on the wrong side of the equator is stored.
    """
    found = _DEGREES_MINUTES.fullmatch(text)
    minutes = float(found[3]) if found else 60.0
    if found is None or minutes >= 60 or hemisphere not in _SIGNS:
        return f"{text} {hemisphere}".strip() or None
    return _SIGNS[hemisphere] * (float(found[1] or found[2] or 0) + minutes / 60)


def iso_utc(year: str, month: str, day: str, clock: str) -> str:
    """A UTC time as ISO 8601, from digits: the rules of fixes refuse one that does not exist."""
    return f"{year}-{month}-{day}T{clock}Z"


def clock_of(digits: str) -> str:
    """`hhmmss`, with a fraction or without, as `hh:mm:ss`."""
    return f"{digits[:2]}:{digits[2:4]}:{digits[4:]}"


def present(**attributes: Any) -> dict[str, Any]:
    """Those of the attributes that have a value."""
    return {name: value for name, value in attributes.items() if value is not None}


def cut_text(
    buffer: bytes, session: TrackerSession, *, starts: Iterable[bytes], ends: re.Pattern[bytes], max_bytes: int
) -> Cut:
    """Frames that begin with one of `starts` and end with what `ends` matches, cut with both.

    A start mark within a frame begins it anew: the end of the one before got lost. A datagram is whole without an end too.
    A frame of more than `max_bytes` is none.
    """
    frames: list[bytes] = []
    used = skipped = 0
    for end in ends.finditer(buffer):
        begin = _last_start(buffer, starts, used, end.start())
        if begin < 0 or end.end() - begin > max_bytes:
            skipped += len(buffer[used : end.end()].strip())
        else:
            skipped += len(buffer[used:begin].strip())
            frames.append(buffer[begin : end.end()])
        used = end.end()
    rest = len(buffer) - used
    if session.transport == "udp" and rest:
        begin = _last_start(buffer, starts, used, len(buffer))
        skipped += len(buffer[used : begin if begin >= 0 else None].strip())
        return Cut([*frames, buffer[begin:]] if begin >= 0 else frames, len(buffer), skipped)
    if rest > max_bytes:
        raise FrameTooLong(f"No frame ends within {max_bytes} bytes.")
    return Cut(frames, used, skipped)


def _last_start(buffer: bytes, starts: Iterable[bytes], begin: int, end: int) -> int:
    return max(buffer.rfind(start, begin, end) for start in starts)
