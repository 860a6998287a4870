"""Files that others reported to products of this kind, through the real ways in: command, API, admin and jobs."""

from __future__ import annotations

import io
import json
import socket
from pathlib import Path
from types import ModuleType
from unittest import mock
from uuid import uuid4

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifications_app.services.destinations.store import add_destination, send_test
from tasks_app.engine import registry
from tasks_app.models import Device, Event, Geofence, Job, Position, PositionUpload
from tasks_app.services.jobs.actions import cancel_job
from tests.support.ingest import OSMAND, drain_buffers, send_json

pytestmark = pytest.mark.django_db

A, B, C = (48.1371, 11.5754), (48.138, 11.579), (48.1391, 11.5833)
# File: fixes as (time, place, altitude, speed in km/h).
FILES = {
    "gpx_ele_nan.gpx": [("08:00:00", A, None, None), ("08:01:00", B, None, None), ("08:02:00", C, 520.1, None)],
    "gpx_ele_sentinels.gpx": [
        ("08:00:00", A, None, None),
        ("08:01:00", B, None, None),
        ("08:01:30", (48.1385, 11.58), None, None),
        ("08:02:00", C, 520.1, None),
    ],
    "csv_small_z_and_nan.csv": [
        ("00:00:00", (48.1003, 11.5), 500, 10),
        ("08:00:00", (48.1, 11.5), 500, 10),
        ("08:01:00", (48.1001, 11.5), None, None),
        ("08:02:00", (48.1002, 11.5), 500, None),
    ],
    "csv_semicolon_decimal_comma.csv": [
        ("08:00:00", A, 519.5, 0),
        ("08:01:00", B, 520, 32.4),
        ("08:02:00", C, 521.5, 41),
    ],
    "csv_utf16_unicode_text.csv": [("08:00:00", A, None, None), ("08:01:00", B, None, None)],
    "csv_cp1252.csv": [("08:00:00", A, None, None), ("08:01:00", B, None, None)],
    "csv_sep_first_line.csv": [("08:00:00", A, None, None)],
    "csv_gpslogger.csv": [("08:00:00", A, 519.5, 18), ("08:01:00", B, 520, 36)],
    "geojson_gpslogger.geojson": [
        ("08:00:00", A, 519.5, 72),
        ("08:01:00", (48.1371, 11.5915), 520, 72),
    ],
    "geojson_ele_nan_multipoint.geojson": [("08:00:00", A, None, None), ("08:01:00", B, None, None)],
    "gpx_time_with_space.gpx": [("08:00:00", A, None, None), ("08:01:00", B, None, None)],
    "gpx_undeclared_prefix.gpx": [("08:00:00", A, 519.5, None), ("08:01:00", B, 520, None)],
    **{
        f"gpx_{kind}.gpx": [("08:00:00", A, 519.5, None)]
        for kind in (
            "blank_first_line",
            "utf8_bom_says_utf16",
            "html_entity",
            "utf8_bom",
            "cp1252",
            "whitespace_in_time",
        )
    },
}
# File: how many fixes are stored, and what is said.
ENDS = {
    "gpx_waypoints_only.gpx": (0, ["2 waypoints"]),
    "gpx_no_points.gpx": (0, ["route"]),
    "csv_header_only.csv": (0, ["no rows"]),
    "geojson_empty.geojson": (0, ["no features"]),
    "gpx_truncated.gpx": (49, ["line 52"]),
}
CIRCLE = {"type": "Circle", "coordinates": [-46.63, -23.55], "radius_meters": 400}
RAISED = {
    "surrogate": "cannot read caf\\udce9.gpx",
    "no text": "",
    "wrong placeholder": "%(values)s is wrong",
    "cancelled": "by its loop",
}
PROGRESS = ("lazy", "numpy", "surrogate", "nul")


@pytest.fixture
def cases(traces_dir) -> Path:
    folder = traces_dir / "field_cases"
    if not folder.is_dir():
        pytest.skip(f"no {folder} (set TRACES_DIR)")
    return folder


def stored_fixes() -> list[tuple]:
    rows = Position.objects.order_by("fix_time")
    return [
        (f"{row.fix_time:%H:%M:%S}", (row.latitude, row.longitude), row.altitude_meters, row.speed_kph) for row in rows
    ]


def by_command(path: Path, **_users) -> str:
    out = io.StringIO()
    try:
        call_command("import_positions", str(path), "--device=van-1", "--time-zone=UTC", stdout=out)
    except CommandError as error:
        return str(error)
    return ""


def by_api(path: Path, *, api, device, run_jobs, **_users) -> str:
    file = SimpleUploadedFile(path.name, path.read_bytes())
    answer = api.post(
        "/api/positions/import", {"file": file, "device": device.pk, "time_zone": "UTC"}, format="multipart"
    )
    assert answer.status_code == 202, answer.content
    run_jobs("reports")
    return api.get(f"/api/positions/import/{answer.json()['import_id']}").json()["error"]


def by_admin(path: Path, *, staff, device, run_jobs, **_users) -> str:
    page = Client()
    page.force_login(staff)
    form = {"file": SimpleUploadedFile(path.name, path.read_bytes()), "device": device.pk, "time_zone": "UTC"}
    answer = page.post(reverse("admin:tasks_app_positionupload_add"), form)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    run_jobs("reports")
    upload = PositionUpload.objects.get()
    shown = page.get(reverse("admin:tasks_app_positionupload_change", args=[upload.pk])).content.decode()
    assert upload.error in shown.replace("&#x27;", "'").replace("&quot;", '"')
    return upload.error


WAYS = {"command": by_command, "api": by_api, "admin": by_admin}


@pytest.fixture(params=WAYS)
def read(request, api, staff, device, run_jobs, media):
    """Read a file by one of the ways in, and return the error that it shows."""
    return lambda path: WAYS[request.param](path, api=api, staff=staff, device=device, run_jobs=run_jobs)


@pytest.mark.parametrize("name", FILES)
def test_every_fix_of_a_file_is_read_as_it_was_meant(name, cases, read):
    assert read(cases / name) == ""
    assert stored_fixes() == [(*fix[:3], None if fix[3] is None else pytest.approx(fix[3])) for fix in FILES[name]]


@pytest.mark.parametrize("name", ENDS)
def test_a_file_that_holds_little_or_nothing_says_why(name, cases, read):
    said = read(cases / name)
    count, words = ENDS[name]
    assert (Position.objects.count(), all(word in said for word in words)) == (count, True), said


def test_a_phone_without_movement_costs_no_place(cases, device, key):
    body = (cases / "traccar_client9_ios.json").read_bytes()
    assert send_json(f"{OSMAND}?key={key}", body).status_code == 200
    assert drain_buffers()["stored"] == 1
    row = Position.objects.get(device=device)
    assert (row.latitude, row.longitude, row.altitude_meters) == (-23.55, -46.63, 760.3)
    assert (row.speed_kph, row.course_degrees, row.accuracy_meters) == (None, None, 14.1)


def test_names_with_control_characters_do_not_stop_an_export(cases, staff_api, staff, fleet):
    case = json.loads((cases / "names_with_control_characters.json").read_bytes())
    body, message = case["POST /api/devices"], case["failed job's error_message"]
    # The API refuses what the shell, an earlier version and other programs have stored.
    assert staff_api.post("/api/devices", {**body, "fleet_id": fleet.pk}, format="json").status_code in (201, 400)
    device, _made = Device.objects.get_or_create(
        unique_id=body["unique_id"], defaults={"fleet": fleet, "name": body["name"]}
    )
    Geofence.objects.create(fleet=fleet, name=body["name"], area=CIRCLE)
    Event.objects.create(device=device, kind="alarm", occurred_at=timezone.now(), data={"alarm": body["name"]})
    made = {"created_at": timezone.now(), "finished_at": timezone.now(), "args": [], "kwargs": {}}
    Job.objects.create(id=uuid4(), task="send", queue="reports", state="failed", error_message=message, **made)
    page = Client()
    page.force_login(staff)
    for model in ("device", "geofence", "event"):
        form = {"format": "1", "resource": "0"}
        answer = page.post(reverse(f"admin:tasks_app_{model}_export"), form)
        assert "Van\ufffd1" in cells(answer.content), model
    answer = page.get(reverse("admin:tasks_app_job_export", args=["xlsx"]))
    assert any("\ufffd[31mred\ufffd[0m" in cell for cell in cells(answer.content))


def cells(content: bytes) -> list[str]:
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    return [str(cell.value) for row in sheet for cell in row]


def test_the_address_of_a_webhook_is_looked_up_by_its_owners_name(cases, operator, run_jobs):
    case = json.loads((cases / "webhook_idna.json").read_bytes())
    hook = add_destination(user=operator, kind=case["kind"], name=case["name"], url=case["url"])
    asked = []

    def answer(host, *args, **kwargs):
        asked.append(host)
        raise socket.gaierror("none here")

    send_test(user=operator, kind=hook.kind, destination=hook, now=timezone.now())
    with mock.patch.object(socket, "getaddrinfo", answer):
        run_jobs("notifications")
    assert set(asked) == {case["host that must be looked up"]}


@pytest.mark.django_db(transaction=True)
def test_every_odd_end_of_a_job_is_one_row(cases, run_jobs, staff, monkeypatch):
    # What it registers is gone afterwards: other tests try every task there is.
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    code = (cases / "tasks_poison.py").read_text().replace("def poison_", "def field_poison_")
    module = ModuleType("field_tasks")
    exec(compile(code, "tasks_poison.py", "exec"), module.__dict__)
    ends = {kind: module.field_poison_raise.delay(kind) for kind in RAISED}
    progress = {kind: module.field_poison_progress.delay(kind) for kind in PROGRESS}
    retried = module.field_poison_retried.delay()
    run_jobs()
    assert cancel_job(job_id=retried, user=staff) == "cancelled"
    rows = {job.pk: job for job in Job.objects.all()}
    assert len(rows) == len(RAISED) + len(PROGRESS) + 1
    for kind, job_id in ends.items():
        assert (rows[job_id].state, rows[job_id].attempt_count) == ("failed", 1), kind
        assert RAISED[kind] in rows[job_id].error_message
        assert "tasks_poison.py" in rows[job_id].traceback
    for kind, job_id in progress.items():
        assert (rows[job_id].state, rows[job_id].result, rows[job_id].args) == ("succeeded", "done", [kind]), kind
    assert rows[retried].state == "cancelled"
