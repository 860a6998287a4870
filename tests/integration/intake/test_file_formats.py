"""The same real tracks through every file format leave the same rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from tasks_app.ingest.fix import Fix
from tasks_app.ingest.registry import parser_for
from tasks_app.models import DeviceState, Event, Position
from tasks_app.services.intake.imports import ImportSummary, import_file
from tasks_app.services.partitions import forget_known_partitions

ZONE = ZoneInfo("America/Sao_Paulo")
MOST = 1500
QUANTITIES = (
    *("fix_time", "latitude", "longitude", "altitude_meters", "speed_kph", "course_degrees", "accuracy_meters"),
    "attributes",
)


def as_csv(fixes: list[Fix]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";")
    writer.writerow(["Timestamp", "lat", "lng", "altitude", "device_id"])
    for fix in fixes:
        altitude = "" if fix.altitude_meters is None else repr(fix.altitude_meters)
        writer.writerow([fix.fix_time.timestamp(), repr(fix.latitude), repr(fix.longitude), altitude, "x"])
    return out.getvalue()


def as_json(fixes: list[Fix]) -> str:
    return json.dumps({"positions": [_item(fix) for fix in fixes]})


def as_json_lines(fixes: list[Fix]) -> str:
    return "\n".join(json.dumps({**_item(fix), "timestamp": int(fix.fix_time.timestamp() * 1000)}) for fix in fixes)


def as_gpx(fixes: list[Fix]) -> str:
    points = []
    for fix in fixes:
        altitude = "" if fix.altitude_meters is None else f"<ele>{fix.altitude_meters!r}</ele>"
        time = f"<time>{fix.fix_time:%Y-%m-%dT%H:%M:%S}</time>"
        points.append(f'<trkpt lat="{fix.latitude!r}" lon="{fix.longitude!r}">{altitude}{time}</trkpt>')
    return f'<gpx version="1.0"><trk><trkseg>{"".join(points)}</trkseg></trk></gpx>'


def as_geojson_points(fixes: list[Fix]) -> str:
    features = [
        {
            "type": "Feature",
            "properties": {"time": fix.fix_time.isoformat()},
            "geometry": {"type": "Point", "coordinates": _coordinates(fix)},
        }
        for fix in fixes
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


def as_geojson_line(fixes: list[Fix]) -> str:
    local = [fix.fix_time.astimezone(ZONE).replace(tzinfo=None).isoformat() for fix in fixes]
    geometry = {"type": "LineString", "coordinates": [_coordinates(fix) for fix in fixes]}
    return json.dumps({"type": "Feature", "properties": {"coordTimes": local}, "geometry": geometry})


def as_traccar_csv(fixes: list[Fix]) -> str:
    head = "id,deviceId,protocol,serverTime,deviceTime,fixTime,valid,latitude,longitude,altitude,speed,course,address,accuracy"
    rows = [head]
    for number, fix in enumerate(fixes):
        local = f"{fix.fix_time.astimezone(ZONE):%Y-%m-%d %H:%M:%S}"
        altitude = "" if fix.altitude_meters is None else repr(fix.altitude_meters)
        place = f"{fix.latitude!r},{fix.longitude!r},{altitude}"
        rows.append(f"{number},7,osmand,{local},{local},{local},true,{place},,,Main Street, 5, Town,0.0")
    return "\n".join(rows)


def _item(fix: Fix) -> dict:
    item = {"timestamp": fix.fix_time.isoformat(), "latitude": fix.latitude, "longitude": fix.longitude}
    return {**item, "device_id": "x", "altitude": fix.altitude_meters}


def _coordinates(fix: Fix) -> list[float]:
    return [fix.longitude, fix.latitude, *([] if fix.altitude_meters is None else [fix.altitude_meters])]


FORMATS: dict[str, tuple[str, Callable[[list[Fix]], str]]] = {
    "csv": ("a.csv", as_csv),
    "json": ("a.json", as_json),
    "json lines": ("a.jsonl", as_json_lines),
    "gpx": ("a.gpx", as_gpx),
    "geojson points": ("a.json", as_geojson_points),
    "geojson line": ("a.geojson", as_geojson_line),
    "traccar csv": ("a.csv", as_traccar_csv),
}


@pytest.fixture(params=["around-visnjan-with-car.gpx", "geolife_sample.csv.gz"])
def trace(request, traces_dir) -> list[Fix]:
    """The first fixes of the first device of a real file, times to the second as every format has them."""
    path = traces_dir / request.param
    fixes = []
    for fix in parser_for(path)(path, now=timezone.now()):
        if isinstance(fix, Fix) and (not fixes or fix.device_id == fixes[0].device_id):
            fixes.append(fix)
        if len(fixes) == MOST:
            break
    assert all(fix.fix_time.microsecond == 0 for fix in fixes)
    assert len(fixes) > 100
    return fixes


@pytest.fixture
def partitions_of_this_test(db):
    forget_known_partitions()
    yield
    forget_known_partitions()


def test_every_file_format_leaves_the_same_rows(trace, make_device, tmp_path, partitions_of_this_test):
    stored, states = {}, {}
    for number, (name, (file_name, write)) in enumerate(FORMATS.items()):
        device = make_device()
        path: Path = tmp_path / str(number) / file_name
        path.parent.mkdir()
        path.write_text(write(trace))
        summary = ImportSummary()
        import_file(path, summary, now=timezone.now(), device_id=device.unique_id, zone=ZONE)
        assert (summary.read, summary.rejected) == (len(trace), {}), name
        stored[name] = list(Position.objects.filter(device=device).order_by("fix_time").values(*QUANTITIES))
        state = DeviceState.objects.get(device=device)
        states[name] = (
            state.odometer_meters,
            state.fix_time,
            state.is_moving,
            Event.objects.filter(device=device).count(),
        )
    expected = stored["csv"]
    assert len(expected) == len({fix.fix_time for fix in trace})
    for name in FORMATS:
        assert stored[name] == expected, name
        assert states[name] == states["csv"], name


def test_an_hour_that_a_clock_shows_twice_is_the_first_of_the_two(tmp_path, make_device, partitions_of_this_test):
    device = make_device()
    path = tmp_path / "a.csv"
    path.write_text("id,deviceId,fixTime,latitude,longitude\n1,7,2020-10-25 02:30:00,1,2\n")
    import_file(path, ImportSummary(), now=timezone.now(), device_id=device.unique_id, zone=ZoneInfo("Europe/Berlin"))
    expected = datetime.fromisoformat("2020-10-25T00:30:00+00:00")
    assert Position.objects.get(device=device).fix_time - expected == timedelta(0)
