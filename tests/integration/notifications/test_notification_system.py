"""Notifications that the system makes by itself: of its own trouble, and at the hour of a person's daily summary."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from django_q.models import Schedule

from notifications_app.models import Delivery, MessageTemplate, Notification, NotificationPreference, SystemTrouble
from notifications_app.queries import system_health
from notifications_app.services.digests.daily_summary import start_due_summaries
from notifications_app.services.system.checks import check_system
from notifications_app.services.texts import clear_cache
from tasks_app.engine import get_task
from tasks_app.models import Job, ScheduleState
from tasks_app.queries.jobs import queue_stats

pytestmark = pytest.mark.django_db


def failed_job(**fields) -> Job:
    now = timezone.now()
    defaults = {"id": uuid4(), "task": "export_report_data", "queue": "reports", "state": "failed", "finished_at": now}
    return Job.objects.create(**{**defaults, "created_at": now, **fields})


def keys() -> set[str]:
    return {trouble.key for trouble in system_health.troubles(now=timezone.now())}


def waiting(monkeypatch, *, workers: int) -> dict[str, float]:
    """Give every queue so many workers; its jobs wait as long as the result says."""
    ages: dict[str, float] = {}
    stats = queue_stats()
    monkeypatch.setattr(
        system_health,
        "queue_stats",
        lambda: [replace(one, workers=workers, oldest_age_seconds=ages.get(one.name)) for one in stats],
    )
    return ages


@pytest.fixture
def workers(monkeypatch):
    """Every queue has a worker, and its jobs wait as long as is said."""
    return waiting(monkeypatch, workers=1)


def test_it_finds_queues_without_workers_in_which_a_job_waits(monkeypatch, settings):
    """Not those whose cluster starts or stops: the clean-ups' is often there first."""
    settings.SYSTEM_ALERT_DISK_PERCENT = 101
    ages = waiting(monkeypatch, workers=0)
    ages.update(positions=59, reports=60, cleanup=7200)
    assert keys() == {"no-workers:reports", "no-workers:cleanup"}


def test_it_finds_what_is_wrong_and_nothing_else(workers, settings):
    settings.SYSTEM_ALERT_FAILED_JOBS = 2
    settings.SYSTEM_ALERT_DISK_PERCENT = 101
    assert keys() == set()
    workers["reports"] = 601
    workers["cleanup"] = 599
    failed_job()
    failed_job(task="cleanup_cache", queue="cleanup", error_class="JobLost")
    failed_job(finished_at=timezone.now() - timedelta(hours=2))
    schedule = Schedule.objects.create(name="bad", func="nothing", schedule_type="O")
    ScheduleState.objects.create(schedule=schedule, is_enabled=False, last_error="No task is registered as 'nothing'.")
    by_hand = Schedule.objects.create(name="off", func="cleanup_cache", schedule_type="O")
    ScheduleState.objects.create(schedule=by_hand, is_enabled=False)
    assert keys() == {"queue-age:reports", "worker-lost:cleanup_cache", f"schedule-off:{schedule.pk}"}
    failed_job()
    settings.SYSTEM_ALERT_DISK_PERCENT = 0
    assert {"failed-jobs:export_report_data", "disk"} <= keys()


def test_administrators_hear_of_the_same_trouble_once_a_day_and_again_when_it_comes_back(staff, workers, settings):
    settings.SYSTEM_ALERT_DISK_PERCENT = 101
    workers["reports"] = 3600
    now = timezone.now()
    assert check_system(now=now)["notified"] == 1
    assert Notification.objects.get().user == staff
    assert "Queue reports is behind" in Notification.objects.get().subject
    assert check_system(now=now + timedelta(minutes=5))["notified"] == 0
    assert check_system(now=now + timedelta(hours=25))["notified"] == 1
    assert check_system(now=now + timedelta(hours=27))["notified"] == 0
    workers.clear()
    # What comes and goes within an hour is not notified each time, however long it lasted before.
    assert check_system(now=now + timedelta(hours=27, minutes=5)) == {"troubles": 0, "notified": 0, "over": 0}
    workers["reports"] = 3600
    assert check_system(now=now + timedelta(hours=27, minutes=10))["notified"] == 0
    workers.clear()
    assert check_system(now=now + timedelta(hours=28, minutes=15))["over"] == 1
    assert not SystemTrouble.objects.exists()
    workers["reports"] = 3600
    assert check_system(now=now + timedelta(hours=29))["notified"] == 1


def test_each_administrator_reads_of_trouble_in_their_language(staff, make_user, workers, settings):
    settings.SYSTEM_ALERT_DISK_PERCENT = 101
    workers["reports"] = 3600
    NotificationPreference.objects.create(user=make_user(is_staff=True), language="pt-br")
    MessageTemplate.objects.create(kind="system", language="pt-br", subject="{{ title }}", text="{{ message }}")
    clear_cache()
    assert check_system(now=timezone.now())["notified"] == 1
    clear_cache()
    texts = {one.subject: one.body_text for one in Notification.objects.all()}
    assert "has waited for 60 minutes" in texts["[Error] Queue reports is behind"]
    assert "espera há 60 minutos" in texts["A fila reports está atrasada"]


@pytest.fixture
def room_on_the_disk(settings) -> None:
    """However full the disk of the machine is."""
    settings.SYSTEM_ALERT_DISK_PERCENT = 101


@pytest.mark.usefixtures("room_on_the_disk")
@pytest.mark.parametrize(("queue", "sent"), [("notifications", 1), ("reports", 0)])
def test_the_check_sends_itself_what_the_stuck_queue_would_have_to_send(queue, sent, sink, staff, workers):
    workers[queue] = 3600
    assert check_system(now=timezone.now())["notified"] == 1
    assert [mail["To"] for mail in sink.messages] == [staff.email] * sent
    expected = "sent" if sent else "pending"
    assert Delivery.objects.get(channel="email").state == expected


@pytest.mark.usefixtures("room_on_the_disk")
def test_a_stuck_queue_and_a_mail_server_that_is_away_lose_no_alert(staff, workers, settings, sink):
    settings.EMAIL_PORT = 1
    workers["notifications"] = 3600
    assert check_system(now=timezone.now())["notified"] == 1
    assert Delivery.objects.get(channel="email").state == "pending"


def test_the_check_does_not_wait_behind_the_messages_it_notifies_of():
    assert get_task("check_system").queue != get_task("deliver_notification").queue


def test_the_daily_summary_goes_to_each_at_their_hour_once_a_day(operator, make_user, staff, run_jobs):
    asleep, late = make_user(username="kenji"), make_user(username="nora", is_active=False)
    for user, zone, hour in ((operator, "America/Sao_Paulo", 7), (asleep, "Asia/Tokyo", 7), (late, "UTC", 10)):
        NotificationPreference.objects.create(
            user=user, time_zone=zone, daily_summary=True, daily_summary_at=time(hour)
        )
    # 07:05 in São Paulo, 19:05 in Tokyo.
    at = datetime(2026, 11, 23, 10, 5, tzinfo=UTC)
    assert start_due_summaries(now=at) == 1
    assert start_due_summaries(now=at + timedelta(minutes=15)) == 1
    run_jobs("notifications")
    assert [(row.user, row.kind) for row in Notification.objects.all()] == [(operator, "daily_summary")]
    assert start_due_summaries(now=at + timedelta(minutes=30)) == 0
    assert start_due_summaries(now=at - timedelta(minutes=30)) == 0


@pytest.mark.parametrize("name", ["send_due_alerts", "send_due_daily_summaries", "check_system"])
def test_what_looks_after_it_is_on_a_schedule_by_itself(name):
    from importlib import import_module

    from django.apps import apps

    Schedule.objects.all().delete()
    import_module("notifications_app.migrations.0009_due_alerts_schedule").create_schedule(apps, None)
    import_module("notifications_app.migrations.0010_schedules_per_person").create_schedules(apps, None)
    schedule = Schedule.objects.get(name=name)
    assert schedule.func == name
    assert schedule.next_run > timezone.now()
    assert ScheduleState.objects.get(schedule=schedule).is_enabled
