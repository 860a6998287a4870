"""Fields of text protocols: numbers, degrees, frames; and messages with fields lost, repeated or replaced."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.ingest.trackers.base import BadFrame, FrameTooLong, TrackerSession
from tasks_app.ingest.trackers.registry import PROTOCOLS
from tasks_app.ingest.trackers.text_fields import cut_text, degrees, knots_to_kph, number, number_or_text, whole
from tests.support.tracker_vectors import VECTORS

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
SEPARATORS = {"suntech": ";", "queclink": ",", "h02": ",", "coban": ","}
TEXTS = [
    (name, vector)
    for name, separator in SEPARATORS.items()
    for vector in VECTORS[name]
    if separator.encode() in vector.data and vector.data.isascii()
]
WORDS = (
    "",
    " ",
    "0",
    "1",
    "2",
    "-",
    "A",
    "V",
    "N",
    "S",
    "E",
    "W",
    "F",
    "L",
    "V1",
    "V4",
    "Res",
    "imei:",
    "help me",
    "T:",
    "oil ",
)
VALUES = (
    "20261123",
    "10:00:00",
    "130305",
    "20261123100000",
    "00000000",
    "110000",
    "210100",
    "FFFFFFFF",
    "3FFFFF",
    "500",
)
NUMBERS = ("-23.566052", "2332.9999", "1.5", "1e999", "nan", "inf", "1_0", "\u0661", "\ud7ff", "9" * 30)
FIELDS = st.sampled_from([*WORDS, *VALUES, *NUMBERS])


@pytest.mark.parametrize(
    ("text", "hemisphere", "expected"),
    [
        ("2212.8745", "N", 22.214575),
        ("11346.6574", "E", 113.777623),
        ("04637.9999", "W", -46.633332),
        ("-23-29.0095", "S", -23.483492),
        ("-23-3.3408", "S", -23.05568),
        ("701.8915", "S", -7.031525),
        ("38.6508", "W", -0.64418),
        ("0.0000", "N", 0.0),
        ("2260.0000", "N", "2260.0000 N"),
        ("2212.8745", "X", "2212.8745 X"),
        ("2212.8745", "", "2212.8745"),
        ("22\u0661\u0662.8745", "N", "22\u0661\u0662.8745 N"),
        ("", "", None),
    ],
)
def test_degrees_and_minutes_are_degrees_or_a_text_to_refuse(text, hemisphere, expected):
    found = degrees(text, hemisphere)
    assert found == (pytest.approx(expected, abs=1e-6) if isinstance(expected, float) else expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+07.50", 7.5),
        ("-.5", -0.5),
        ("12.", 12.0),
        ("", None),
        ("1_0", None),
        ("nan", None),
        ("\u0661", None),
        ("9" * 20, None),
    ],
)
def test_a_number_is_one_of_ascii_digits_that_a_float_holds(text, expected):
    assert number(text) == expected
    assert number_or_text(text) == (expected if expected is not None else text or None)


def test_knots_are_kph_and_whole_numbers_are_whole():
    assert knots_to_kph("10") == pytest.approx(18.52)
    assert (knots_to_kph("fast"), knots_to_kph("")) == ("fast", None)
    assert (whole("012"), whole("1.0"), whole("")) == (12, None, None)


def frames(data: bytes, transport: str = "tcp"):
    session = TrackerSession(transport)  # type: ignore[arg-type]
    return cut_text(data, session, starts=(b"<a", b"<b"), ends=re.compile(rb">"), max_bytes=100)


def test_frames_stand_between_their_marks_and_all_else_is_garbage():
    found = frames(b"xx<a1>\r\n<b2>>yy<a3")
    assert (found.frames, found.used, found.skipped) == ([b"<a1>", b"<b2>"], 13, 3)


def test_a_start_within_a_frame_begins_it_anew():
    found = frames(b"<a1<b2>")
    assert (found.frames, found.skipped) == ([b"<b2>"], 3)


def test_a_datagram_ends_its_last_frame():
    assert frames(b"<a1><b2", "udp").frames == [b"<a1>", b"<b2"]
    found = frames(b"<a1>xyz", "udp")
    assert (found.frames, found.used, found.skipped) == ([b"<a1>"], 7, 3)


def test_a_frame_without_an_end_is_too_long():
    with pytest.raises(FrameTooLong):
        frames(b"<a" + b"1" * 99)


@pytest.mark.parametrize(("name", "vector"), TEXTS, ids=lambda one: getattr(one, "name", one))
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_fields_lost_doubled_or_replaced_make_no_message_of_another_and_raise_nothing(name, vector, data):
    protocol, separator = PROTOCOLS[name], SEPARATORS[name]
    fields = vector.data.decode().split(separator)
    for _change in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(fields) - 1))
        fields[at : at + data.draw(st.integers(0, 2))] = data.draw(st.lists(FIELDS, max_size=2))
        fields = fields or [""]
    session = TrackerSession(
        data.draw(st.sampled_from(["tcp", "udp"])), zone_minutes=data.draw(st.sampled_from([None, -180]))
    )
    for frame in protocol.cut(separator.join(fields).encode(), session).frames:
        with suppress(BadFrame):
            decoded = protocol.decode(frame, session, NOW)
            assert {message.device_id for message in decoded.messages} <= {decoded.device_id or session.device_id}
