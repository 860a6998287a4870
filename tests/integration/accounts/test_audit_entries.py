"""Entries of the audit: nothing changes or takes one away but retention, and who may looks at them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from notifications_app.models import NotificationPreference
from tasks_app.models import AuditEntry, JobAction, RetentionSettings
from tasks_app.queries.access import SHELL
from tasks_app.services.audit import Subject, prune_audit, record
from tasks_app.services.cleanup.history import remove_old_history
from tests.support.rights import api_of, give

pytestmark = pytest.mark.django_db

# --- Insert only ---


@pytest.fixture
def entry(db):
    record("pause", Subject("queue", "reports", "reports"), user=SHELL)
    return AuditEntry.objects.get()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tasks_app_auditentry SET username = 'other'",
        "DELETE FROM tasks_app_auditentry",
        "TRUNCATE tasks_app_auditentry",
        "SET LOCAL tasks_app.audit_prune_before = 'infinity'; DELETE FROM tasks_app_auditentry",
    ],
)
def test_the_database_refuses_to_change_or_remove_entries(entry, statement):
    with pytest.raises(IntegrityError, match="insert only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    entry.refresh_from_db()
    assert entry.username.startswith("shell")


def test_the_models_own_ways_are_refused(entry):
    for change in (entry.save, entry.delete, AuditEntry.objects.all().delete):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()


def old_entry(days: float) -> AuditEntry:
    return AuditEntry.objects.create(
        created_at=timezone.now() - timedelta(days=days), way="shell", verb="pause", object_type="queue"
    )


def test_retention_removes_what_is_older_than_its_setting(entry):
    gone, kept = old_entry(11), old_entry(9)
    RetentionSettings.objects.create(pk=1, audit_days=10)
    table = AuditEntry._meta.db_table
    would = remove_old_history(now=timezone.now(), dry_run=True)
    did = remove_old_history(now=timezone.now())
    assert would["tables"][table]["rows"] == did["tables"][table]["rows"] == 1
    assert set(AuditEntry.objects.all()) == {entry, kept}
    assert gone not in AuditEntry.objects.all()


def test_not_even_retention_takes_entries_of_the_last_day(entry):
    with pytest.raises(DatabaseError, match="last day"), transaction.atomic():
        prune_audit(timezone.now(), 10)
    assert AuditEntry.objects.exists()


# --- To look at ---


def test_who_may_not_see_the_audit_gets_403(api, make_user):
    assert api.get("/api/audit/").status_code == 403
    assert api_of(make_user(is_staff=True)).get("/api/audit/").status_code == 403


def test_the_api_filters_searches_and_pages(staff_api, make_user):
    for number in range(5):
        record("pause", Subject("queue", "reports", "reports"), user=SHELL, reason=f"upgrade {number}")
    record("purge", Subject("queue", "cleanup", "cleanup"), user=make_user(username="joana"))
    first = staff_api.get("/api/audit/?verb=pause&limit=2").json()
    assert [row["reason"] for row in first["results"]] == ["upgrade 4", "upgrade 3"]
    second = staff_api.get(first["next"]).json()
    assert [row["reason"] for row in second["results"]] == ["upgrade 2", "upgrade 1"]
    for query in (
        "username=joana",
        "object_id=cleanup",
        "search=JOANA",
        "verb=purge",
        "object_type=queue&search=cleanup",
    ):
        (row,) = staff_api.get(f"/api/audit/?{query}").json()["results"]
        assert row["username"] == "joana"
    later = (timezone.now() + timedelta(hours=1)).isoformat().replace("+", "%2B")
    assert staff_api.get(f"/api/audit/?from={later}").json()["results"] == []
    assert staff_api.get("/api/audit/?verb=").status_code in (200, 400)
    assert staff_api.get("/api/audit/?color=red").status_code == 400


def test_the_admin_lists_and_shows_entries_and_changes_none(client, make_user, entry):
    client.force_login(give(make_user(is_staff=True), "tasks_app.view_auditentry"))
    listing = reverse("admin:tasks_app_auditentry_changelist")
    page = client.get(f"{listing}?verb=pause&object_type=queue&way=shell&q=reports").content.decode()
    assert "Queue paused" in page
    assert client.get(reverse("admin:tasks_app_auditentry_change", args=[entry.pk])).status_code == 200
    assert (
        client.post(reverse("admin:tasks_app_auditentry_delete", args=[entry.pk]), {"post": "yes"}).status_code == 403
    )
    assert client.get(reverse("admin:tasks_app_auditentry_add")).status_code == 403
    client.force_login(make_user(is_staff=True))
    assert client.get(listing).status_code == 403


def test_changed_times_are_shown_on_the_clock_of_the_reader(client, staff, entry):
    AuditEntry.objects.create(
        username="ana", verb="change", object_type="knox.authtoken", object_text="x", way=entry.way,
        changes={"expiry": [None, "2027-02-28 09:42:31.215835+00:00"], "name": ["31/02", "2027-02-31 10:00+00:00"]},
    )  # fmt: skip
    NotificationPreference.objects.create(user=staff, language="pt-br", time_zone="America/Sao_Paulo")
    client.force_login(staff)
    newest = AuditEntry.objects.order_by("-pk").first()
    page = client.get(reverse("admin:tasks_app_auditentry_change", args=[newest.pk])).content.decode()
    assert "28/02/2027 06:42:31" in page
    # What is no time is shown as it is.
    assert "2027-02-31 10:00+00:00" in page


def test_an_export_runs_no_formula(client, staff):
    record("pause", Subject("queue", "x", "=HYPERLINK(1)"), user=SHELL, reason="@SUM(A1)")
    client.force_login(staff)
    text = client.post(reverse("admin:tasks_app_auditentry_export"), {"format": "0", "resource": ""}).content.decode()
    assert "'=HYPERLINK(1)" in text
    assert "'@SUM(A1)" in text


def test_the_history_of_jobs_stays_beside_it(staff_api):
    staff_api.post("/api/tasks/queues/reports/pause", {"reason": "night"}, format="json")
    assert not JobAction.objects.exists()
    assert AuditEntry.objects.get().reason == "night"
