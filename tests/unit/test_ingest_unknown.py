"""-1 is how phones say that they do not know a speed, a course or an accuracy: read alike in every format."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tasks_app.ingest.fix import Fix
from tasks_app.ingest.json_batch import parse_batch
from tasks_app.ingest.osmand import form_parameters, parse_json, parse_parameters
from tasks_app.ingest.registry import parser_for
from tasks_app.ingest.traccar_forward import parse_forward
from tasks_app.ingest.validate import make_fix

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
AT = "2026-11-23T10:00:00Z"
PLACE = {"latitude": -23.55, "longitude": -46.63}


def parameters(value: float, tmp_path: Path) -> Any:
    body = f"id=van-1&lat=-23.55&lon=-46.63&timestamp={AT}&speed={value}&bearing={value}&accuracy={value}"
    return parse_parameters(form_parameters(body.encode()), now=NOW).content


def client_9(value: float, tmp_path: Path) -> Any:
    coords = {**PLACE, "speed": value, "heading": value, "accuracy": value}
    body = {"device_id": "van-1", "location": {"timestamp": AT, "coords": coords}}
    return parse_json(json.dumps(body).encode(), now=NOW).content


def parse_forwarded(value: float, tmp_path: Path) -> Any:
    position = {**PLACE, "fixTime": AT, "speed": value, "course": value, "accuracy": value}
    return parse_forward(json.dumps({"position": position, "device": {"uniqueId": "van-1"}}).encode(), now=NOW).content


def own(value: float, tmp_path: Path) -> Any:
    item = {**PLACE, "device_id": "van-1", "timestamp": AT, "speed": value, "course": value, "accuracy": value}
    return parse_batch([item], now=NOW).fixes[0]


def csv_row(value: float, tmp_path: Path) -> Any:
    path = tmp_path / "fixes.csv"
    path.write_text(
        "device_id,timestamp,latitude,longitude,speed,course,accuracy\n"
        f"van-1,{AT},-23.55,-46.63,{value},{value},{value}\n"
    )
    return next(iter(parser_for(path)(path, now=NOW)))


@pytest.mark.parametrize("value", [-1, -1.0, -0.5])
@pytest.mark.parametrize("read", [parameters, client_9, parse_forwarded, own, csv_row])
def test_below_zero_is_unknown(read, value, tmp_path):
    fix = read(value, tmp_path)
    assert isinstance(fix, Fix), fix
    assert (fix.speed_kph, fix.course_degrees, fix.accuracy_meters) == (None, None, None)


def test_an_altitude_below_zero_is_one():
    assert make_fix(now=NOW, device_id="van-1", timestamp=AT, **PLACE, altitude_meters=-400).altitude_meters == -400.0
