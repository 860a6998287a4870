"""The same real tracks through every way in leave the rows that the import of their file leaves."""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from tasks_app.ingest.fix import Fix
from tasks_app.ingest.registry import parser_for
from tasks_app.ingest.serialise import fix_to_item
from tasks_app.models import Device, DeviceState, FilteredFix, Position, QuarantinedFix
from tasks_app.queries.position_buffer import buffer_size
from tasks_app.services.devices.credentials import issue_key
from tasks_app.services.devices.days import refresh_due_days
from tasks_app.services.intake.imports import ImportSummary, import_file
from tests.support.ingest import FORM, OSMAND, POSITIONS, TOKEN, TRACCAR, drain_buffers

# One for all: each loads the middleware anew, which takes longer than a request.
WIRE = Client()
CSV_ROWS = 600
CSV_ROWS_SINGLY = 60
# Batches end in the middle of a drive: what is derived must not depend on where.
BATCH = 47
HANDFUL = 12
KPH_PER_KNOT = 1.852
KPH_PER_MPS = 3.6
QUANTITIES = (
    *("fix_time", "latitude", "longitude", "altitude_meters", "speed_kph", "course_degrees", "accuracy_meters"),
    "attributes",
)


@dataclass(frozen=True)
class Track:
    """A real file, and its fixes as its parser reads them."""

    path: Path
    fixes: list[Fix]
    # So many of them are sent in a request of their own; thousands of requests would take a minute.
    singly: int

    def start(self, count: int) -> Track:
        return replace(self, fixes=self.fixes[:count])


@dataclass(frozen=True)
class Sender:
    """Senders for a device: its key, and an operator's client of the API."""

    device: Device
    key: str
    api: APIClient
    run_jobs: Callable[..., int]


# --- The tracks -------------------------------------------------------------------------------------------------------


def gpx_of_a_car(traces: Path, folder: Path) -> Path:
    return traces / "around-visnjan-with-car.gpx"


def start_of_a_geolife_csv(traces: Path, folder: Path) -> Path:
    path = folder / "geolife.csv"
    with gzip.open(traces / "geolife_sample.csv.gz", "rt") as lines:
        head, first = next(lines), next(lines)
        device = first.partition(",")[0] + ","
        rows = [line for line, _ in zip(lines, range(CSV_ROWS - 1), strict=False) if line.startswith(device)]
    path.write_text("".join([head, first, *rows]))
    return path


@pytest.fixture(params=[gpx_of_a_car, start_of_a_geolife_csv])
def track(request, traces_dir, tmp_path) -> Track:
    path = request.param(traces_dir, tmp_path)
    fixes = list(parser_for(path)(path, now=timezone.now()))
    assert len(fixes) > 100
    assert all(isinstance(fix, Fix) and fix.speed_kph is None and fix.course_degrees is None for fix in fixes)
    return Track(path, fixes, len(fixes) if path.suffix == ".gpx" else CSV_ROWS_SINGLY)


@pytest.fixture
def make_sender(make_device, api, run_jobs, settings, tmp_path) -> Callable[[], Sender]:
    settings.TRACCAR_FORWARD_TOKEN = TOKEN
    settings.MEDIA_ROOT = tmp_path / "media"

    def make() -> Sender:
        device = make_device()
        return Sender(device, issue_key(device=device), api, run_jobs)

    return make


# --- What each way says -----------------------------------------------------------------------------------------------


def known_values(**said: Any) -> dict[str, Any]:
    """Return the values that are known."""
    return {name: value for name, value in said.items() if value is not None}


def converted(speed_kph: float | None, kph_per_unit: float) -> float | None:
    return None if speed_kph is None else speed_kph / kph_per_unit


def parameters(fix: Fix) -> str:
    return urlencode(
        known_values(
            id=fix.device_id,
            timestamp=int(fix.fix_time.timestamp()),
            lat=fix.latitude,
            lon=fix.longitude,
            altitude=fix.altitude_meters,
            speed=converted(fix.speed_kph, KPH_PER_KNOT),
            bearing=fix.course_degrees,
        )
    )


def client_9(fix: Fix) -> dict[str, Any]:
    """-1 is how this app says that it does not know."""
    speed = converted(fix.speed_kph, KPH_PER_MPS)
    heading = fix.course_degrees
    coords = {
        "speed": -1 if speed is None else speed,
        "heading": -1 if heading is None else heading,
        "accuracy": -1,
        **known_values(latitude=fix.latitude, longitude=fix.longitude, altitude=fix.altitude_meters),
    }
    return {"device_id": fix.device_id, "location": {"timestamp": fix.fix_time.isoformat(), "coords": coords}}


def forward_body(fix: Fix) -> dict[str, Any]:
    """Accuracy 0 is how a Traccar server says that it does not know."""
    position = known_values(
        fixTime=fix.fix_time.isoformat(timespec="milliseconds"),
        latitude=fix.latitude,
        longitude=fix.longitude,
        altitude=fix.altitude_meters,
        speed=converted(fix.speed_kph, KPH_PER_KNOT),
        course=fix.course_degrees,
    )
    device = {"id": 7, "uniqueId": fix.device_id, "name": "Van"}
    return {"position": {**position, "valid": True, "accuracy": 0.0, "attributes": {}}, "device": device}


# --- The ways ---------------------------------------------------------------------------------------------------------


def send_json(path: str, body: Any, key: str = "") -> HttpResponse:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return WIRE.generic("POST", path, json.dumps(body).encode(), "application/json", headers=headers)


def batches(fixes: Sequence[Fix]) -> Iterator[Sequence[Fix]]:
    return (fixes[begin : begin + BATCH] for begin in range(0, len(fixes), BATCH))


def one_by_one(send: Callable[[Sender, Fix], Any]) -> Callable[[Sender, Track], None]:
    """Each fix in a request of its own, with a drain now and then."""

    def send_all(sender: Sender, track: Track) -> None:
        for batch in batches(track.fixes):
            assert {send(sender, fix).status_code for fix in batch} <= {200, 202}
            assert buffer_size() == len(batch)
            drain_buffers()

    return send_all


def process_batch(sender: Sender, track: Track) -> None:
    for batch in batches(track.fixes):
        body = {"positions": [fix_to_item(fix) for fix in batch]}
        answer = sender.api.post("/api/tasks/position/process-batch", body, format="json")
        assert (answer.status_code, answer.json()["accepted"]) == (202, len(batch))
    sender.run_jobs()


def process(sender: Sender, track: Track) -> None:
    """A job for each."""
    for fix in track.fixes:
        answer = sender.api.post("/api/tasks/position/process", fix_to_item(fix), format="json")
        assert answer.status_code == 202
    sender.run_jobs()


def positions_batch(sender: Sender, track: Track) -> None:
    for batch in batches(track.fixes):
        answer = send_json(POSITIONS, [fix_to_item(fix) for fix in batch], sender.key)
        assert (answer.status_code, answer.json()["accepted"]) == (202, len(batch))
        drain_buffers()


def command(sender: Sender, track: Track) -> None:
    call_command("import_positions", str(track.path), device=sender.device.unique_id, stdout=io.StringIO())


def upload(sender: Sender, track: Track) -> None:
    file = SimpleUploadedFile(track.path.name, track.path.read_bytes())
    body = {"file": file, "device": sender.device.pk}
    assert sender.api.post("/api/positions/import", body, format="multipart").status_code == 202
    sender.run_jobs()


SINGLE_WAYS: dict[str, Callable[[Sender, Track], None]] = {
    "osmand by GET": one_by_one(lambda to, fix: WIRE.get(f"{OSMAND}?key={to.key}&{parameters(fix)}")),
    "osmand by query": one_by_one(lambda to, fix: WIRE.post(f"{OSMAND}?key={to.key}&{parameters(fix)}")),
    "osmand by form": one_by_one(
        lambda to, fix: WIRE.generic("POST", f"{OSMAND}?key={to.key}", parameters(fix), content_type=FORM)
    ),
    "osmand by JSON": one_by_one(lambda to, fix: send_json(f"{OSMAND}?key={to.key}", client_9(fix))),
    "traccar": one_by_one(lambda to, fix: send_json(TRACCAR, forward_body(fix), TOKEN)),
    "positions, single": one_by_one(lambda to, fix: send_json(POSITIONS, fix_to_item(fix), to.key)),
}
API_WAYS: dict[str, Callable[[Sender, Track], None]] = {
    "positions, batch": positions_batch,
    "process-batch": process_batch,
    "process": process,
}
FILE_WAYS: dict[str, Callable[[Sender, Track], None]] = {"command": command, "upload": upload}
WAYS = SINGLE_WAYS | API_WAYS | FILE_WAYS
KPH_WAYS = {"positions, single", *API_WAYS}


# --- What they leave --------------------------------------------------------------------------------------------------


def rows_of(device: Device) -> list[dict[str, Any]]:
    return list(Position.objects.filter(device=device).order_by("fix_time").values(*QUANTITIES))


def odometer_of(device: Device) -> float:
    refresh_due_days(now=timezone.now() + timedelta(hours=1))
    return DeviceState.objects.get(device=device).odometer_meters


def send_by(way: str, sender: Sender, track: Track) -> list[dict[str, Any]]:
    """The rows that are there after the track went this way under the device's name."""
    mine = [msgspec.structs.replace(fix, device_id=sender.device.unique_id) for fix in track.fixes]
    WAYS[way](sender, replace(track, fixes=mine))
    assert (buffer_size(), QuarantinedFix.objects.count(), FilteredFix.objects.count()) == (0, 0, 0)
    return rows_of(sender.device)


@pytest.fixture
def imported(track, make_device) -> Device:
    """A device whose track is the import of the file."""
    device = make_device()
    import_file(track.path, ImportSummary(), now=timezone.now(), device_id=device.unique_id)
    return device


def test_every_way_in_leaves_the_rows_of_the_file_s_import(track, make_sender, imported):
    """One test for all the ways: emptying the tables after each would take longer than filling them."""
    expected = rows_of(imported)
    assert len(expected) == len({fix.fix_time for fix in track.fixes})
    assert sum(row["altitude_meters"] is not None for row in expected) > 0.9 * len(expected)
    for way in WAYS:
        sender = make_sender()
        sent = track.start(HANDFUL if way == "process" else track.singly if way in SINGLE_WAYS else len(track.fixes))
        stored = send_by(way, sender, sent)
        # To the last bit: each of these wires carries degrees, meters and seconds as they are. The start of a track
        # is no different from that of the whole: what is derived looks back only.
        assert stored == expected[: len({fix.fix_time for fix in sent.fixes})], way
        if len(stored) == len(expected):
            # The same ways, added up in another order.
            assert odometer_of(sender.device) == pytest.approx(odometer_of(imported), rel=1e-9), way


def test_every_way_in_keeps_the_speed_and_the_course_that_were_sent(track, make_sender):
    """The wires want knots (query, form, Traccar), m/s (Client 9) and km/h (own JSON)."""
    said = [
        msgspec.structs.replace(fix, speed_kph=(number * 37 % 1200) / 10, course_degrees=(number * 71 % 3600) / 10)
        for number, fix in enumerate(track.fixes[:HANDFUL])
    ]
    speeds = [fix.speed_kph for fix in said]
    for way in SINGLE_WAYS | API_WAYS:
        stored = send_by(way, make_sender(), replace(track, fixes=said))
        assert [row["course_degrees"] for row in stored] == [fix.course_degrees for fix in said], way
        # Dividing into the wire's unit and multiplying again round once each; the own JSON does neither.
        rounding = 2 * sys.float_info.epsilon if way not in KPH_WAYS else 0
        assert [row["speed_kph"] for row in stored] == pytest.approx(speeds, rel=rounding, abs=0), way
