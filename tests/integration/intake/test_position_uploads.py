"""Files of positions by upload: in the admin and through the API, imported by a job, and gone afterwards."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from tasks_app.engine import JobCancelled, PermanentError
from tasks_app.models import Device, Fleet, FleetMembership, FleetRole, Job, Position, PositionUpload
from tasks_app.services.intake import imports as import_files
from tasks_app.services.intake import uploads as position_uploads
from tasks_app.services.intake.uploads import create_upload, import_upload, sweep_stuck_uploads
from tasks_app.services.jobs import retry_job
from tasks_app.signals import events_recorded
from tests.support.uploads import CSV, file, stored_files

URL = "/api/positions/import"


@pytest.fixture(autouse=True)
def storage(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


def send(client: APIClient, content: bytes = CSV, name: str = "history.csv", **fields):
    return client.post(URL, {"file": file(content, name), **fields}, format="multipart")


def client_of(user) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


def test_an_operator_sends_a_file_and_reads_what_became_of_it(run_jobs, api, device, storage):
    content = (
        CSV + b"van-1,2020-01-01T00:00:00Z,45,13\nvan-1,2020-01-01T00:00:00Z,95,13\nwho,2020-01-01T00:00:00Z,1,2\n"
    )
    answer = send(api, content)
    body = answer.json()
    assert (answer.status_code, body["task"], body["queue"]) == (202, "import_positions_file", "reports"), body
    assert len(stored_files(storage)) == 1
    run_jobs("reports")
    result = api.get(f"{URL}/{body['import_id']}").json()
    counts = result["counts"]
    assert (result["state"], result["error"], result["name"]) == ("done", "", "history.csv")
    assert (counts["read"], counts["stored"], counts["duplicates"]) == (33, 30, 1)
    assert counts["rejected"] == {"invalid_latitude": 1, "unknown_device": 1}
    assert set(counts["examples"]) == set(counts["rejected"])
    job = api.get(body["status_url"]).json()
    assert (job["state"], job["progress"]["current"], job["result"]["stored"]) == ("succeeded", 33, 30)
    assert Position.objects.count() == 30
    assert stored_files(storage) == []


@pytest.mark.parametrize(
    ("name", "content", "fields"),
    [
        ("a.csv.gz", gzip.compress(CSV, mtime=0), {}),
        ("a.txt", CSV, {"format": "csv"}),
        (
            "van-1.gpx",
            b'<gpx><trk><trkseg><trkpt lat="1" lon="2"><time>2020-01-01T00:00:00Z</time></trkpt></trkseg></trk></gpx>',
            {},
        ),
        (
            "t.geojson",
            json.dumps(
                {
                    "type": "Feature",
                    "geometry": {"type": "Point", "coordinates": [2, 1]},
                    "properties": {"time": "2020-01-01T00:00:00", "device_id": "van-1"},
                }
            ).encode(),
            {"time_zone": "America/Sao_Paulo"},
        ),
        (
            "traccar.csv",
            b"id,deviceId,fixTime,latitude,longitude,speed\n1,7,2020-01-01 00:00:00,1,2,21.6\n",
            {"time_zone": "Asia/Tokyo", "device": "van-1"},
        ),
    ],
)
def test_every_format_can_be_uploaded(run_jobs, api, device, name, content, fields):
    fields = {**fields, "device": device.pk} if "device" in fields else fields
    answer = send(api, content, name, **fields)
    run_jobs("reports")
    upload = PositionUpload.objects.get(pk=answer.json()["import_id"])
    assert (upload.state, upload.error) == ("done", "")
    assert upload.counts["stored"] == Position.objects.filter(device=device).count() > 0


def test_history_alerts_nobody(run_jobs, api, device):
    signalled = []
    events_recorded.connect(signalled.append)
    send(api)
    run_jobs("reports")
    events_recorded.disconnect(signalled.append)
    assert signalled == []


def test_positions_of_devices_one_does_not_operate_are_rejected(run_jobs, api, make_device):
    make_device(unique_id="van-1", fleet=Fleet.objects.create(name="Another"))
    answer = send(api)
    run_jobs("reports")
    upload = PositionUpload.objects.get(pk=answer.json()["import_id"])
    assert upload.counts["rejected"] == {"unknown_device": 30}
    assert not Position.objects.exists()


def test_who_manages_a_fleet_may_create_devices_in_it(run_jobs, api, operator, fleet, device, make_user, charlie):
    content = CSV.replace(b"van-1", b"new-1")
    assert send(api, content, fleet=fleet.pk).status_code == 403
    assert send(client_of(charlie), content, fleet=fleet.pk).status_code == 403
    FleetMembership.objects.filter(user=operator).update(role=FleetRole.MANAGER)
    assert send(api, content, fleet=Fleet.objects.create(name="Another").pk).status_code == 404
    answer = send(api, content, fleet=fleet.pk)
    run_jobs("reports")
    assert PositionUpload.objects.get(pk=answer.json()["import_id"]).counts["devices_created"] == 1
    assert Device.objects.get(unique_id="new-1").fleet == fleet


def test_staff_need_the_permission_to_add_positions(make_user, device, fleet):
    helper = make_user(is_staff=True)
    assert send(client_of(helper)).status_code == 403
    helper.user_permissions.add(Permission.objects.get(codename="add_position"))
    assert send(client_of(type(helper).objects.get(pk=helper.pk))).status_code == 202


def test_viewers_may_not_and_foreign_imports_are_not_found(api, make_user, fleet, device, charlie, staff_api):
    viewer = make_user()
    FleetMembership.objects.create(user=viewer, fleet=fleet, role=FleetRole.VIEWER)
    assert send(client_of(viewer)).status_code == 403
    assert send(client_of(charlie)).status_code == 403
    number = send(api).json()["import_id"]
    assert [client.get(f"{URL}/{number}").status_code for client in (api, staff_api, client_of(charlie))] == [
        200,
        200,
        404,
    ]
    foreign = Device.objects.create(fleet=Fleet.objects.create(name="Other"), unique_id="f", name="F")
    assert send(api, device=foreign.pk).status_code == 404


@pytest.mark.parametrize(
    ("content", "name", "fields", "field"),
    [
        (CSV, "a.xyz", {}, "file"),
        (CSV, "noextension", {}, "file"),
        (b"", "a.csv", {}, "file"),
        (CSV, "a.csv", {"format": "kml"}, "format"),
        (CSV, "a.csv", {"time_zone": "Mars/Base"}, "time_zone"),
        (CSV, "a.csv", {"time_zone": "\x00"}, "time_zone"),
        (CSV, "a.csv", {"device": "x"}, "device"),
        (CSV, "a.csv", {"device": "0"}, "device"),
        (CSV, "a.csv", {"fleet": "9" * 30}, "fleet"),
        (CSV, "a.csv", {"colour": "red"}, "colour"),
        (CSV, "x" * 220 + ".csv", {}, "file"),
    ],
)
def test_a_bad_form_is_refused_by_the_name_of_its_field(api, device, storage, content, name, fields, field):
    answer = send(api, content, name, **fields)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert not PositionUpload.objects.exists()
    assert stored_files(storage) == []


def test_a_form_without_a_file_or_of_another_type_is_refused(api, device):
    assert api.post(URL, {"device": device.pk}, format="multipart").status_code == 400
    assert api.post(URL, {"file": "text"}, format="multipart").status_code == 400
    assert api.post(URL, {"a": 1}, format="json").status_code == 415
    assert api.post(URL, CONTENT_LENGTH="0").status_code == 400


def test_a_form_of_which_a_part_would_not_be_read_is_refused(api, device, storage):
    files = [file(), file()]
    twice = api.post(URL, {"file": files, "device": device.pk}, format="multipart")
    assert (twice.status_code, twice.json()["fields"]) == (400, {"file": ["Give it once."]})
    packed = api.post(URL, {"file": files[0]}, format="multipart", HTTP_CONTENT_ENCODING="gzip")
    assert (packed.status_code, packed.json()["code"]) == (415, "unsupported_encoding")
    chunked = api.post(URL, {"file": files[0]}, format="multipart", CONTENT_LENGTH=None)
    assert chunked.json()["fields"] == {"file": ["Send the length of the form; one that comes in chunks is not read."]}
    assert stored_files(storage) == []
    broken = api.generic("POST", URL, b"x", content_type="multipart/form-data; boundary=")
    assert broken.status_code == 400


def test_a_file_above_the_limit_is_refused(api, device, settings, storage):
    settings.MAX_UPLOAD_BYTES = 1000
    assert send(api).status_code == 400
    answer = send(api, CSV * 60)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert stored_files(storage) == []


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"a,b\n1,2\n", "missing"),
        ("a.csv.gz", b"no gzip", "damaged"),
        ("a.gpx", b"<html/>", "GPX"),
        ("a.geojson", b"{}", "GeoJSON"),
        ("a.json", b"[", "JSON"),
        ("a.csv", b"\xff\xfe\x00", "damaged"),
    ],
)
def test_a_file_that_cannot_be_read_fails_once_and_says_why(run_jobs, api, device, storage, name, content, reason):
    body = send(api, content, name).json()
    assert run_jobs("reports") == 1
    upload = PositionUpload.objects.get(pk=body["import_id"])
    assert (upload.state, reason in upload.error) == ("failed", True), upload.error
    job = api.get(body["status_url"]).json()
    assert (job["state"], job["error"]["class"] if isinstance(job.get("error"), dict) else "PermanentError") == (
        "failed",
        "PermanentError",
    )
    assert stored_files(storage) == []


@pytest.fixture
def upload(operator, device, db):
    return create_upload(file=file(), requested_by=operator)


@pytest.mark.django_db(transaction=True)
def test_an_import_that_is_stored_keeps_its_file_whatever_keeps_it_from_the_queue(operator, device, monkeypatch):
    def fail(name):
        raise RuntimeError("a fault of the queue")

    with monkeypatch.context() as patch:
        patch.setattr(position_uploads, "get_task", fail)
        create_upload(file=file(), requested_by=operator)
    upload = PositionUpload.objects.get()
    assert import_upload(upload_id=upload.pk, now=timezone.now())["stored"] == 30


def test_a_full_disk_is_said_and_nothing_of_the_file_takes_its_room(api, device, settings, storage):
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "tests.support.storage.FullStorage"}}
    answer = send(api)
    assert (answer.status_code, answer.json()["code"]) == (507, "file_not_written")
    assert "No space left on device" in answer.json()["detail"]
    assert stored_files(storage) == []
    assert not PositionUpload.objects.exists()


def test_an_import_that_broke_goes_on_where_it_was(upload, monkeypatch, storage):
    monkeypatch.setattr(import_files, "FIXES_PER_TRANSACTION", 10)
    real, calls = import_files.store_fixes, []

    def fail_at_the_third(*args, **kwargs):
        calls.append(args)
        if len(calls) == 3:
            raise ConnectionError("gone")
        return real(*args, **kwargs)

    monkeypatch.setattr(import_files, "store_fixes", fail_at_the_third)
    # The same job, as it would be on a second attempt.
    monkeypatch.setattr(position_uploads, "current_job", lambda: _Job(upload.job_id))
    with pytest.raises(ConnectionError):
        import_upload(upload_id=upload.pk, now=timezone.now())
    upload.refresh_from_db()
    assert (upload.state, upload.counts["read"], len(stored_files(storage))) == ("failed", 20, 1)
    result = import_upload(upload_id=upload.pk, now=timezone.now())
    assert (result["state"], result["read"], result["stored"], result["duplicates"]) == ("done", 30, 30, 0)
    assert len(calls) == 4
    assert stored_files(storage) == []


class _Job:
    """The current job's part that an import asks for."""

    def __init__(self, job_id):
        self.id = job_id

    def progress(self, *args):
        pass

    def raise_if_cancelled(self):
        pass


def test_an_import_is_done_once(upload):
    first = import_upload(upload_id=upload.pk, now=timezone.now())
    assert import_upload(upload_id=upload.pk, now=timezone.now()) == first
    with pytest.raises(PermanentError):
        import_upload(upload_id=10**9, now=timezone.now())


def test_an_import_whose_sender_is_gone_stores_nothing(upload, operator):
    operator.delete()
    with pytest.raises(PermanentError):
        import_upload(upload_id=upload.pk, now=timezone.now())
    assert not Position.objects.exists()
    upload.refresh_from_db()
    assert upload.state == "failed"


def test_an_import_whose_sender_was_locked_out_stores_nothing(upload, operator):
    operator.is_active = False
    operator.save()
    with pytest.raises(PermanentError):
        import_upload(upload_id=upload.pk, now=timezone.now())
    assert not Position.objects.exists()


def test_an_import_whose_sender_may_add_no_devices_any_more_makes_none(operator, fleet, device):
    new = file(CSV.replace(b"van-1", b"new-1"))
    upload = create_upload(file=new, requested_by=operator, fleet=fleet)
    with pytest.raises(PermanentError, match="add devices"):
        import_upload(upload_id=upload.pk, now=timezone.now())
    assert not Device.objects.filter(unique_id="new-1").exists()
    upload.refresh_from_db()
    assert (upload.state, upload.file.name) == ("failed", "")


def test_a_lost_file_is_an_error_of_its_own(upload, storage):
    for path in stored_files(storage):
        path.unlink()
    with pytest.raises(PermanentError, match="gone"):
        import_upload(upload_id=upload.pk, now=timezone.now())


def test_the_sweep_brings_back_what_redis_lost_and_ends_what_failed(run_jobs, operator, device, storage):
    lost = create_upload(file=file(), requested_by=operator)
    run_jobs("reports")
    PositionUpload.objects.filter(pk=lost.pk).update(state="running")
    fresh = create_upload(file=file(), requested_by=operator)
    forgotten = PositionUpload.objects.create(
        name="history.csv", file=fresh.file.name, size_bytes=1, requested_by=operator, job_id=uuid4()
    )
    later = timezone.now() + timedelta(minutes=11)
    PositionUpload.objects.filter(pk=fresh.pk).update(state="done")
    assert sweep_stuck_uploads(now=timezone.now()) == {"enqueued": 0, "failed": 0}
    assert sweep_stuck_uploads(now=later) == {"enqueued": 1, "failed": 1}
    run_jobs("reports")
    forgotten.refresh_from_db()
    lost.refresh_from_db()
    assert (forgotten.state, lost.state) == ("done", "failed")


def test_the_sweep_ends_no_import_that_another_job_took_up_meanwhile(run_jobs, operator, device, storage, monkeypatch):
    """It read the import whose job had failed; before it wrote, the import was run again."""
    upload = create_upload(file=file(), requested_by=operator)
    run_jobs("reports")
    again = create_upload(file=file(), requested_by=operator)
    PositionUpload.objects.filter(pk=upload.pk).update(state="pending", file=again.file.name)
    end = position_uploads._end_as

    def end_later(*arguments):
        PositionUpload.objects.filter(pk=upload.pk).update(state="running", job_id=uuid4())
        end(*arguments)

    monkeypatch.setattr(position_uploads, "_end_as", end_later)
    sweep_stuck_uploads(now=timezone.now() + timedelta(minutes=11))
    upload.refresh_from_db()
    assert (upload.state, upload.file.name) == ("running", again.file.name)
    assert stored_files(storage)


# --- Cancelled, and asked for again ---


def test_an_import_that_was_cancelled_says_so_and_not_that_it_failed(upload, monkeypatch, storage):
    class Cancelled(_Job):
        def raise_if_cancelled(self):
            raise JobCancelled

    monkeypatch.setattr(position_uploads, "current_job", lambda: Cancelled(upload.job_id))
    with pytest.raises(JobCancelled):
        import_upload(upload_id=upload.pk, now=timezone.now())
    upload.refresh_from_db()
    assert (upload.state, stored_files(storage)) == ("cancelled", [])
    assert "was cancelled" in upload.error


@pytest.mark.django_db(transaction=True)
def test_an_import_that_is_cancelled_while_it_waits_ends_at_once(api, device, storage):
    body = send(api).json()
    assert api.post(f"/api/tasks/task/{body['task_id']}/cancel", {}, format="json").status_code == 200
    upload = PositionUpload.objects.get(pk=body["import_id"])
    assert (upload.state, stored_files(storage)) == ("cancelled", [])


@pytest.mark.django_db(transaction=True)
def test_an_import_whose_file_is_gone_is_not_made_again(run_jobs, api, staff, staff_api, page, device):
    body = send(api).json()
    run_jobs("reports")
    answer = staff_api.post(f"/api/tasks/task/{body['task_id']}/retry", {}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "job_not_repeatable")
    assert "Upload it again" in answer.json()["detail"]
    shown = page.post(reverse("admin:tasks_app_job_retry", args=[body["task_id"]]), {"reason": ""}, follow=True)
    assert "Upload it again" in shown.content.decode()
    assert run_jobs("reports") == 0


@pytest.mark.django_db(transaction=True)
def test_an_import_that_failed_for_now_is_made_again_while_its_file_is_kept(run_jobs, api, staff, device):
    body = send(api).json()
    Job.objects.create(
        id=body["task_id"],
        task="import_positions_file",
        queue="reports",
        state="failed",
        args=[body["import_id"]],
        created_at=timezone.now(),
        finished_at=timezone.now(),
    )
    PositionUpload.objects.update(state="failed", error="ConnectionError: gone")
    run_jobs("reports")
    PositionUpload.objects.update(state="failed", error="ConnectionError: gone")
    new_id = retry_job(job_id=body["task_id"], user=staff)
    assert run_jobs("reports") == 1
    upload = PositionUpload.objects.get()
    assert (upload.state, upload.job_id, upload.counts["stored"]) == ("done", new_id, 30)


def test_another_job_does_not_pass_for_the_import_of_a_finished_one(upload, monkeypatch):
    monkeypatch.setattr(position_uploads, "current_job", lambda: _Job(upload.job_id))
    import_upload(upload_id=upload.pk, now=timezone.now())
    another = uuid4()
    monkeypatch.setattr(position_uploads, "current_job", lambda: _Job(another))
    with pytest.raises(PermanentError, match="Upload it again"):
        import_upload(upload_id=upload.pk, now=timezone.now())
