"""Messages of JT/T 808 in parts: put together in any order, asked for where missing, bounded, never answered too early."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import xor
from struct import pack, unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.ingest.fix import Fix
from tasks_app.ingest.trackers.base import BadFrame, Decoded, TrackerSession
from tasks_app.ingest.trackers.jt808 import PROTOCOL
from tasks_app.ingest.trackers.jt808_parts import MAX_AGE, MAX_PARTS, MAX_REQUESTS, held_parts

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
PHONE = "002002604323"
BATCH, HEARTBEAT, PARAMETERS, PICTURE = 0x0704, 0x0002, 0x0104, 0x0801
FIRST_SERIAL = 0xFFFE


def framed(content: bytes) -> bytes:
    content += bytes([reduce(xor, content)])
    return b"\x7e" + content.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02") + b"\x7e"


def part(
    message: int, body: bytes, total: int, index: int, *, serial: int = FIRST_SERIAL, is_2019: bool = False
) -> bytes:
    """A part, whose serial follows from that of the first one."""
    attributes = len(body) | 0x2000 | (0x4000 if is_2019 else 0)
    name = b"\x01" + bytes.fromhex(PHONE.zfill(20)) if is_2019 else bytes.fromhex(PHONE)
    numbers = pack(">HHH", (serial + index - 1) & 0xFFFF, total, index)
    return framed(pack(">HH", message, attributes) + name + numbers + body)


def whole(message: int, body: bytes = b"", serial: int = 9) -> bytes:
    return framed(pack(">HH", message, len(body)) + bytes.fromhex(PHONE) + pack(">H", serial) + body)


def batch(count: int) -> bytes:
    """Places of so many seconds, 18:00 and after in China."""
    places = [
        pack(">IIIIhHH", 0, 0x0E, 23_550_000 + number, 46_630_000, 760, 835, 198)
        + bytes.fromhex(f"2611231800{number:02d}")
        for number in range(count)
    ]
    return pack(">HB", count, 1) + b"".join(pack(">H", len(one)) + one for one in places)


def parts(message: int, body: bytes, total: int, **options) -> list[bytes]:
    size = -(-len(body) // total)
    pieces = [body[at : at + size] for at in range(0, size * total, size)]
    return [part(message, piece, total, number, **options) for number, piece in enumerate(pieces, 1)]


def decode(frame: bytes, session: TrackerSession, now: datetime = NOW) -> Decoded:
    (cut,) = PROTOCOL.cut(frame, session).frames
    return PROTOCOL.decode(cut, session, now)


def fixes(found: Decoded) -> list[Fix]:
    return [message.content for message in found.messages if isinstance(message.content, Fix)]


def answers(reply: bytes) -> list[tuple[int, ...]]:
    """Message, and of a general answer serial, message and result; of a request for parts its numbers."""
    found: list[tuple[int, ...]] = []
    for frame in PROTOCOL.cut(reply, TrackerSession()).frames:
        content = frame.strip(b"\x7e").replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")
        (message, attributes) = unpack(">HH", content[:4])
        body = content[-1 - (attributes & 0x3FF) : -1]
        if message == 0x8001:
            found.append((message, *unpack(">HHB", body)))
        else:
            wide = ">HH" if attributes & 0x4000 else ">HB"
            head = 4 if attributes & 0x4000 else 3
            found.append((message, *unpack(wide, body[:head]), *unpack(f">{(len(body) - head) // 2}H", body[head:])))
    return found


def acknowledged(*serials: int, message: int = BATCH) -> list[tuple[int, ...]]:
    return [(0x8001, serial, message, 0) for serial in serials]


@pytest.mark.parametrize("is_2019", [False, True])
def test_a_batch_in_parts_is_the_same_batch_and_answered_when_it_is_whole(is_2019):
    session, body = TrackerSession(), batch(12)
    found = [decode(one, session) for one in parts(BATCH, body, 3, is_2019=is_2019)]
    assert [one.kind for one in found] == ["other", "other", "position"]
    assert [one.reply for one in found[:2]] == [b"", b""]
    # Serials go on behind FFFF with 0.
    assert answers(found[2].reply) == acknowledged(0xFFFE, 0xFFFF, 0)
    expected = fixes(decode(whole(BATCH, body), TrackerSession()))
    assert len(expected) == 12
    assert [(one.fix_time, one.latitude) for one in fixes(found[2])] == [
        (one.fix_time, one.latitude) for one in expected
    ]


@given(order=st.permutations(range(5)), repeated=st.lists(st.integers(0, 4), max_size=4))
def test_parts_in_any_order_and_repeated_are_one_batch(order, repeated):
    session, sent = TrackerSession(), parts(BATCH, batch(20), 5)
    found = [decode(sent[number], session) for number in [*repeated, *order]]
    assert max(len(fixes(one)) for one in found) == 20
    first_whole = next(number for number, one in enumerate(found) if fixes(one))
    assert len(set([*repeated, *order][: first_whole + 1])) == 5
    # Before that nothing was answered but what came again.
    before = [*repeated, *order][:first_whole]
    seen = set()
    for number, one in zip(before, found, strict=False):
        serials = [answer[1] for answer in answers(one.reply) if answer[0] == 0x8001]
        assert serials == ([(FIRST_SERIAL + number) & 0xFFFF] if number in seen else [])
        seen.add(number)


def test_a_frame_that_is_decoded_again_is_none_that_came_again():
    """So it is while Redis is away: the same frames once more, until they are taken in."""
    session, sent = TrackerSession(), parts(BATCH, batch(6), 2)
    (first,), (second,) = (PROTOCOL.cut(one, session).frames for one in sent)
    assert [PROTOCOL.decode(first, session, NOW).reply for _try in range(3)] == [b""] * 3
    whole_twice = [PROTOCOL.decode(second, session, NOW) for _try in range(2)]
    assert whole_twice[0] == whole_twice[1]
    assert len(fixes(whole_twice[1])) == 6
    # A tracker that waits for an answer to each part sends it again, and gets one.
    assert answers(decode(part(BATCH, b"x", 2, 1, serial=7), session).reply) == []
    assert answers(decode(part(BATCH, b"x", 2, 1, serial=7), session).reply) == acknowledged(7)


@pytest.mark.parametrize(("is_2019", "total"), [(False, 4), (True, 4)])
def test_parts_that_are_missing_are_asked_for_with_the_last_one_and_with_heartbeats(is_2019, total):
    session, sent = TrackerSession(), parts(BATCH, batch(16), total, is_2019=is_2019)
    decode(sent[1], session)
    wanted = (0x8003, FIRST_SERIAL, 2, 1, 3)
    assert answers(decode(sent[3], session).reply) == [wanted]
    for _beat in range(MAX_REQUESTS - 1):
        beat = decode(whole(HEARTBEAT), session)
        assert answers(beat.reply)[0] == (0x8001, 9, HEARTBEAT, 0)
        assert (answers(beat.reply)[1][:3], beat.kind) == (wanted[:3], "heartbeat")
    assert len(answers(decode(whole(HEARTBEAT), session).reply)) == 1
    decode(sent[0], session)
    assert len(fixes(decode(sent[2], session))) == 16
    assert len(answers(decode(whole(HEARTBEAT), session).reply)) == 1


@pytest.mark.parametrize(("message", "total"), [(BATCH, MAX_PARTS + 1), (BATCH, 0xFFFF), (PICTURE, 2)])
def test_what_is_too_long_or_never_read_is_answered_as_unsupported_and_not_held(message, total):
    session = TrackerSession()
    assert answers(decode(part(message, b"x", total, 1), session).reply) == [(0x8001, FIRST_SERIAL, message, 3)]
    assert held_parts(session) is None


def test_a_connection_holds_one_message_for_some_time_and_no_more_bytes_than_32_parts_have():
    session = TrackerSession()
    for serial in range(0, 40_000, 100):
        for index in range(1, MAX_PARTS):
            decode(part(BATCH, bytes(1023), MAX_PARTS, index, serial=serial), session)
        assert sum(map(len, held_parts(session).frames.values())) < MAX_PARTS * 2100
        if serial > 300:
            break
    sent = parts(BATCH, batch(6), 2)
    decode(sent[0], session)
    late = decode(sent[1], session, NOW + MAX_AGE + timedelta(seconds=1))
    assert (fixes(late), answers(late.reply)) == ([], [(0x8003, FIRST_SERIAL, 1, 1)])


def test_parts_of_an_answer_are_answered_one_by_one_and_are_one_answer():
    body = pack(">HB", 4711, 2) + pack(">IBI", 0x29, 4, 30) + pack(">IBI", 0x55, 4, 120)
    session = TrackerSession()
    found = [decode(one, session) for one in parts(PARAMETERS, body, 2, serial=5)]
    assert [answers(one.reply) for one in found] == [
        acknowledged(5, message=PARAMETERS),
        acknowledged(6, message=PARAMETERS),
    ]
    assert found[0].answer is None
    assert (found[1].answer.token, found[1].answer.text) == ("4711", "0029=30 0055=120")


def test_a_flipped_or_cut_part_costs_itself_and_no_other():
    sent = parts(BATCH, batch(6), 2)
    for at in range(len(sent[1])):
        for flip in (0x01, 0x80, 0xFF):
            session = TrackerSession()
            decode(sent[0], session)
            damaged = bytearray(sent[1])
            damaged[at] ^= flip
            for frame in PROTOCOL.cut(bytes(damaged), session).frames:
                with suppress(BadFrame):
                    assert not fixes(PROTOCOL.decode(frame, session, NOW))
            assert len(fixes(decode(sent[1], session))) == 6
    stream = b"".join(sent)
    for at in range(1, len(stream)):
        session, frames, buffer = TrackerSession(), [], b""
        for piece in (stream[:at], stream[at:]):
            buffer += piece
            found = PROTOCOL.cut(buffer, session)
            frames, buffer = frames + found.frames, buffer[found.used :]
        assert len(fixes([PROTOCOL.decode(one, session, NOW) for one in frames][-1])) == 6
