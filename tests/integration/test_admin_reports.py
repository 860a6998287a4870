"""Report files leave the admin only through a view that checks who asks."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from reports_app.models import Report, ReportFile
from reports_app.services.rows import store_rows
from reports_app.table import Column, ColumnKind, ReportTable, Section


@pytest.fixture
def report_file(device, settings, tmp_path) -> ReportFile:
    settings.MEDIA_ROOT = tmp_path
    now = timezone.now()
    columns = [Column("day", "Day", ColumnKind.DATE), Column("km", "Distance", ColumnKind.DISTANCE_KM)]
    section = Section("days", "Days", columns, [[date(2026, 1, 1), 12.5]])
    table = ReportTable("summary", "x", "Van 1", now - timedelta(days=1), now, "UTC", [section])
    report = Report.objects.create(
        kind="summary",
        device=device,
        range_start=now - timedelta(days=1),
        range_end=now,
        state="ready",
    )
    Report.objects.filter(pk=report.pk).update(content=store_rows(report.pk, table))
    return ReportFile.objects.create(
        report=report, format="csv", size_bytes=4, file=ContentFile(b"a,b\n", name="van.csv")
    )


def download_url(found: ReportFile) -> str:
    return reverse("admin:reports_app_report_download", args=[found.report_id, found.pk])


def test_it_sends_a_file_as_an_attachment(client: Client, staff, report_file):
    client.force_login(staff)
    assert download_url(report_file) in client.get(reverse("admin:reports_app_report_changelist")).content.decode()
    answer = client.get(download_url(report_file))
    assert b"".join(answer.streaming_content) == b"a,b\n"
    assert answer["Content-Disposition"].startswith("attachment")


def test_it_shows_the_first_rows_on_the_page_of_a_report(client: Client, staff, report_file):
    client.force_login(staff)
    url = reverse("admin:reports_app_report_change", args=[report_file.report_id])
    assert "12.5" in client.get(url).content.decode()


def test_it_sends_no_file_to_staff_without_the_permission(client: Client, make_user, report_file):
    client.force_login(make_user(is_staff=True))
    assert client.get(download_url(report_file)).status_code == 403


def test_it_sends_no_file_to_users_who_are_not_staff(client: Client, charlie, report_file):
    client.force_login(charlie)
    assert client.get(download_url(report_file)).status_code == 302


@pytest.mark.parametrize("change", ["other report", "file gone"])
def test_it_answers_404_for_files_that_are_not_there(client: Client, staff, report_file, change):
    client.force_login(staff)
    url = download_url(report_file)
    if change == "file gone":
        report_file.file.delete(save=False)
    else:
        url = reverse("admin:reports_app_report_download", args=[report_file.report_id + 1, report_file.pk])
    assert client.get(url).status_code == 404
