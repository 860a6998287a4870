"""The retention settings, and what follows them: history, notifications, forecast, pages, commands."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from notifications_app.models import Delivery, Notification, NotificationPreference
from tasks_app.engine import get_task
from tasks_app.models import (
    BulkAction,
    DeviceDay,
    Event,
    FilterCount,
    FilteredFix,
    Job,
    JobAction,
    PositionArchive,
    PositionUpload,
    QuarantinedFix,
    QueueAction,
    RetentionSettings,
    StorageSample,
)
from tasks_app.queries.retention import days_to_keep
from tasks_app.queries.storage import storage_forecast
from tasks_app.services.cleanup.history import remove_old_history
from tasks_app.services.cleanup.storage import sample_storage
from tests.support.rights import give

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 10, 3, tzinfo=UTC)
SETTINGS = "admin:tasks_app_retentionsettings_change"


@pytest.fixture
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def make_device_day(device, at: datetime) -> DeviceDay:
    figures = {"distance_meters": 0, "driven_meters": 0}
    seconds = {f"{name}_seconds": 0 for name in ("moving", "stopped", "idle", "engine")}
    counts = {"trip_count": 0, "stop_count": 0, "fix_count": 1, "max_speed_kph": 0}
    timestamps = {"first_fix_at": at, "last_fix_at": at, "computed_at": at}
    return DeviceDay.objects.create(
        device=device, day=at.date(), time_zone="UTC", **figures, **seconds, **counts, **timestamps
    )


def make_history(device, staff, at: datetime) -> dict[type, object]:
    """One row of each kind, of that time."""
    job = {"job_id": uuid4(), "task": "t", "verb": "cancel", "user": staff}
    where = {"latitude": 1, "longitude": 2}
    made = [
        QuarantinedFix.objects.create(device=device, source="osmand", code="x", received_at=at),
        FilteredFix.objects.create(device=device, fix_time=at, reason="jump", received_at=at, **where),
        FilterCount.objects.create(device=device, day=at.date(), reason="jump", count=1),
        JobAction.objects.create(**job),
        QueueAction.objects.create(queue="cleanup", verb="pause", created_at=at),
        PositionUpload.objects.create(name="a.csv", size_bytes=1, state="done", job_id=uuid4()),
        make_device_day(device, at),
        StorageSample.objects.create(day=at.date(), table="t", rows=1, size_bytes=1),
        BulkAction.objects.create(id=uuid4(), verb="cancel", user=staff, created_at=at),
        LogEntry.objects.create(
            user=staff, content_type=ContentType.objects.get_for_model(Job), object_id="1", action_flag=CHANGE
        ),
    ]
    for row, field in ((made[3], "created_at"), (made[5], "created_at"), (made[9], "action_time")):
        type(row).objects.filter(pk=row.pk).update(**{field: at})
    return {type(row): row for row in made}


def test_each_kind_of_history_goes_by_its_own_setting(device, staff):
    kinds = {
        QuarantinedFix: "quarantine",
        FilteredFix: "filtered",
        FilterCount: "filter_counts",
        JobAction: "audit",
        QueueAction: "audit",
        PositionUpload: "uploads",
        DeviceDay: "device_days",
        StorageSample: "storage_samples",
        BulkAction: "audit",
        LogEntry: "audit",
    }
    for kind in set(kinds.values()):
        RetentionSettings.objects.all().delete()
        RetentionSettings.objects.create(pk=1, **{f"{kind}_days": 10})
        old, young = make_history(device, staff, ago(11)), make_history(device, staff, ago(9))
        expected = {model for model, of_kind in kinds.items() if of_kind == kind}
        would = remove_old_history(now=NOW, dry_run=True)
        assert would["rows"] == len(expected)
        did = remove_old_history(now=NOW)
        assert {table: entry["rows"] for table, entry in did["tables"].items()} == {
            table: entry["rows"] for table, entry in would["tables"].items()
        }
        assert {model for model, row in old.items() if not model.objects.filter(pk=row.pk).exists()} == expected
        assert all(model.objects.filter(pk=row.pk).exists() for model, row in young.items())
        for model in kinds:
            model.objects.all().delete()


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
def test_an_import_that_ended_is_history_however_it_ended(state):
    PositionUpload.objects.create(name="a.csv", size_bytes=1, state=state, job_id=uuid4())
    PositionUpload.objects.update(created_at=ago(1000))
    remove_old_history(now=NOW)
    assert not PositionUpload.objects.exists()


def test_an_import_that_goes_on_is_no_history(staff):
    upload = PositionUpload.objects.create(name="a.csv", size_bytes=1, state="running", job_id=uuid4(), file="x")
    PositionUpload.objects.update(created_at=ago(1000))
    remove_old_history(now=NOW)
    assert PositionUpload.objects.filter(pk=upload.pk).exists()


def test_old_archives_go_with_their_files(media):
    name = default_storage.save("position-archives/2020/a.csv.gz", ContentFile(b"x"))
    PositionArchive.objects.create(
        day=NOW.date(), rows=1, size_bytes=1, sha256="0" * 64, file=name, created_at=ago(3651)
    )
    assert remove_old_history(now=NOW, dry_run=True)["tables"]["tasks_app_positionarchive"]["rows"] == 1
    assert default_storage.exists(name)
    remove_old_history(now=NOW)
    assert not default_storage.exists(name)
    assert PositionArchive.objects.count() == 0


def test_old_notifications_go_with_their_deliveries_unless_they_are_still_to_be_sent(staff):
    def notify(key: str, days: float, state: str) -> Notification:
        made = Notification.objects.create(user=staff, kind="speed", dedupe_key=key, subject="s", body_text="t")
        Notification.objects.filter(pk=made.pk).update(created_at=timezone.now() - timedelta(days=days))
        Delivery.objects.create(notification=made, channel="email", state=state)
        Delivery.objects.filter(notification=made).update(created_at=timezone.now() - timedelta(days=days))
        return made

    old, unsent, young = notify("1", 91, "sent"), notify("2", 91, "pending"), notify("3", 89, "sent")
    cleanup = get_task("cleanup_notifications")
    assert cleanup(dry_run=True)["rows"] == 1
    assert cleanup()["rows"] == 1
    assert set(Notification.objects.all()) == {unsent, young}
    assert not Delivery.objects.filter(notification_id=old.pk).exists()
    assert cleanup(days_to_keep=10)["rows"] == 1


# --- The admin's page ---


def test_the_permission_to_view_opens_the_settings_and_changes_nothing(client, make_user):
    url = reverse(SETTINGS, args=[1])
    client.force_login(give(make_user(is_staff=True), "tasks_app.view_retentionsettings"))
    page = client.get(url).content.decode()
    # 90 days is the environment's value: without fields there is no placeholder to show it.
    assert "90" in re.findall(r'class="readonly[^>]*>\s*(\w+)\s*<', page)
    assert 'name="_save"' not in page
    assert f'href="{url}"' in client.get(reverse("admin:index")).content.decode()
    assert client.post(url, {"events_days": 5}).status_code == 403
    assert not RetentionSettings.objects.exists()


def test_the_permission_to_change_changes_the_settings(client, make_user):
    client.force_login(give(make_user(is_staff=True), "tasks_app.change_retentionsettings"))
    data = {"events_days": "5", "archive_positions": "unknown"}
    assert client.post(reverse(SETTINGS, args=[1]), data).status_code == 302
    assert days_to_keep("events") == 5


def test_staff_without_permission_neither_see_nor_change_the_settings(client, make_user, staff):
    url = reverse(SETTINGS, args=[1])
    client.force_login(make_user(is_staff=True))
    assert client.get(url).status_code == 403
    assert client.post(url, {"events_days": 5}).status_code == 403
    client.force_login(staff)
    assert client.get(reverse("admin:tasks_app_retentionsettings_changelist")).url == url
    page = client.get(url).content.decode()
    assert 'placeholder="90"' in page
    assert client.post(url, {"events_days": "5", "archive_positions": "unknown"}).status_code == 302
    assert (days_to_keep("events"), days_to_keep("positions")) == (5, 30)
    assert LogEntry.objects.filter(object_id="1", content_type__model="retentionsettings").count() == 1
    assert client.post(url, {"events_days": "", "archive_positions": "true"}).status_code == 302
    assert days_to_keep("events") == 90


def test_an_archive_shows_its_file_without_a_link_that_leads_nowhere(client, staff):
    archive = PositionArchive.objects.create(
        day=NOW.date(), rows=1, size_bytes=1, sha256="ab" * 32, file="position-archives/2026/a.csv.gz", created_at=NOW
    )
    client.force_login(staff)
    page = client.get(reverse("admin:tasks_app_positionarchive_change", args=[archive.pk])).content.decode()
    for text in ("ab" * 32, "position-archives/2026/a.csv.gz"):
        assert f'<span class="tk-mono">{text}</span>' in page
    assert 'a.csv.gz"' not in page


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("positions_days", "0"),
        ("events_days", "-1"),
        ("audit_days", "36501"),
        ("jobs_failed_days", "1.5"),
        ("business_hours", "8 to 5"),
        ("thin_standing_seconds", "1"),
        ("duplicate_meters", "nan"),
        ("storage_budget_gigabytes", "inf"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(client, staff, field, value):
    client.force_login(staff)
    answer = client.post(reverse(SETTINGS, args=[1]), {field: value})
    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == [field]
    assert RetentionSettings.objects.count() == 0


# --- The forecast ---


@pytest.fixture
def growing(settings):
    """A database whose tables grow by a fifth of their size in a day, and its budget, which is reached in ten days."""
    size = storage_forecast(now=NOW).size_bytes
    for days in range(1, 6):
        StorageSample.objects.create(day=ago(days).date(), table="tasks_app_event", rows=10, size_bytes=1)
    total = storage_forecast(now=NOW).history[-1][1]
    for days in range(1, 6):
        sample = {"rows": 1, "size_bytes": max(0, total - days * total // 5)}
        StorageSample.objects.filter(day=ago(days).date()).update(**sample)
    # The database has more in it than tables of ours, and the more of that, the longer tests ran in it.
    settings.STORAGE_BUDGET_BYTES = size + 2 * total
    return settings.STORAGE_BUDGET_BYTES


def test_administrators_are_warned_once_a_week_before_the_budget_is_reached(growing, staff, charlie):
    done = sample_storage(now=NOW)
    assert 0 < done["days_left"] < 30
    assert done["warned"] is True
    sample_storage(now=NOW + timedelta(hours=1))
    (notification,) = Notification.objects.all()
    assert (notification.user, notification.kind) == (staff, "system")
    assert "GB" in notification.body_text
    assert StorageSample.objects.filter(day=NOW.date(), table="tasks_app_event").count() == 1


def test_administrators_are_warned_in_their_language(growing, staff):
    NotificationPreference.objects.create(user=staff, language="pt-br")
    assert sample_storage(now=NOW)["warned"] is True
    notification = Notification.objects.get()
    assert "O limite de armazenamento será atingido" in notification.subject
    assert "O banco de dados ocupa" in notification.body_text


def test_nobody_is_warned_without_a_budget_or_with_a_large_one(growing, staff, settings):
    settings.STORAGE_BUDGET_BYTES = 0
    assert sample_storage(now=NOW)["warned"] is False
    RetentionSettings.objects.create(pk=1, storage_budget_gigabytes=10**6)
    assert sample_storage(now=NOW)["warned"] is False
    assert Notification.objects.count() == 0


def test_the_forecast_is_in_the_api_and_in_the_admin(growing, staff_api, client, staff, make_user, device):
    for days in range(1, 4):
        day = timezone.now().date() - timedelta(days=days)
        StorageSample.objects.create(day=day, table="tasks_app_event", rows=10, size_bytes=100)
    storage = staff_api.get("/api/tasks/stats").json()["storage"]
    assert storage["budget_bytes"] == growing
    events = next(table for table in storage["tables"] if table["table"] == Event._meta.db_table)
    assert events["bytes_per_day"] > 0
    client.force_login(staff)
    page = client.get(reverse("admin:tasks_app_storagesample_changelist")).content.decode()
    assert "<svg" in page
    assert "smaller tables" in page
    assert "Database · to its budget" in client.get(reverse("admin:index")).content.decode()
    client.force_login(make_user(is_staff=True))
    assert client.get(reverse("admin:tasks_app_storagesample_changelist")).status_code == 403


# --- The shell ---


def test_a_cleanup_runs_from_the_shell(device):
    Event.objects.create(device=device, kind="overspeed", occurred_at=timezone.now() - timedelta(days=100))
    out = StringIO()
    call_command("cleanup", "events", "--dry-run", "--json", stdout=out)
    assert json.loads(out.getvalue())["rows"] == 1
    call_command("cleanup", "events", stdout=out)
    assert "tasks_app_event" in out.getvalue()
    assert Event.objects.count() == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["positions", "--days", "0"], "--days: This must be at least 1"),
        (["positions", "--device", "999999"], "no device 999999"),
        (["sessions", "--days", "5"], "has no --days"),
        (["events", "--max-seconds", "-1"], "--max-seconds: This must be more than 0"),
    ],
)
def test_the_shell_says_what_cannot_be_meant(arguments, message):
    with pytest.raises(CommandError, match=message):
        call_command("cleanup", *arguments)


def test_archives_are_listed_and_restored_from_the_shell(media, settings, device):
    from tests.support.retention import drop_all_partitions, store_day, stored_times

    drop_all_partitions()
    settings.ARCHIVE_POSITIONS = True
    times = store_day(device, 40)
    get_task("cleanup_old_positions")(days_to_keep=1)
    assert stored_times(device) == []
    out = StringIO()
    call_command("restore_positions", "--list", stdout=out)
    assert str(times[0].date()) in out.getvalue()
    call_command("restore_positions", "--day", str(times[0].date()), stdout=out)
    assert "10 restored" in out.getvalue()
    assert stored_times(device) == times
    for wrong in (["999999"], ["--day", "1999-01-01"], ["--day", str(times[0].date()), "--keep-days", "0"]):
        with pytest.raises(CommandError):
            call_command("restore_positions", *wrong)


def test_fleets_and_devices_say_through_the_api_how_long_their_positions_stay(staff_api, fleet, device):
    url = f"/api/fleets/{fleet.pk}"
    assert staff_api.patch(url, {"keep_positions_forever": True}, format="json").status_code == 200
    fleet.refresh_from_db()
    assert fleet.keep_positions_forever
    for wrong in ({"positions_days_to_keep": 5}, {"positions_days_to_keep": 0}, {"keep_positions_forever": "yes"}):
        assert staff_api.patch(url, wrong, format="json").status_code == 400, wrong
    answer = staff_api.patch(f"/api/devices/{device.pk}", {"positions_days_to_keep": 7}, format="json")
    assert (answer.status_code, answer.json()["positions_days_to_keep"]) == (200, 7)
