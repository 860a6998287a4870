"""Files of positions as a Traccar server's API answers them."""

import json
from datetime import UTC, datetime

import pytest

from tasks_app.ingest.fix import Fix
from tasks_app.ingest.registry import parser_for

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
POSITION = {
    "id": 1,
    "attributes": {"batteryLevel": 87.0, "ignition": True},
    "deviceId": 7,
    "protocol": "osmand",
    "serverTime": "2026-08-21T09:18:51.123+00:00",
    "deviceTime": "2026-08-21T09:18:49.000+00:00",
    "fixTime": "2026-08-21T09:18:49.000+00:00",
    "outdated": False,
    "valid": True,
    "latitude": 59.93211,
    "longitude": 30.3305,
    "altitude": 12.0,
    "speed": 21.6,
    "course": 270.0,
    "address": None,
    "accuracy": 0.0,
    "network": None,
    "geofenceIds": [3],
}


@pytest.fixture
def read(tmp_path):
    def read_file(*positions, name="positions.json", device_id=None):
        path = tmp_path / name
        is_a_line_each = name.endswith("l")
        path.write_text("\n".join(map(json.dumps, positions)) if is_a_line_each else json.dumps(positions))
        return list(parser_for(path)(path, device_id, now=NOW))

    return read_file


@pytest.mark.parametrize("name", ["positions.json", "positions.jsonl"])
def test_it_reads_a_position_in_the_products_units(read, name):
    fix, second = read(POSITION, POSITION, name=name)
    attributes = {"batteryLevel": 87.0, "ignition": True, "protocol": "osmand"}
    at = datetime(2026, 8, 21, 9, 18, 49, tzinfo=UTC)
    assert fix == second == Fix("7", at, 59.93211, 30.3305, 21.6 * 1.852, 270.0, 12.0, None, attributes)


def test_the_device_may_be_given_and_an_invalid_fix_says_so(read):
    (fix,) = read({**POSITION, "valid": False}, device_id="861234")
    assert (fix.device_id, fix.attributes["valid"]) == ("861234", False)


def test_a_bad_position_costs_only_itself(read):
    bad = [{**POSITION, "fixTime": None}, {**POSITION, "deviceId": True}, {**POSITION, "latitude": 91}]
    *rejected, good = read(*bad, POSITION)
    assert [item.code for item in rejected] == ["missing_timestamp", "invalid_device_id", "invalid_latitude"]
    assert isinstance(good, Fix)
