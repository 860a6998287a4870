"""A fix with one quantity that cannot be right is stored without it, and counted, whichever way it came."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.utils import timezone

from tasks_app.models import Device, Position, QuarantinedFix
from tasks_app.queries.unknown_quantities import unknown_quantities
from tasks_app.services.positions.processing import process_batch
from tests.support.ingest import (
    OSMAND,
    POSITIONS,
    TOKEN,
    TRACCAR,
    client_9,
    drain_buffers,
    forwarded_position,
    position,
    send_form,
    send_json,
    send_query,
)

pytestmark = pytest.mark.django_db
BATCH = "/api/tasks/position/process-batch"
SINGLE = "/api/tasks/position/process"

LIVE_WAYS: dict[str, tuple[str, Callable[[str, Any], Any]]] = {
    "query": ("osmand", lambda key, odd: send_query(key, altitude=odd)),
    "form": ("osmand", lambda key, odd: send_form(key, altitude=odd)),
    "client 9": ("osmand", lambda key, odd: send_json(f"{OSMAND}?key={key}", raw(client_9(altitude=odd)))),
    "server": ("traccar", lambda key, odd: send_json(TRACCAR, raw(forwarded_position(altitude=odd)), TOKEN)),
    "gateway": ("positions", lambda key, odd: send_json(POSITIONS, raw(position(altitude=odd)), key)),
}


def raw(body: Any) -> bytes:
    """With NaN and Infinity as Python and JavaScript libraries write them."""
    return json.dumps(body).encode()


def unknown_counts() -> dict[tuple[str, str], int]:
    return {(one.way, one.quantity): one.count for one in unknown_quantities()}


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), 65535, -32768, "high"])
@pytest.mark.parametrize("name", LIVE_WAYS)
def test_the_place_is_stored_and_the_quantity_counted(name, odd, device, key, server):
    way, send = LIVE_WAYS[name]
    assert send(key, odd).status_code in (200, 202)
    assert drain_buffers()["stored"] == 1
    stored = Position.objects.get()
    assert (stored.latitude, stored.longitude, stored.altitude_meters) == (-23.55, -46.63, None)
    assert not QuarantinedFix.objects.exists()
    assert unknown_counts() == {(way, "altitude"): 1}


def test_what_a_server_forwards_of_a_receiver_without_an_altitude_is_stored(traces_dir, make_device, server):
    make_device(unique_id="van-1")
    body = (traces_dir / "field_cases" / "traccar_forward_nan_altitude.json").read_bytes()
    assert send_json(TRACCAR, body, TOKEN).status_code == 200
    assert drain_buffers()["stored"] == 1
    assert Position.objects.get().altitude_meters is None


def test_a_gateway_hears_what_was_unknown(device, key):
    items = [position(speed="fast", altitude=float("nan")), position(attributes=[1])]
    body = send_json(POSITIONS, raw(items), key).json()
    assert (body["accepted"], body["rejected_count"]) == (2, 0)
    assert body["unknown_quantities"] == {"speed": 1, "altitude": 1, "attributes": 1}


def test_a_batch_of_the_api_says_what_was_unknown_at_once_and_in_its_result(api, device, run_jobs):
    odd = [position(altitude=float("nan")), position(speed=1e9, attributes={"a": "x\x00", "alarm": "sos"})]
    odd[1]["timestamp"] = "2026-03-01T08:00:01Z"
    body = api.generic("POST", BATCH, raw(odd), content_type="application/json").json()
    unknown = {"altitude": 1, "speed": 1, "attributes": 1}
    assert (body["accepted"], body["rejected_count"], body["unknown_quantities"]) == (2, 0, unknown)
    run_jobs("positions")
    assert api.get(body["status_url"]).json()["result"]["unknown_quantities"] == unknown
    assert [one.altitude_meters for one in Position.objects.all()] == [None, None]
    assert Position.objects.order_by("fix_time").last().attributes["alarm"] == "sos"
    assert unknown_counts() == {("batch", name): 1 for name in unknown}


def test_one_position_of_the_api_loses_only_what_is_odd(api, device, run_jobs):
    answer = api.generic("POST", SINGLE, raw(position(accuracy=float("inf"))), content_type="application/json")
    assert answer.status_code == 202
    run_jobs("positions")
    assert Position.objects.get().accuracy_meters is None
    assert unknown_counts() == {("batch", "accuracy"): 1}


def test_a_batch_without_odd_quantities_counts_none(device):
    assert process_batch([position(altitude=5)], received_at=timezone.now())["unknown_quantities"] == {}
    assert unknown_counts() == {}


FILES = {
    "fixes.csv": "device_id,timestamp,lat,lon,altitude\nvan-1,2026-03-01T08:00:00Z,48.1,11.5,{}\n",
    "fixes.json": '[{{"device_id": "van-1", "timestamp": 1772352000, "latitude": 48.1, "longitude": 11.5, "altitude": {}}}]',
    "fixes.jsonl": '{{"device_id": "van-1", "timestamp": 1772352000, "latitude": 48.1, "longitude": 11.5, "altitude": {}}}',
    "fixes.gpx": '<gpx xmlns="http://www.topografix.com/GPX/1/1"><trk><name>van-1</name><trkseg><trkpt lat="48.1" lon="11.5">'
    "<ele>{}</ele><time>2026-03-01T08:00:00Z</time></trkpt></trkseg></trk></gpx>",
    "fixes.geojson": '{{"type": "Feature", "geometry": {{"type": "Point", "coordinates": [11.5, 48.1, {}]}},'
    ' "properties": {{"device_id": "van-1", "time": "2026-03-01T08:00:00Z"}}}}',
    "traccar.csv": "uniqueId,fixTime,latitude,longitude,altitude\nvan-1,2026-03-01 08:00:00,48.1,11.5,{}\n",
}


@pytest.mark.parametrize("odd", ["NaN", "65535", "-32768"])
@pytest.mark.parametrize("name", FILES)
def test_a_file_is_stored_and_what_was_unknown_is_counted(name, odd, device, tmp_path, capsys):
    path = tmp_path / name
    path.write_text(FILES[name].format(odd))
    call_command("import_positions", str(path))
    stored = Position.objects.get()
    assert (stored.latitude, stored.altitude_meters) == (48.1, None)
    assert unknown_counts() == {("file", "altitude"): 1}
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if "altitude" in line]
    assert ["altitude", "1"] in [[word for word in line if word not in "│┃"] for line in lines]


def test_an_upload_says_what_was_unknown(api, device, run_jobs, media):
    file = SimpleUploadedFile("fixes.csv", FILES["fixes.csv"].format("NaN").encode())
    answer = api.post("/api/positions/import", {"file": file}, format="multipart").json()
    run_jobs("reports")
    counts = api.get(f"/api/positions/import/{answer['import_id']}").json()["counts"]
    assert (counts["stored"], counts["rejected"], counts["unknown_quantities"]) == (1, {}, {"altitude": 1})


def test_metrics_show_what_was_unknown_by_way(device, key, staff_api):
    send_query(key, altitude="NaN")
    send_query(key, altitude="65535", speed="fast")
    text = staff_api.get("/metrics").content.decode()
    assert 'tracker_unknown_quantities_total{quantity="altitude",way="osmand"} 2.0' in text
    assert 'tracker_unknown_quantities_total{quantity="speed",way="osmand"} 1.0' in text


def test_no_answer_of_the_api_holds_a_number_that_is_none(api, device, key):
    send_json(POSITIONS, raw(position(altitude=float("nan"), attributes={"a": float("inf"), "b": 1})), key)
    drain_buffers()
    for path in (f"/api/positions?device={device.pk}", f"/api/devices/{device.pk}/state"):
        text = api.get(path).content.decode()
        assert "NaN" not in text
        assert "Infinity" not in text


def test_what_came_with_an_unknown_device_is_not_counted(unsigned, db):
    assert send_query(altitude="NaN").status_code == 400
    assert unknown_counts() == {}
    assert not Device.objects.exists()
