"""Behind a length that lies a stream goes on with the next good frame, in whatever pieces it arrives."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.ingest.trackers.base import BadFrame, TrackerProtocol, TrackerSession
from tasks_app.ingest.trackers.registry import PROTOCOLS
from tests.support.cluster import allowed
from tests.support.tracker_vectors import VECTORS
from tests.unit.trackers.test_all_protocols import frames_of

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
# Where the length stands in a frame, and its frames that have a checksum.
LENGTH_AT = {"gt06": slice(2, 3), "teltonika": slice(6, 8)}
FRAMES = {
    name: [one.data for one in VECTORS[name] if one.transport == "tcp" and one.data[:2] in (b"xx", b"\x00\x00")]
    for name in LENGTH_AT
}
each_protocol = pytest.mark.parametrize("protocol", [PROTOCOLS[name] for name in LENGTH_AT], ids=lambda one: one.name)


def lying(protocol: TrackerProtocol, frame: bytes, length: int) -> bytes:
    place = LENGTH_AT[protocol.name]
    return frame[: place.start] + length.to_bytes(place.stop - place.start, "big") + frame[place.stop :]


def lies(protocol: TrackerProtocol, frame: bytes) -> list[int]:
    """Lengths that are not this frame's: shorter, longer by some bytes, by a frame, and more than ever comes."""
    place = LENGTH_AT[protocol.name]
    true = int.from_bytes(frame[place], "big")
    most = 256 ** (place.stop - place.start) - 1
    near = {true - 9, true - 1, true + 1, true + 7, true + len(frame), 5, 3, 0, 1279, 0x3FFF, most}
    return sorted({min(max(one, 0), most) for one in near} - {true})


def good_frames_of(protocol: TrackerProtocol, parts: list[bytes]) -> list[bytes]:
    session = TrackerSession(device_id="352093086403655")
    good = []
    for frame in frames_of(protocol, parts, session):
        try:
            protocol.decode(frame, session, NOW)
        except BadFrame:
            continue
        good.append(frame)
    return good


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@each_protocol
def test_a_length_that_lies_costs_no_frame_behind_it(protocol):
    frames = FRAMES[protocol.name]
    for number, frame in enumerate(frames):
        behind = [frames[number - 1], frames[number - 2]]
        for length in lies(protocol, frame):
            stream = frame + lying(protocol, frame, length) + b"".join(behind)
            for size in (1, 50, len(stream)):
                assert good_frames_of(protocol, pieces(stream, size)) == [frame, *behind], (frame, length, size)


@each_protocol
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_damage_anywhere_costs_no_frame_behind_it(protocol, data):
    frames = FRAMES[protocol.name]
    first, *behind = [data.draw(st.sampled_from(frames)) for _ in range(3)]
    at = data.draw(st.integers(0, len(first) - 1))
    until = data.draw(st.integers(at, min(at + 4, len(first))))
    damaged = first[:at] + data.draw(st.binary(max_size=4)) + first[until:]
    size = data.draw(st.integers(1, 200))
    # Not where the damage is none, or is behind the frame: what counts is what follows.
    assert good_frames_of(protocol, pieces(damaged + b"".join(behind), size))[-2:] == behind


@each_protocol
def test_a_frame_that_comes_byte_by_byte_is_waited_for(protocol):
    for frame in FRAMES[protocol.name]:
        assert good_frames_of(protocol, pieces(frame * 2, 1)) == [frame, frame]


@each_protocol
def test_a_frame_of_starts_that_comes_byte_by_byte_costs_little(protocol):
    """Each byte that arrives is no reason to look at thousands of starts again."""
    longest = {"gt06": b"yy\x07\xfa", "teltonika": b"\x00\x00\x00\x00\x00\x00\x3f\xff\x08"}[protocol.name]
    held, session = longest * (1500 // len(longest)), TrackerSession(device_id="352093086403655")
    began = time.perf_counter()
    for number in range(300):
        found = protocol.cut(held + longest[:1] * number, session)
        held = held[found.used :]
    assert time.perf_counter() - began < allowed(1)
