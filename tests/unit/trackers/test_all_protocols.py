"""Trials every protocol has to bear: frames cut anywhere, joined, damaged; lengths that lie; anything at all for a frame."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.message import DeviceMessage
from tasks_app.ingest.trackers.base import (
    BadFrame,
    Decoded,
    EncodedCommand,
    FrameTooLong,
    InvalidCommand,
    OutgoingCommand,
    TrackerProtocol,
    TrackerSession,
)
from tasks_app.ingest.trackers.command_types import COMMAND_TYPES
from tasks_app.ingest.trackers.registry import PROTOCOLS
from tasks_app.queries.tracker_counters import KINDS_OF_FRAMES
from tests.support.cluster import allowed
from tests.support.tracker_vectors import VECTORS, Vector

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
# No protocol may keep more of a stream than this: the rest belongs to no frame.
MAX_KEPT_BYTES = 65_536

ALL = [(PROTOCOLS[name], vector) for name, vectors in VECTORS.items() for vector in vectors if name in PROTOCOLS]
STREAMS = [(protocol, vector) for protocol, vector in ALL if vector.transport == "tcp"]
each_vector = pytest.mark.parametrize(("protocol", "vector"), ALL, ids=lambda one: getattr(one, "name", ""))
each_stream = pytest.mark.parametrize(("protocol", "vector"), STREAMS, ids=lambda one: getattr(one, "name", ""))
each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=lambda one: one.name)


def frames_of(protocol: TrackerProtocol, parts: Iterable[bytes], session: TrackerSession) -> list[bytes]:
    """The frames in a stream that arrives in these parts, as a connection would cut them."""
    frames, buffer = [], b""
    for part in parts:
        buffer += part
        while True:
            found = protocol.cut(buffer, session)
            assert 0 <= found.skipped <= found.used <= len(buffer)
            buffer = buffer[found.used :]
            frames += found.frames
            if not found.used:
                break
    return frames


def everything_of(protocol: TrackerProtocol, data: bytes, session: TrackerSession) -> list[Decoded]:
    """All that a stream says; a bad frame says nothing, and nothing else may be raised."""
    found, complaints = [], []
    try:
        for frame in frames_of(protocol, [data], session):
            try:
                decoded = protocol.decode(frame, session, NOW)
            except BadFrame as error:
                complaints += [error.code, error.detail]
                continue
            refused = [message.content for message in decoded.messages if isinstance(message.content, RejectedFix)]
            assert decoded.kind in KINDS_OF_FRAMES or decoded.kind == refused[-1].code
            complaints += [text for one in refused for text in (one.code, one.detail)]
            assert all(isinstance(message, DeviceMessage) for message in decoded.messages)
            session.device_id = session.device_id or decoded.device_id
            found.append(decoded)
    except FrameTooLong as error:
        complaints.append(str(error))
    assert all(complaints)
    return found


def is_of_effect(decoded: Decoded) -> bool:
    """Whether more follows from it than that the tracker is alive."""
    is_said = any(message.content or message.unlocated for message in decoded.messages)
    return bool(decoded.reply or decoded.answer or is_said)


def test_every_protocol_has_vectors():
    assert set(VECTORS) == set(PROTOCOLS)
    assert all(VECTORS.values())


@each_vector
def test_a_vector_is_one_good_frame(protocol, vector):
    session = vector.session()
    frames = frames_of(protocol, [vector.data], session)
    assert len(frames) == 1
    first = protocol.decode(frames[0], session, NOW)
    assert first == protocol.decode(frames[0], vector.session(), NOW)
    assert all(message.device_id == (first.device_id or vector.device_id) for message in first.messages)


@each_stream
def test_a_frame_cut_after_any_byte_is_the_same_frame(protocol, vector):
    whole = frames_of(protocol, [vector.data], vector.session())
    for at in range(1, len(vector.data)):
        assert frames_of(protocol, [vector.data[:at], vector.data[at:]], vector.session()) == whole
    single_bytes = [vector.data[at : at + 1] for at in range(len(vector.data))]
    assert frames_of(protocol, single_bytes, vector.session()) == whole


@each_protocol
def test_two_frames_joined_are_two_frames(protocol):
    streams = [vector for one, vector in STREAMS if one is protocol]
    for first, second in product(streams, repeat=2):
        session = first.session()
        apart = frames_of(protocol, [first.data], session) + frames_of(protocol, [second.data], session)
        assert frames_of(protocol, [first.data + second.data], first.session()) == apart


@each_vector
def test_a_damaged_byte_raises_nothing_and_is_never_acknowledged_against_its_checksum(protocol, vector):
    intact = everything_of(protocol, vector.data, vector.session())
    for at, flip in product(range(len(vector.data)), (0x01, 0x80, 0xFF)):
        damaged = bytearray(vector.data)
        damaged[at] ^= flip
        found = everything_of(protocol, bytes(damaged), vector.session())
        if vector.is_checked:
            assert all(one in intact or not is_of_effect(one) for one in found)


@each_vector
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_bytes_inserted_lost_or_replaced_raise_nothing(protocol, vector, data):
    at = data.draw(st.integers(0, len(vector.data)))
    until = data.draw(st.integers(at, min(at + 8, len(vector.data))))
    mangled = vector.data[:at] + data.draw(st.binary(max_size=8)) + vector.data[until:]
    everything_of(protocol, mangled + vector.data, vector.session())
    everything_of(protocol, vector.data + mangled, vector.session())


@each_protocol
@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=400), transport=st.sampled_from(["tcp", "udp"]))
def test_any_bytes_raise_nothing(protocol, data, transport):
    everything_of(protocol, data, TrackerSession(transport=transport, device_id="352093086403655"))


@each_protocol
@settings(max_examples=150, deadline=None)
@given(frame=st.binary(max_size=200), is_named=st.booleans())
def test_any_frame_is_good_or_bad(protocol, frame, is_named):
    session = TrackerSession(device_id="352093086403655" if is_named else "")
    with suppress(BadFrame):
        assert isinstance(protocol.decode(frame, session, NOW), Decoded)


@each_protocol
def test_nothing_is_no_frame(protocol):
    found = protocol.cut(b"", TrackerSession())
    assert (found.frames, found.used, found.skipped) == ([], 0, 0)


def starts_of(protocol: TrackerProtocol) -> list[bytes]:
    return sorted({vector.data[:size] for one, vector in STREAMS if one is protocol for size in (1, 2, 8)})


@each_protocol
def test_a_megabyte_takes_no_memory_and_little_time(protocol):
    """Garbage, zeros, starts of frames again and again: skipped, or a connection that has to be closed."""
    patterns = [b"\x00", b"\xff", b"A", b"0", b";", b",", bytes(range(256)), *starts_of(protocol)]
    for pattern in patterns:
        data = (pattern * (1_000_000 // len(pattern) + 1))[:1_000_000]
        began = time.perf_counter()
        try:
            found = protocol.cut(data, TrackerSession())
            assert len(data) - found.used <= MAX_KEPT_BYTES, pattern[:8]
            assert sum(map(len, found.frames)) + found.skipped <= found.used
        except FrameTooLong:
            pass
        assert time.perf_counter() - began < allowed(3), pattern[:8]


@each_protocol
def test_a_frame_that_never_ends_is_bounded(protocol):
    for one, vector in STREAMS:
        if one is not protocol:
            continue
        session, buffer = vector.session(), vector.data[:-1]
        try:
            for _part in range(40):
                buffer = buffer[protocol.cut(buffer, session).used :] + b"1" * 4096
                assert len(buffer) <= MAX_KEPT_BYTES + 4096
        except FrameTooLong:
            pass


@each_protocol
def test_a_good_frame_follows_a_damaged_one(protocol):
    """A frame whose checksum, or text, is wrong costs none that comes after it."""
    for one, vector in STREAMS:
        if one is protocol and len(vector.data) > 8:
            damaged = bytearray(vector.data)
            damaged[-4] ^= 0x01
            found = everything_of(protocol, bytes(damaged) + vector.data, vector.session())
            assert found[-1:] == everything_of(protocol, vector.data, vector.session())


# --- Commands ---------------------------------------------------------------------------------------------------------

_VALUES = {"integer": 1, "boolean": True, "text": "gps.example.com"}


def command_of(type_name: str, **parameters: object) -> OutgoingCommand:
    wanted = COMMAND_TYPES[type_name].parameters
    values = {one.name: max(one.minimum, 1) if one.kind == "integer" else _VALUES[one.kind] for one in wanted}
    return OutgoingCommand(type_name, {**values, **parameters}, number=4711, now=NOW)


@each_protocol
def test_it_encodes_each_type_it_names_and_no_other(protocol):
    assert protocol.command_types
    for type_name in COMMAND_TYPES:
        session = TrackerSession(device_id="352093086403655")
        if type_name in protocol.command_types:
            encoded = protocol.encode(command_of(type_name), session)
            assert isinstance(encoded, EncodedCommand)
            assert encoded.data
            assert encoded.text.strip()
        else:
            with pytest.raises(InvalidCommand):
                protocol.encode(command_of(type_name), session)


@each_protocol
def test_a_text_it_cannot_send_is_refused_in_words(protocol):
    if "custom" not in protocol.command_types:
        return
    for text in ("", "motor\r\nstop", "x\x00y", "x" * 100_000):
        with pytest.raises(InvalidCommand, match=r"\w"):
            protocol.encode(command_of("custom", text=text), TrackerSession(device_id="352093086403655"))


@each_protocol
@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=200))
def test_any_text_is_sent_or_refused(protocol, text):
    if "custom" in protocol.command_types:
        with suppress(InvalidCommand):
            assert protocol.encode(command_of("custom", text=text), TrackerSession(device_id="352093086403655")).data


def test_a_fix_of_a_tracker_is_a_fix_like_all_others():
    """At least one vector of each protocol is a located fix; its units are the product's."""
    for name, vectors in VECTORS.items():
        fixes: list[Fix] = []
        for vector in vectors:
            for decoded in everything_of(PROTOCOLS[name], vector.data, vector.session()):
                fixes += [message.content for message in decoded.messages if isinstance(message.content, Fix)]
        assert fixes, name
        assert all(fix.fix_time.tzinfo is UTC for fix in fixes)


def test_vectors_are_named_once():
    for vectors in VECTORS.values():
        assert len({vector.name for vector in vectors}) == len(vectors)
        assert all(isinstance(vector, Vector) for vector in vectors)
