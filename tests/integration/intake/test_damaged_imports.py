"""Files that are damaged, hold nothing, or are guessed at: said wherever a person sees what became of them."""

from __future__ import annotations

import gzip
import io
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tasks_app.engine import PermanentError
from tasks_app.models import Position, PositionUpload
from tasks_app.services.intake import imports as import_files
from tasks_app.services.intake import uploads as position_uploads
from tasks_app.services.intake.uploads import create_upload, import_upload

URL = "/api/positions/import"
HEAD = "device_id,timestamp,latitude,longitude\n"
ROWS = "".join(f"van-1,2020-01-01T00:{n // 60:02}:{n % 60:02}Z,45.{n:04},13.0\n" for n in range(300))
POINTS = "".join(
    f'<trkpt lat="45.{n:04}" lon="13"><time>2020-01-01T00:{n // 60:02}:{n % 60:02}Z</time></trkpt>\n'
    for n in range(300)
)
WAYPOINTS = b'<gpx><wpt lat="1" lon="2"/><wpt lat="1" lon="2"/></gpx>'
CUT = f"<gpx><trk><name>van-1</name><trkseg>\n{POINTS}".encode()[:-20]
CUT_PACKED = gzip.compress((HEAD + ROWS).encode())[:-300]


@pytest.fixture(autouse=True)
def storage(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


def run(*paths) -> tuple[str, str]:
    """Return what the command prints, and how it ends."""
    out = io.StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("import_positions", *map(str, paths), stdout=out)
    return out.getvalue(), str(caught.value)


def send(api, content: bytes, name: str) -> dict:
    answer = api.post(URL, {"file": SimpleUploadedFile(name, content)}, format="multipart")
    assert answer.status_code == 202, answer.content
    return answer.json()


def shown_in_admin(staff, number: int) -> str:
    client = Client()
    client.force_login(staff)
    return client.get(reverse("admin:tasks_app_positionupload_change", args=[number])).content.decode()


@pytest.mark.parametrize(("name", "content", "least", "words"), [
    ("cut.gpx", CUT, 299, "line 301"), ("cut.csv.gz", CUT_PACKED, 100, "damaged"),
])  # fmt: skip
def test_the_command_keeps_what_stands_before_the_damage_and_says_where_it_is(
    tmp_path, device, name, content, least, words
):
    (tmp_path / name).write_bytes(content)
    printed, error = run(tmp_path / name)
    assert least <= Position.objects.count() < 300
    assert (name in error, words in error) == (True, True), error
    assert f"{Position.objects.count()}" in printed


def test_the_command_goes_on_with_the_other_files(tmp_path, device):
    (tmp_path / "a.gpx").write_bytes(WAYPOINTS)
    (tmp_path / "b.csv").write_text(HEAD)
    (tmp_path / "c.csv").write_text(HEAD + ROWS)
    _printed, error = run(tmp_path / "a.gpx", tmp_path / "b.csv", tmp_path / "none.csv", tmp_path / "c.csv")
    assert ["2 waypoints" in error, "no rows" in error, "none.csv" in error] == [True, True, True], error
    assert Position.objects.count() == 300


def test_the_command_names_a_guessed_encoding(tmp_path, device):
    path = tmp_path / "a.csv"
    path.write_bytes(("driver," + HEAD + "Jos\u00e9," + ROWS.splitlines()[0]).encode("cp1252"))
    out = io.StringIO()
    call_command("import_positions", str(path), stdout=out)
    assert "Windows-1252" in out.getvalue()
    assert Position.objects.count() == 1


@pytest.mark.parametrize(("name", "content", "stored", "words"), [
    ("cut.gpx", CUT, 299, ["line 301", "299 positions before that"]),
    ("w.gpx", WAYPOINTS, 0, ["2 waypoints"]),
    ("h.csv", HEAD.encode(), 0, ["no rows"]),
    ("k.csv", b"PK\x03\x04....", 0, ["ZIP archive"]),
    ("p.gpx", b"<html></html>", 0, ["not GPX"]),
])  # fmt: skip
def test_an_upload_says_it_in_the_api_its_job_and_the_admin(run_jobs, api, staff, device, name, content, stored, words):
    body = send(api, content, name)
    run_jobs("reports")
    answer = api.get(f"{URL}/{body['import_id']}").json()
    page = shown_in_admin(staff, body["import_id"])
    job = api.get(body["status_url"]).content.decode()
    assert (answer["state"], Position.objects.count()) == ("failed", stored)
    for text in (answer["error"], page, job):
        assert all(word in text for word in words), text
    if stored:
        assert answer["counts"]["stored"] == stored
        assert f">{stored}<" in page.replace("\n", "").replace(" ", "")


def test_an_upload_names_a_guessed_encoding(run_jobs, api, staff, device):
    body = send(api, ("driver," + HEAD + "Jos\u00e9," + ROWS.splitlines()[0]).encode("cp1252"), "a.csv")
    run_jobs("reports")
    answer = api.get(f"{URL}/{body['import_id']}").json()
    assert (answer["state"], answer["counts"]["stored"]) == ("done", 1)
    assert "Windows-1252" in answer["counts"]["remarks"][0]
    assert "Windows-1252" in shown_in_admin(staff, body["import_id"])


def test_an_import_of_a_damaged_file_that_broke_goes_on_where_it_was(operator, device, monkeypatch):
    upload = create_upload(file=SimpleUploadedFile("cut.gpx", CUT), requested_by=operator)
    monkeypatch.setattr(import_files, "FIXES_PER_TRANSACTION", 100)
    real, calls = import_files.store_fixes, []

    def fail_at_the_second(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise ConnectionError("gone")
        return real(*args, **kwargs)

    monkeypatch.setattr(import_files, "store_fixes", fail_at_the_second)
    monkeypatch.setattr(position_uploads, "current_job", lambda: Job(upload.job_id))
    with pytest.raises(ConnectionError):
        import_upload(upload_id=upload.pk, now=timezone.now())
    with pytest.raises(PermanentError, match="line 301"):
        import_upload(upload_id=upload.pk, now=timezone.now())
    upload = PositionUpload.objects.get(pk=upload.pk)
    assert (upload.counts["read"], upload.counts["stored"], len(calls)) == (299, 299, 4)
    assert upload.file.name == ""


class Job:
    """The current job's part that an import asks for."""

    def __init__(self, job_id=None):
        self.id = job_id or uuid4()

    def progress(self, *args):
        pass

    def raise_if_cancelled(self):
        pass
