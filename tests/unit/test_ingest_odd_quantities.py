"""One quantity that cannot be right costs that quantity, never the place: on every way in, and in every file."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tasks_app.ingest.fix import Fix
from tasks_app.ingest.json_batch import BodyError, decode_body, decode_json, parse_batch
from tasks_app.ingest.osmand import form_parameters, parse_json, parse_parameters
from tasks_app.ingest.registry import parser_for
from tasks_app.ingest.serialise import fix_to_item
from tasks_app.ingest.traccar_forward import parse_forward

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
AT = "2026-11-23T10:00:00Z"
PLACE = {"latitude": -23.55, "longitude": -46.63}
FIELDS = {
    "speed": "speed_kph",
    "course": "course_degrees",
    "altitude": "altitude_meters",
    "accuracy": "accuracy_meters",
}
# As they stand in JSON: what programs write, also where JSON has no such number.
ODD = [
    *("NaN", "nan", "-nan", "Infinity", "-Infinity", "inf", "1e999", "1e9", "-1e9", "-32768", "1" + "0" * 400),
    *("-nan(ind)", "nan(0x7ff8)", "1.#INF", "-1.#IND", "1.#QNAN00", "undefined"),
    *('"NaN"', '"Infinity"', '"12,5"', '"fast"', '""', '"12.5 m"', "true", "[]", "[5]", "{}"),
]

Read = Callable[[str, str, Path], Any]


def own(name: str, odd: str, folder: Path) -> Any:
    body = '[{"device_id": "van-1", "timestamp": "%s", "latitude": -23.55, "longitude": -46.63, "%s": %s}]'
    return only(parse_batch(decode_json((body % (AT, name, odd)).encode()), now=NOW).fixes)


def client_9(name: str, odd: str, folder: Path) -> Any:
    name = {"course": "heading"}.get(name, name)
    coords = '{"latitude": -23.55, "longitude": -46.63, "%s": %s}'
    body = '{"device_id": "van-1", "location": {"timestamp": "%s", "coords": ' + coords + "}}"
    return parse_json((body % (AT, name, odd)).encode(), now=NOW).content


def parse_forwarded(name: str, odd: str, folder: Path) -> Any:
    body = '{"position": {"fixTime": "%s", "latitude": -23.55, "longitude": -46.63, "%s": %s}, "device": {"uniqueId": "van-1"}}'
    return parse_forward((body % (AT, name, odd)).encode(), now=NOW).content


def document(name: str, odd: str, folder: Path) -> Any:
    text = '[{"device_id": "van-1", "timestamp": "%s", "latitude": -23.55, "longitude": -46.63, "%s": %s}]'
    return read_file(folder / "fixes.json", text % (AT, name, odd))


def lines(name: str, odd: str, folder: Path) -> Any:
    text = '{"device_id": "van-1", "timestamp": "%s", "latitude": -23.55, "longitude": -46.63, "%s": %s}\n'
    return read_file(folder / "fixes.jsonl", text % (AT, name, odd))


def geojson(name: str, odd: str, folder: Path) -> Any:
    text = (
        '{"type": "Feature", "geometry": {"type": "Point", "coordinates": [-46.63, -23.55]},'
        ' "properties": {"device_id": "van-1", "time": "%s", "%s": %s}}'
    )
    return read_file(folder / "fixes.geojson", text % (AT, name, odd))


JSON_WAYS = [own, client_9, parse_forwarded, document, lines]


def parameters(name: str, odd: str, folder: Path) -> Any:
    name = {"course": "bearing"}.get(name, name)
    body = urlencode({"id": "van-1", "lat": "-23.55", "lon": "-46.63", "timestamp": AT, name: odd.strip('"')})
    return parse_parameters(form_parameters(body.encode()), now=NOW).content


def csv_row(name: str, odd: str, folder: Path) -> Any:
    header, field = f"device_id,timestamp,latitude,longitude,{name}", odd.strip('"')
    return read_file(folder / "fixes.csv", f'{header}\nvan-1,{AT},-23.55,-46.63,"{field}"\n')


def traccar_csv(name: str, odd: str, folder: Path) -> Any:
    header, field = f"uniqueId,fixTime,latitude,longitude,{name}", odd.strip('"')
    return read_file(folder / "fixes.csv", f'{header}\nvan-1,2026-11-23 10:00:00,-23.55,-46.63,"{field}"\n')


def gpx(name: str, odd: str, folder: Path) -> Any:
    tag, text = {"altitude": "ele"}.get(name, name), odd.strip('"')
    point = f'<trkpt lat="-23.55" lon="-46.63"><time>{AT}</time><{tag}>{text}</{tag}></trkpt>'
    head = '<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1"><trk><name>van-1</name><trkseg>'
    return read_file(folder / "fixes.gpx", f"{head}{point}</trkseg></trk></gpx>")


TEXT_WAYS = [parameters, csv_row, traccar_csv]
TEXTS = ["NaN", "nan", "Infinity", "-inf", "1e999", "1e9", "-1e9", "-32768", "12,5", "fast", "true", "[]", "10 m"]


def read_file(path: Path, text: str) -> Any:
    path.write_text(text)
    return only(list(parser_for(path)(path, now=NOW)))


def only(found: list[Any]) -> Any:
    assert len(found) == 1
    return found[0]


def check_unknown(fix: Any, name: str) -> None:
    assert isinstance(fix, Fix), fix
    assert (fix.device_id, fix.fix_time) == ("van-1", datetime(2026, 11, 23, 10, tzinfo=UTC))
    assert (fix.latitude, fix.longitude) == (-23.55, -46.63)
    assert getattr(fix, FIELDS[name]) is None
    assert fix.unknown == (name,)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("read", JSON_WAYS)
def test_an_odd_quantity_in_json_is_unknown_and_the_place_stays(
    read: Read, name: str, odd: str, tmp_path: Path
) -> None:
    check_unknown(read(name, odd, tmp_path), name)


@pytest.mark.parametrize("odd", [odd for odd in ODD if odd not in ("[]", "[5]", '""')])
@pytest.mark.parametrize("name", FIELDS)
def test_an_odd_quantity_in_geojson_is_unknown_and_the_place_stays(name: str, odd: str, tmp_path: Path) -> None:
    check_unknown(geojson(name, odd, tmp_path), name)


@pytest.mark.parametrize("odd", TEXTS)
@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("read", TEXT_WAYS)
def test_an_odd_quantity_in_text_is_unknown_and_the_place_stays(
    read: Read, name: str, odd: str, tmp_path: Path
) -> None:
    check_unknown(read(name, odd, tmp_path), name)


@pytest.mark.parametrize("odd", TEXTS)
@pytest.mark.parametrize("name", ["speed", "course", "altitude"])
def test_an_odd_quantity_in_gpx_is_unknown_and_the_place_stays(name: str, odd: str, tmp_path: Path) -> None:
    check_unknown(gpx(name, odd, tmp_path), name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("altitude", value) for value in (65535, -32768, -9999, 6553.5, 12607, -999, 1e9)),
        *(("speed", value) for value in (65535, 6553.5, 655.35, 1e9)),
        *(("course", value) for value in (65535, 655.35, 511, 361)),
        *(("accuracy", value) for value in (65535, 6553.5, 32767, 1e9)),
    ],
)
def test_the_values_by_which_devices_say_unknown_are_unknown(name: str, value: float, tmp_path: Path) -> None:
    check_unknown(own(name, json.dumps(value), tmp_path), name)
    check_unknown(csv_row(name, json.dumps(value), tmp_path), name)


def test_the_unknown_speed_of_fit_files_is_one_in_meters_a_second_too(tmp_path: Path) -> None:
    check_unknown(gpx("speed", "65.535", tmp_path), "speed")


@pytest.mark.parametrize(
    ("name", "value"), [("altitude", -400), ("altitude", 8848), ("speed", 235), ("course", 359.9), ("accuracy", 3000)]
)
def test_what_can_be_right_is_kept(name: str, value: float, tmp_path: Path) -> None:
    fix = own(name, json.dumps(value), tmp_path)
    assert (getattr(fix, FIELDS[name]), fix.unknown) == (value, ())


@pytest.mark.parametrize("odd", ["NaN", "Infinity", "1e999", '"x"', "91", "null", "true", "[]"])
@pytest.mark.parametrize("name", ["latitude", "longitude", "timestamp", "device_id"])
def test_what_makes_a_fix_still_refuses_it(name: str, odd: str) -> None:
    odd = odd.replace("91", "191")
    item = {"device_id": '"van-1"', "timestamp": f'"{AT}"', "latitude": "1.5", "longitude": "2.5", name: odd}
    body = "[{" + ", ".join(f'"{key}": {text}' for key, text in item.items()) + "}]"
    batch = parse_batch(decode_json(body.encode()), now=NOW)
    if (name, odd) in [("device_id", '"x"'), ("timestamp", "191")]:
        return
    assert not batch.fixes
    assert batch.rejected[0].code.endswith(name)


@pytest.mark.parametrize(
    ("attributes", "kept", "unknown"),
    [
        ('{"hdop": NaN, "ignition": true}', {"ignition": True}, ("attributes",)),
        ('{"hdop": "NaN", "ignition": true}', {"ignition": True}, ("attributes",)),
        ('{"a": [1, Infinity], "ignition": true}', {"ignition": True}, ("attributes",)),
        ('{"a": "x\\u0000y", "alarm": "sos"}', {"a": "x\N{REPLACEMENT CHARACTER}y", "alarm": "sos"}, ("attributes",)),
        ('{"batteryLevel": 255, "ignition": true}', {"ignition": True}, ("battery",)),
        ('{"batteryLevel": "NaN", "ignition": true}', {"ignition": True}, ("battery",)),
        ('{"batteryLevel": 87.5, "ignition": true}', {"batteryLevel": 87.5, "ignition": True}, ()),
        ('{"batteryLevel": null, "cells": [{"id": 1}]}', {"batteryLevel": None, "cells": [{"id": 1}]}, ()),
        ("[1]", {}, ("attributes",)),
        ('"x"', {}, ("attributes",)),
        ("true", {}, ("attributes",)),
        ("null", {}, ()),
    ],
)
def test_an_odd_attribute_costs_no_other(attributes: str, kept: dict[str, Any], unknown: tuple[str, ...]) -> None:
    for fix in (own("attributes", attributes, Path()), parse_forwarded("attributes", attributes, Path())):
        assert (fix.latitude, fix.attributes, fix.unknown) == (-23.55, kept, unknown)


def test_too_many_attributes_keep_the_small_ones(tmp_path: Path) -> None:
    flood = {"note": "x" * 5000, "alarm": "sos", **{f"long-{n}": "y" * 200 for n in range(60)}}
    fix = own("attributes", json.dumps(flood), tmp_path)
    assert fix.attributes["alarm"] == "sos"
    assert len(fix.attributes) <= 50
    assert len(json.dumps(fix.attributes, separators=(",", ":"))) <= 4096
    assert fix.unknown == ("attributes",)


@pytest.mark.parametrize("level", ["NaN", "255", "65535", "full"])
def test_an_odd_battery_of_a_phone_is_unknown(level: str, tmp_path: Path) -> None:
    fix = parameters("batt", level, tmp_path)
    assert (fix.latitude, fix.attributes, fix.unknown) == (-23.55, {}, ("battery",))


@pytest.mark.parametrize("level", ["NaN", "1.5", '"full"', "true", "[]"])
def test_an_odd_battery_of_client_9_is_unknown(level: str) -> None:
    body = (
        '{"device_id": "van-1", "location": {"timestamp": "%s", "coords": {"latitude": 1.5, "longitude": 2.5},'
        ' "battery": {"level": %s, "is_charging": true}}}'
    )
    fix = parse_json((body % (AT, level)).encode(), now=NOW).content
    assert isinstance(fix, Fix)
    assert (fix.attributes, fix.unknown) == ({"charge": True}, ("battery",))


@pytest.mark.parametrize("odd", ["NaN", "Infinity", "-inf"])
def test_a_number_that_is_none_is_no_alarm(odd: str) -> None:
    body = f'[{{"device_id": "van-1", "timestamp": "{AT}", "attributes": {{"alarm": {odd}}}}}]'
    batch = parse_batch(decode_json(body.encode()), now=NOW)
    assert (batch.unlocated, len(batch.rejected)) == ({}, 1)


def test_several_odd_quantities_are_all_named(tmp_path: Path) -> None:
    item = {"device_id": "van-1", "timestamp": AT, **PLACE, "speed": "x", "altitude": 65535, "attributes": {"a": "NaN"}}
    good = {**item, "speed": 5, "altitude": 5, "attributes": {}}
    batch = parse_batch([item, good], now=NOW)
    assert [fix.unknown for fix in batch.fixes] == [("speed", "altitude", "attributes"), ()]
    # What is written down and read again says the same.
    assert parse_batch([fix_to_item(fix) for fix in batch.fixes], now=NOW).fixes == batch.fixes


def test_text_that_looks_like_a_number_that_is_none_stays_text() -> None:
    body = rb'{"name": "NaN \" Infinity, -inf", "a": NaN, "b": "1e999\\", "c": 1e999}'
    assert decode_json(body) == {"name": 'NaN " Infinity, -inf', "a": "NaN", "b": "1e999\\", "c": "Infinity"}


@pytest.mark.parametrize(
    "body", [rb'"\"' * 500_000, b'"' + rb"\"" * 1_000_000, b"[" + b"1" * 2_000_000, b"nan " * 500_000]
)
def test_looking_for_numbers_that_are_none_takes_no_longer_for_hostile_bodies(body: bytes) -> None:
    with pytest.raises(BodyError):
        decode_body(body, max_bytes=3_000_000, max_fixes=10)
