"""Report files in an S3-compatible bucket, over HTTP, through the storage that the settings make of S3_BUCKET."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from moto.server import ThreadedMotoServer

from reports_app.exceptions import FileNotWritten
from reports_app.models import Report, ReportFile, ReportState
from reports_app.services.files import delete_orphaned_files, export_report
from reports_app.services.requests import request_report
from reports_app.services.retention import expire_reports
from tasks_app.engine import enqueue
from tasks_app.models import Job
from trackerproject import file_storage

pytestmark = pytest.mark.django_db(transaction=True)
DAY, NEXT_DAY = (datetime(2026, 3, day, 3, tzinfo=UTC) for day in (2, 3))  # midnights in São Paulo
BUCKET = "fleet-files"


class Bucket:
    """A server of S3 that can go away and come back, with what is in the bucket."""

    def __init__(self) -> None:
        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.server.start()
        self.address, self.port = self.server.get_host_and_port()
        self.client = boto3.client("s3", endpoint_url=self.url, region_name="us-east-1")
        self.client.create_bucket(Bucket=BUCKET)

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"

    def names(self) -> list[str]:
        return [each["Key"] for each in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def unfinished_uploads(self) -> list[object]:
        return self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])

    def go_away(self) -> None:
        self.server.stop()

    def come_back(self) -> None:
        self.server = ThreadedMotoServer(ip_address=self.address, port=self.port, verbose=False)
        self.server.start()

    def empty(self) -> None:
        for name in self.names():
            self.client.delete_object(Bucket=BUCKET, Key=name)
        self.client.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def bucket(settings, tmp_path, monkeypatch) -> Iterator[Bucket]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "for-tests")
    monkeypatch.setattr(file_storage, "MAX_ATTEMPTS", 1)
    found = Bucket()
    storage = file_storage.file_storage(bucket=BUCKET, endpoint_url=found.url, region="us-east-1", prefix="tracker")
    settings.STORAGES = {**settings.STORAGES, "default": storage}
    settings.MEDIA_ROOT = tmp_path / "media"
    try:
        yield found
        found.empty()
    finally:
        found.go_away()


@pytest.fixture
def report(device, operator, run_jobs, bucket) -> Report:
    made = request_report(kind="summary", device=device, range_start=DAY, range_end=NEXT_DAY, requested_by=operator)
    run_jobs("reports")
    made.refresh_from_db()
    assert made.state == ReportState.READY, made.error
    return made


def download(api, report, format="csv"):
    return api.get(f"/api/reports/{report.pk}/download", {"format": format})


def test_a_report_is_kept_in_the_bucket_downloaded_and_expired(api, report, bucket, settings):
    answer = download(api, report)
    content = b"".join(answer.streaming_content)
    assert b"Van 1" in content
    assert int(answer["Content-Length"]) == len(content)
    name = ReportFile.objects.get().file.name
    assert bucket.names() == [f"tracker/{name}"]
    assert b"".join(download(api, report).streaming_content) == content  # as stored
    assert not settings.MEDIA_ROOT.exists()
    gone = expire_reports(now=report.expires_at + timedelta(seconds=1))
    assert (gone["reports"], gone["files"]) == (1, 1)
    assert bucket.names() == []
    assert download(api, report).status_code == 410


def test_the_cleanup_of_orphans_makes_bucket_and_rows_agree(report, bucket):
    export_report(report.pk, "json")
    default_storage.delete(export_report(report.pk, "csv").file.name)
    bucket.client.put_object(Bucket=BUCKET, Key="tracker/reports/2026/01/nobodys.csv", Body=b"")
    later = datetime.now(UTC) + timedelta(hours=2)
    assert delete_orphaned_files(now=later) == {"files": 1, "rows": 1, "partials": 0}
    assert bucket.names() == [f"tracker/{ReportFile.objects.get().file.name}"]


def test_a_bucket_that_goes_away_half_way_is_told_and_nothing_stays_behind(api, report, bucket, monkeypatch):
    with monkeypatch.context() as half_way:
        half_way.setattr(
            "reports_app.services.files.export.file_name", lambda report, extension: (bucket.go_away(), "half.csv")[1]
        )
        answer = download(api, report)
    assert (answer.status_code, answer.json()["code"]) == (507, "file_not_written")
    assert "the file storage does not answer" in answer.json()["detail"]
    assert bucket.url not in answer.content.decode()
    assert not ReportFile.objects.exists()
    bucket.come_back()
    assert (bucket.names(), bucket.unfinished_uploads()) == ([], [])
    assert download(api, report).status_code == 200


def test_the_job_that_writes_a_file_says_that_the_bucket_is_away(report, bucket, run_jobs):
    bucket.go_away()
    with pytest.raises(FileNotWritten, match="does not answer"):
        export_report(report.pk, "xlsx")
    job_id = enqueue("export_report_data", report.pk, "xlsx")
    run_jobs("reports")
    bucket.come_back()
    run_jobs("reports")
    job = Job.objects.filter(pk=job_id).first()
    assert job is None or job.state == "succeeded"  # it is tried again in half a minute
    assert bucket.names() == []


def test_a_file_that_is_there_but_out_of_reach_is_not_a_broken_page(api, client, staff, report, bucket):
    assert download(api, report).status_code == 200
    stored = ReportFile.objects.get()
    bucket.go_away()
    try:
        answer = download(api, report)
        client.force_login(staff)
        page = client.get(f"/admin/reports_app/report/{report.pk}/download/csv/", follow=True)
        file = client.get(f"/admin/reports_app/report/{report.pk}/files/{stored.pk}/", follow=True)
        assert api.delete(f"/api/reports/{report.pk}").status_code == 204
    finally:
        bucket.come_back()
    assert (answer.status_code, answer.json()["code"]) == (503, "files_out_of_reach")
    assert "cannot be reached" in page.content.decode()
    assert "cannot be reached" in file.content.decode()
    assert len(bucket.names()) == 1  # left to the cleanup of orphans
    assert delete_orphaned_files(now=datetime.now(UTC) + timedelta(hours=2))["files"] == 1


def test_a_file_larger_than_one_part_arrives_whole_or_not_at_all(bucket):
    content = b"0123456789abcdef" * (1024 * 1024)  # 16 MB: two parts
    name = default_storage.save("reports/large.bin", ContentFile(content))
    with default_storage.open(name) as opened:
        assert opened.read() == content
    default_storage.delete(name)

    def vanish(**_event) -> None:
        bucket.client.delete_bucket(Bucket=BUCKET)  # in the middle of the upload

    default_storage.bucket.meta.client.meta.events.register("before-send.s3.UploadPart", vanish)
    with pytest.raises(OSError, match="does not answer"):
        default_storage.save("reports/large.bin", ContentFile(content))
    bucket.client.create_bucket(Bucket=BUCKET)
    assert (bucket.names(), bucket.unfinished_uploads()) == ([], [])
