"""Files of positions that staff upload in the admin."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from tasks_app.models import PositionUpload
from tasks_app.services.intake.uploads import create_upload
from tests.support.uploads import file, stored_files


@pytest.fixture(autouse=True)
def storage(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


def form(**fields):
    return {"file": file(), "format": "", "device": "", "fleet": "", "time_zone": "UTC", **fields}


def test_staff_upload_a_file_in_the_admin_and_see_its_counts(run_jobs, page, device, storage):
    add = reverse("admin:tasks_app_positionupload_add")
    assert page.get(add).status_code == 200
    answer = page.post(add, form())
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    run_jobs("reports")
    upload = PositionUpload.objects.get()
    assert (upload.state, upload.counts["stored"]) == ("done", 30)
    text = page.get(reverse("admin:tasks_app_positionupload_changelist")).content.decode()
    assert "history.csv" in text
    text = page.get(reverse("admin:tasks_app_positionupload_change", args=[upload.pk])).content.decode()
    assert "Done" in text
    assert str(upload.job_id) in text
    assert stored_files(storage) == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"file": ""}, "file"), ({"file": file(name="a.xyz")}, "file"), ({"time_zone": "Mars"}, "time_zone")],
)
def test_the_admin_names_what_is_wrong(page, db, fields, field):
    answer = page.post(reverse("admin:tasks_app_positionupload_add"), form(**fields))
    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    assert not PositionUpload.objects.exists()


def test_the_admin_says_that_the_disk_is_full(page, db, settings, storage):
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "tests.support.storage.FullStorage"}}
    page.raise_request_exception = False
    answer = page.post(reverse("admin:tasks_app_positionupload_add"), form())
    assert answer.status_code == 507
    assert "No space left on device" in answer.content.decode()
    assert stored_files(storage) == []


def test_the_admin_page_asks_for_the_permission(make_user, db):
    add = reverse("admin:tasks_app_positionupload_add")
    user = make_user(is_staff=True)
    client = Client()
    client.force_login(user)
    assert client.get(add).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="add_position"))
    client.force_login(type(user).objects.get(pk=user.pk))
    answer = client.get(add)
    assert answer.status_code == 200
    assert "fleet" not in answer.context["adminform"].form.fields
    assert client.get(reverse("admin:tasks_app_positionupload_changelist")).status_code == 200


def test_a_finished_import_is_only_looked_at(page, staff, device, run_jobs):
    upload = create_upload(file=file(), requested_by=staff)
    path = reverse("admin:tasks_app_positionupload_change", args=[upload.pk])
    assert page.post(path, form()).status_code == 403
    assert page.post(reverse("admin:tasks_app_positionupload_delete", args=[upload.pk])).status_code == 403
