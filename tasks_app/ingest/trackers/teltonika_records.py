"""Records of Teltonika: packets by codecs 8, 8 Extended and 16. Pure.

A packet that came whole may hold a record that cannot be read, or other numbers of records than it says. Records have no
length, so that where one lies the next is found by its time: what is read there must be likely, and is no alarm by chance.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from struct import Struct
from struct import error as struct_error
from typing import Any, NamedTuple

from tasks_app.ingest.message import DeviceMessage
from tasks_app.ingest.trackers.base import BadFrame, TrackerSession
from tasks_app.ingest.trackers.command_types import RELAY
from tasks_app.ingest.trackers.messages import fix_message
from tasks_app.ingest.trackers.teltonika_commands import relay_output
from tasks_app.ingest.trackers.teltonika_elements import element_attributes
from tasks_app.ingest.validate import InvalidFix, parse_live_timestamp

# Time in ms, priority, longitude and latitude in 1e-7 degrees, altitude, angle, satellites, speed.
_RECORD = Struct(">QBiihHBH")
# A time of 2004 to 2039, and a priority.
_LIKELY_START = re.compile(rb"(?=\x00\x00[\x01\x02].{5}[\x00-\x02])", re.DOTALL)
# Of each codec: format and width of ids, of counts, and bytes between the id of the event and the first count.
_ELEMENTS = {0x08: ("B", 1, 1, 0), 0x8E: ("H", 2, 2, 0), 0x10: ("H", 2, 1, 1)}
_WIDTHS = ((1, "B"), (2, "H"), (4, "I"), (8, "Q"))
RECORD_CODECS = frozenset(_ELEMENTS)


class Packet(NamedTuple):
    """Content of a packet: `stated_count` is the number that acknowledges all of it, `fault` what of it cannot be read."""

    messages: tuple[DeviceMessage, ...]
    stated_count: int
    fault: BadFrame | None = None
    is_relay_cut: bool | None = None


def read_packet(data: bytes, at: int, device_id: str, session: TrackerSession, now: datetime) -> Packet:
    """The records of a packet from its codec to its second count, the last byte of `data`. Raises IndexError."""
    codec, count, second_count = data[at], data[at + 1], data[-1]
    # What a record says of its length reaches as far as the second count, and no further.
    records, first = data[:-1], at + 2
    found: list[DeviceMessage] = []
    attributes: dict[str, Any] = {}
    fault, at = None, first
    try:
        while at < len(records):
            message, attributes, at = _read_record(records, at, codec, device_id, session, now)
            found.append(message)
        if not len(found) == count == second_count:
            fault = BadFrame("wrong_count", f"The packet holds {len(found)} records, not {count} or {second_count}.")
    except BadFrame as error:
        fault = error
    except (struct_error, IndexError) as error:
        fault = BadFrame("wrong_length", f"The content does not fit its lengths: {error}.")
    if fault is not None:
        found = _readable(records[first:], codec, device_id, session, now)
        return Packet(tuple(found), _stated_count(count, second_count, len(found)), fault)
    is_state = bool(found) and found[-1].content is None
    return Packet(tuple(found), count, is_relay_cut=attributes.get(RELAY) if is_state else None)


def _stated_count(first: int, second: int, found: int) -> int:
    """The number that two of these say, else the first: by any other than its own the tracker sends the packet again."""
    counts = (first, second, found)
    return max(counts, key=counts.count) or max(counts)


def _readable(
    records: bytes, codec: int, device_id: str, session: TrackerSession, now: datetime
) -> list[DeviceMessage]:
    """The likely records of a packet in which one is not what it says, before that one and behind it."""
    found: list[DeviceMessage] = []
    starts = [start.start() for start in _LIKELY_START.finditer(records)]
    # None reaches over the beginning of another.
    for start, end in pairwise([*starts, len(records)]):
        try:
            if _is_likely(records, start, now):
                found.append(_read_record(records[start:end], 0, codec, device_id, session, now)[0])
        except (BadFrame, struct_error, IndexError):
            continue
    return found


def _is_likely(records: bytes, at: int, now: datetime) -> bool:
    time_ms, _, longitude, latitude, *_ = _RECORD.unpack_from(records, at)
    try:
        parse_live_timestamp(time_ms / 1000, now=now)
    except InvalidFix:
        return False
    return abs(longitude) <= 1_800_000_000 and abs(latitude) <= 900_000_000


def _read_record(
    records: bytes, at: int, codec: int, device_id: str, session: TrackerSession, now: datetime
) -> tuple[DeviceMessage, dict[str, Any], int]:
    """The message of the record that begins here, its attributes, and where the next one begins."""
    values = _RECORD.unpack_from(records, at)
    event, elements, texts, at = _read_elements(records, at + _RECORD.size, codec)
    attributes = element_attributes(
        elements, texts, event=event, priority=values[1], relay_output=relay_output(session)
    )
    _note_outputs(elements, session)
    return _message(values, attributes, device_id, now), attributes, at


def _message(values: tuple[int, ...], attributes: dict[str, Any], device_id: str, now: datetime) -> DeviceMessage:
    time_ms, _priority, longitude, latitude, altitude, angle, satellites, speed = values
    attributes["sat"] = satellites
    return fix_message(
        now=now,
        device_id=device_id,
        timestamp=time_ms / 1000,
        latitude=latitude / 1e7,
        longitude=longitude / 1e7,
        speed_kph=float(speed),
        course_degrees=float(angle),
        altitude_meters=float(altitude),
        attributes=attributes,
        is_valid=satellites > 0,
    )


def _read_elements(data: bytes, at: int, codec: int) -> tuple[int, dict[int, int], dict[int, bytes], int]:
    """The id of the event, the numbers and texts of a record by id, and where the next record begins."""
    id_format, id_width, count_width, extra = _ELEMENTS[codec]
    event = int.from_bytes(data[at : at + id_width], "big")
    at += id_width + extra + count_width
    elements: dict[int, int] = {}
    for width, value_format in _WIDTHS:
        count = data[at] if count_width == 1 else data[at] << 8 | data[at + 1]
        at += count_width
        if not count:
            continue
        if at + count * (id_width + width) > len(data):
            raise BadFrame("wrong_length", f"{count} values of {width} bytes do not fit into the packet.")
        pairs = _pairs(id_format + value_format, count)
        flat = pairs.unpack_from(data, at)
        elements.update(zip(flat[::2], flat[1::2], strict=True))
        at += pairs.size
    texts: dict[int, bytes] = {}
    if codec == 0x8E:
        count = data[at] << 8 | data[at + 1]
        at += 2
        for _number in range(count):
            element, length = _TEXT_HEAD.unpack_from(data, at)
            at += 4 + length
            if at > len(data):
                raise BadFrame("wrong_length", f"A value of {length} bytes does not fit into the packet.")
            texts[element] = data[at - length : at]
    return event, elements, texts, at


_TEXT_HEAD = Struct(">HH")


@lru_cache(maxsize=1024)
def _pairs(formats: str, count: int) -> Struct:
    return Struct(">" + formats * count)


def _note_outputs(elements: dict[int, int], session: TrackerSession) -> None:
    """Keep how many outputs the tracker has by its own records, for commands."""
    shown = 3 if 380 in elements else 2 if 180 in elements else 1 if 179 in elements else 0
    if shown > session.memory.get("outputs", 0):
        session.memory["outputs"] = shown
