"""The quick way to read a batch gives what the way that looks at each position gives, or hands over to it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.engine.arguments import encode_json
from tasks_app.ingest.json_batch import decode_body, parse_batch
from tasks_app.ingest.ordinary_batch import ordinary_batch

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
GOOD = {"device_id": "truck-1", "timestamp": "2026-11-23T10:00:00Z", "latitude": -23.55, "longitude": -46.63}
FULL = {**GOOD, "speed": 42.5, "course": 360, "altitude": 760, "accuracy": 5, "attributes": {"ignition": True}}
# In each place: what may be sent there, good and bad.
ODD = {
    "device_id": ["", " ", "van\x07", "NaN", "v" * 128, "v" * 129, 7, None, "é\ud800", "\x00", "😀"],
    "timestamp": [
        "2026-11-23T10:00:00+00:00",
        "2026-11-23T07:00:00-03:00",
        "2026-11-23 10:00:00",
        "yesterday",
        "2026-11-23T23:00:00Z",
        "2007-04-09T10:00:00Z",
        1_795_000_000,
        1_795_000_000_000,
        1e300,
        "2" * 400,
        None,
        True,
    ],
    "latitude": [0, 0.0, 90, 91, "1", None, float("nan"), float("inf"), True],
    "longitude": [0, -180, 181, None, float("nan"), [1]],
    "speed": [None, 0, -1, 255, 1000, 1e5, "7", float("nan"), float("-inf")],
    "course": [None, 0, 360, 361, -1, "N", float("nan")],
    "altitude": [None, 0, -700, 9999, 65535, 1e9, float("nan")],
    "accuracy": [None, 0, 65535, -1, 1e9],
    "attributes": [
        None,
        {},
        {"batteryLevel": 101},
        {"alarm": "sos"},
        {"a\x00": 1},
        {"a": "\ud800"},
        {"a": "NaN"},
        {"a": 1e300},
        {"a": 10**30},
        {"a": [[1]]},
        {str(number): number for number in range(60)},
        {"text": "x" * 5000},
        [],
        "x",
    ],
    "unknown": [None, [], ["speed"], ["nonsense"], "speed"],
    "more": [{"a": {"b": [1]}}, "\x00", None],
}
odd_item = st.sampled_from(sorted(ODD)).flatmap(
    lambda name: st.sampled_from(ODD[name]).map(lambda value: {**FULL, name: value})
)
any_item = st.one_of(st.just(GOOD), st.just(FULL), odd_item, st.just("no object"), st.just({}))


def ordinary(items, **options):
    body = items if isinstance(items, bytes) else json.dumps(items).encode()
    return ordinary_batch(body, **{"max_fixes": 100, "now": NOW, **options})


def fixes_of(items):
    return parse_batch(items, now=NOW).fixes


@settings(max_examples=400, deadline=None)
@given(st.lists(any_item, min_size=1, max_size=4), st.booleans())
def test_what_it_returns_is_good_and_reads_as_what_was_sent(items, is_object):
    body = json.dumps({"positions": items} if is_object else items).encode()
    positions = ordinary(body)
    if positions is None:
        return
    batch = parse_batch(decode_body(body, max_bytes=10**6, max_fixes=100), now=NOW)
    assert batch.rejected == []
    assert batch.unlocated == {}
    assert not any(fix.unknown for fix in batch.fixes)
    written = msgspec.json.encode(positions)
    assert fixes_of(msgspec.json.decode(written)) == batch.fixes
    # As it is stored, without another check.
    assert msgspec.json.decode(encode_json(msgspec.json.decode(written))) == msgspec.json.decode(written)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in ODD for value in ODD[name]])
def test_a_position_that_would_be_refused_or_changed_is_never_among_them(name, value):
    items = [GOOD, {**FULL, name: value}]
    batch = parse_batch(items, now=NOW)
    is_good = len(batch.fixes) == 2 and not any(fix.unknown for fix in batch.fixes)
    assert is_good or ordinary(items) is None


def test_good_positions_are_returned_in_their_order_without_keys_nobody_knows():
    found = ordinary([FULL, {**GOOD, "more": 1}, {**GOOD, "device_id": "truck-2"}])
    assert [one.device_id for one in found] == ["truck-1", "truck-1", "truck-2"]
    assert msgspec.to_builtins(found[1]) == GOOD


def test_it_hands_over_what_is_no_batch():
    bodies = (b"", b"{", b"[]", b"{}", b'{"positions": []}', b"7", b"\xff", b"[" * 100_000, b'{"positions": 7}')
    assert [ordinary(body) for body in bodies] == [None] * len(bodies)
    assert ordinary([GOOD] * 101) is None


def test_times_count_from_the_earliest_that_can_be_right_to_a_day_ahead():
    def at(at_time):
        return ordinary([{**GOOD, "timestamp": at_time.isoformat()}])

    assert at(NOW)
    assert at(NOW - timedelta(days=365))
    for at_time in (NOW - timedelta(days=30 * 365), NOW + timedelta(days=400)):
        assert at(at_time) is None
        assert parse_batch([{**GOOD, "timestamp": at_time.isoformat()}], now=NOW).fixes != fixes_of([GOOD])
