import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.ingest.fix import Fix
from tasks_app.ingest.json_batch import BodyError, ParsedBatch, decode_body, parse_batch, parse_batches
from tasks_app.ingest.serialise import fix_to_item
from tasks_app.ingest.validate import InvalidFix, make_fix

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
GOOD = {"device_id": "truck-1", "timestamp": "2026-11-23T10:00:00Z", "latitude": -23.55, "longitude": -46.63}
FULL = {**GOOD, "speed": 42.5, "course": 360, "altitude": 760, "accuracy": 5, "attributes": {"ignition": True}}
NAN, INFINITY = float("nan"), float("inf")


def one(**changes):
    batch = parse_batch([{**FULL, **changes}], now=NOW)
    return batch.fixes[0] if batch.fixes else batch.rejected[0]


def decode(body, max_bytes=2_000_000, max_fixes=5000):
    return decode_body(body if isinstance(body, bytes) else body.encode(), max_bytes=max_bytes, max_fixes=max_fixes)


def test_it_reads_a_full_position_into_the_products_units():
    assert one() == Fix(
        "truck-1",
        datetime(2026, 11, 23, 10, 0, tzinfo=UTC),
        -23.55,
        -46.63,
        42.5,
        0.0,
        760.0,
        5.0,
        {"ignition": True},
    )


def test_it_leaves_out_what_the_device_did_not_send():
    fix = parse_batch([GOOD], now=NOW).fixes[0]
    assert (fix.speed_kph, fix.course_degrees, fix.altitude_meters, fix.accuracy_meters) == (None, None, None, None)
    assert fix.attributes == {}


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00+00:00"),
        ("2026-11-23T07:00:00-03:00", "2026-11-23T10:00:00+00:00"),
        ("2026-11-23 10:00:00.250+00:00", "2026-11-23T10:00:00.250000+00:00"),
        (1_700_000_000, "2023-11-14T22:13:20+00:00"),
        (1_700_000_000.5, "2023-11-14T22:13:20.500000+00:00"),
        (1_700_000_000_123, "2023-11-14T22:13:20.123000+00:00"),
        ("2026-11-24T12:00:00Z", "2026-11-24T12:00:00+00:00"),  # exactly a day ahead
        ("2007-06-01T00:00:00Z", "2007-06-01T00:00:00+00:00"),
    ],
)
def test_it_reads_every_kind_of_timestamp(timestamp, expected):
    assert one(timestamp=timestamp).fix_time.isoformat() == expected


def test_it_reads_history_from_1990_on():
    items = [{**FULL, "timestamp": text} for text in ("1990-01-01T00:00:00Z", "1989-12-31T23:59:59Z")]
    batch = parse_batch(items, now=NOW, is_history=True)
    assert [fix.fix_time.year for fix in batch.fixes] == [1990]
    assert batch.rejected[0].code == "timestamp_too_old"


REFUSED = [
    ({"latitude": NAN}, "invalid_latitude"),
    ({"latitude": INFINITY}, "invalid_latitude"),
    ({"latitude": 91}, "invalid_latitude"),
    ({"latitude": 10**5000}, "invalid_latitude"),
    ({"latitude": True}, "invalid_latitude"),
    ({"latitude": "-23.5"}, "invalid_latitude"),
    ({"latitude": None}, "missing_latitude"),
    ({"longitude": 181}, "invalid_longitude"),
    ({"longitude": [1]}, "invalid_longitude"),
    ({"longitude": NAN}, "invalid_longitude"),
    ({"latitude": -46.63, "longitude": -230.55}, "invalid_longitude"),
    ({"latitude": 0, "longitude": 0.0}, "no_fix"),
    ({"timestamp": None}, "missing_timestamp"),
    ({"timestamp": "1970-01-01T00:00:00Z"}, "timestamp_too_old"),
    ({"timestamp": 0}, "timestamp_too_old"),
    ({"timestamp": -5}, "timestamp_too_old"),
    ({"timestamp": 1_700_000}, "timestamp_too_old"),
    ({"timestamp": "9999-12-31T00:00:00Z"}, "timestamp_in_future"),
    ({"timestamp": "2026-11-24T12:00:01Z"}, "timestamp_in_future"),
    ({"timestamp": 1_700_000_000_000_000}, "invalid_timestamp"),
    ({"timestamp": 10**5000}, "invalid_timestamp"),
    ({"timestamp": -(10**5000)}, "invalid_timestamp"),
    ({"timestamp": NAN}, "invalid_timestamp"),
    ({"timestamp": True}, "invalid_timestamp"),
    ({"timestamp": "2026-11-23T10:00:00"}, "timestamp_without_zone"),
    ({"timestamp": "2026-11-23"}, "timestamp_without_zone"),
    ({"timestamp": "yesterday"}, "invalid_timestamp"),
    ({"timestamp": ""}, "invalid_timestamp"),
    ({"timestamp": "0001-01-01T00:00:00+14:00"}, "invalid_timestamp"),
    ({"timestamp": "2026-11-23T10:00:00Z" + " " * 100_000}, "invalid_timestamp"),
    ({"timestamp": {}}, "invalid_timestamp"),
    ({"device_id": None}, "missing_device_id"),
    ({"device_id": ""}, "invalid_device_id"),
    ({"device_id": "  "}, "invalid_device_id"),
    ({"device_id": 42}, "invalid_device_id"),
    ({"device_id": "x" * 129}, "invalid_device_id"),
    ({"device_id": "a\x00b"}, "invalid_device_id"),
    ({"device_id": "a\nb"}, "invalid_device_id"),
    ({"device_id": "a\ud800"}, "invalid_device_id"),
    ({"device_id": "NaN"}, "invalid_device_id"),
]


@pytest.mark.parametrize(("changes", "code"), REFUSED)
def test_it_refuses_what_cannot_be_right_and_says_why(changes, code):
    refused = one(**changes)
    assert not isinstance(refused, Fix)
    assert refused.code == code
    assert 10 < len(refused.detail) < 200


@pytest.mark.parametrize("item", [None, 3, "x", [], [GOOD], True, NAN])
def test_it_refuses_an_item_that_is_no_object(item):
    assert parse_batch([item], now=NOW).rejected[0].code == "not_an_object"


def test_it_keeps_the_good_ones_of_a_batch_with_bad_ones():
    batch = parse_batch([GOOD, {**GOOD, "latitude": 91}, None, FULL], now=NOW)
    assert batch.indexes == [0, 3]
    assert len(batch.fixes) == 2
    assert [(bad.index, bad.code) for bad in batch.rejected] == [(1, "invalid_latitude"), (2, "not_an_object")]


def test_a_byte_order_mark_in_front_of_a_body_is_left_out():
    assert decode(b"\xef\xbb\xbf" + json.dumps([GOOD]).encode()) == [GOOD]


@pytest.mark.parametrize("body", [json.dumps([GOOD, FULL]), json.dumps({"positions": [GOOD, FULL], "x": 1})])
def test_it_accepts_a_list_and_an_object_with_positions(body):
    assert decode(body) == [GOOD, FULL]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not_json"),
        (b"device=1", "not_json"),
        (b'[{"latitude": NaNa}]', "not_json"),
        (b'[{"latitude": --Infinity}]', "not_json"),
        (b"[{NaN: 1]", "not_json"),
        (b"[1" + b"0" * 5000 + b"]", "not_json"),
        (b'["\xff\xfe"]', "not_json"),
        (b'["\\udzzz"]', "not_json"),
        (b"[{}] trailing", "not_json"),
        (b"\x1f\x8b\x08\x00", "not_json"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 100_000, "too_deep"),
        (b"[" * 100_000 + b"]" * 100_000, "too_deep"),
        (b"null", "wrong_shape"),
        (b"3", "wrong_shape"),
        (b'"text"', "wrong_shape"),
        (b"{}", "wrong_shape"),
        (b'{"positions": {"0": {}}}', "wrong_shape"),
        (b"[]", "empty"),
        (b'{"positions": []}', "empty"),
        (b"[" + b"1," * 5000 + b"1]", "too_many_fixes"),
        (b" " * 2_000_001, "body_too_large"),
    ],
)
def test_it_refuses_a_body_it_cannot_read(body, code):
    with pytest.raises(BodyError) as caught:
        decode(body)
    assert caught.value.code == code
    assert 10 < len(caught.value.detail) < 300


@pytest.mark.parametrize(
    ("half", "read"),
    [
        ("\\ud83d", "\ufffd"),
        ("\\uDC00", "\ufffd"),
        ("\\ud83d\\ud83d", "\ufffd\ufffd"),
        ("\\udc00\\ud83d", "\ufffd\ufffd"),
        ("\\\\\\ud83d", "\\\ufffd"),
    ],
)
def test_half_a_character_costs_its_own_text_only(half, read):
    good = json.dumps(GOOD)
    body = f"""[{good}, {good[:-1]}, "attributes": {{"name": "x{half}", "smile": "\\ud83d\\ude00", "path": "\\\\ud83d"}}}},
        {{"device_id": "van{half}", {good.partition(",")[2]}, {good[:-1]}, "note{half}": NaN}}]"""
    batch = parse_batch(decode(body), now=NOW)
    assert (batch.indexes, [(bad.index, bad.code) for bad in batch.rejected]) == ([0, 1, 3], [(2, "invalid_device_id")])
    assert batch.fixes[1].attributes == {"name": f"x{read}", "smile": "\U0001f600", "path": "\\ud83d"}
    assert batch.fixes[1].unknown == ("attributes",)


def test_it_takes_the_last_of_two_equal_keys_like_every_json_reader():
    items = decode('[{"device_id":"a","latitude":1,"latitude":2,"longitude":3,"timestamp":1700000000}]')
    assert parse_batch(items, now=NOW).fixes[0].latitude == 2.0


# Text with lone surrogates and NUL, numbers with NaN and infinity: what JSON texts and Python callers can bring.
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=()), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
near_position = st.fixed_dictionaries(
    {},
    optional={
        "device_id": st.sampled_from(["a", "b"]) | anything,
        "timestamp": st.integers(1_600_000_000, 1_800_000_000) | st.datetimes().map(str) | anything,
        "latitude": st.floats(-95, 95) | anything,
        "longitude": st.floats(-185, 185) | anything,
        "speed": st.floats(-1, 1001) | anything,
        "course": st.floats(-1, 361) | anything,
        "altitude": anything,
        "accuracy": anything,
        "attributes": anything,
    },
)


@settings(max_examples=400)
@given(st.lists(near_position | anything, max_size=5))
def test_it_never_lets_anything_but_fixes_and_rejections_out(items):
    batch = parse_batch(items, now=NOW)
    assert isinstance(batch, ParsedBatch)
    assert sorted([*batch.indexes, *(bad.index for bad in batch.rejected)]) == list(range(len(items)))
    for fix in batch.fixes:
        assert NOW - timedelta(days=40 * 366) < fix.fix_time <= NOW + timedelta(days=1)
        assert -90 <= fix.latitude <= 90
        assert -180 <= fix.longitude <= 180
        json.dumps(fix.attributes, allow_nan=False).encode()


@settings(max_examples=400)
@given(near_position)
def test_it_judges_the_fast_way_as_the_rules_do(item):
    names = {"speed": "speed_kph", "course": "course_degrees", "altitude": "altitude_meters"}
    names["accuracy"] = "accuracy_meters"
    required = dict.fromkeys(("device_id", "timestamp", "latitude", "longitude"))
    arguments = required | {names.get(key, key): value for key, value in item.items()}
    batch = parse_batch([item], now=NOW)
    # A position with several faults may be refused for another of them: refused it is.
    assert batch.fixes == fixes_by_the_rules(arguments)


def fixes_by_the_rules(arguments):
    try:
        return [make_fix(now=NOW, is_live=True, **arguments)]
    except InvalidFix:
        return []


@settings(max_examples=300)
@given(st.binary(max_size=60) | anything.map(lambda value: json.dumps(value).encode()))
def test_it_never_raises_anything_but_a_body_error(body):
    assert code_of(body) in {None, "body_too_large", "too_many_fixes", "not_json", "too_deep", "wrong_shape", "empty"}


def code_of(body):
    try:
        decode_body(body, max_bytes=1000, max_fixes=3)
    except BodyError as error:
        return error.code
    return None


@pytest.mark.parametrize("item", [GOOD, FULL, {**FULL, "timestamp": 1_700_000_000_123}])
def test_it_writes_a_fix_back_as_a_position_that_reads_the_same(item):
    fix = parse_batch([item], now=NOW).fixes[0]
    assert parse_batch([fix_to_item(fix)], now=NOW).fixes == [fix]


def test_it_writes_only_what_the_device_sent():
    assert fix_to_item(parse_batch([GOOD], now=NOW).fixes[0]) == GOOD


def test_batches_that_are_parsed_together_come_to_the_same_as_each_by_itself():
    alarm = {"device_id": "truck-1", "attributes": {"alarm": "sos"}}
    batches = [[GOOD, FULL], [], [GOOD, 7, {**GOOD, "latitude": 91}], [alarm], [FULL]]
    for together in (batches, [batches[0], batches[4]], [[]], []):
        assert parse_batches(together, now=NOW) == [parse_batch(items, now=NOW) for items in together]
