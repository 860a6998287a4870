"""The overview: health in a sentence, what is wrong now, charts, next runs, and to whom each is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Schedule

from tasks_app.admin.overview.charts import alerts_chart
from tasks_app.engine.connection import client as redis_client
from tasks_app.engine.consumers import describe_worker
from tasks_app.engine.streams import JobQueue
from tasks_app.models import DeviceState, Event, EventKind, Job, ScheduleState
from tasks_app.queries.access import SHELL
from tasks_app.queries.failure_groups import failure_groups
from tasks_app.services.jobs import pause_task
from tests.support.probe.tasks import probe_add, probe_fail_for_good

pytestmark = pytest.mark.django_db(transaction=True)
QUEUES = ("positions", "reports", "cleanup", "notifications")


@pytest.fixture
def all_at_work() -> None:
    """A worker for every queue."""
    for name in QUEUES:
        queue = JobQueue(name, redis_client())
        queue.beat({f"host-a:7:{name}:0:x": describe_worker(1, "", most_workers=4)})


def overview_of(client: Client):
    return client.get(reverse("admin:index"))


def titles(client: Client) -> list[str]:
    return [problem.title for problem in overview_of(client).context["problems"]]


def health_of(client: Client) -> tuple[str, str]:
    return overview_of(client).context["health"]


def reader(make_user, *codenames: str) -> Client:
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def test_all_is_well_where_workers_wait_for_jobs(page, all_at_work):
    assert health_of(page) == ("success", "All is well. Workers: 4. Waiting jobs: 0.")
    assert titles(page) == []


def test_failures_are_grouped_by_task_and_class_of_error(page, all_at_work, run_jobs):
    for number in range(3):
        probe_fail_for_good.delay(f"There is no van {number}.")
    run_jobs("positions")
    assert titles(page) == ["probe_fail_for_good failed 3 times: PermanentError"]
    assert health_of(page) == ("danger", "1 thing is wrong.")
    assert "There is no van" in overview_of(page).content.decode()
    Job.objects.filter(pk=Job.objects.first().pk).update(error_class="KeyError")
    assert sorted(titles(page)) == [
        "probe_fail_for_good failed 2 times: PermanentError",
        "probe_fail_for_good failed: KeyError",
    ]
    assert failure_groups(now=timezone.now() + timedelta(hours=25)) == []


def test_a_queue_without_a_worker_is_worse_while_jobs_wait_in_it(page):
    assert titles(page) == [f"No worker runs the queue {name}." for name in QUEUES]
    assert health_of(page) == ("warning", "Works; 4 things need a look.")
    probe_add.delay(1)
    assert health_of(page) == ("danger", "1 thing is wrong.")
    assert titles(page)[0] == "No worker runs the queue positions."


def test_a_queue_that_is_behind_a_lost_worker_and_pauses_are_named(page, all_at_work):
    queue = JobQueue("positions", redis_client())
    old_ms = int((timezone.now() - timedelta(minutes=5)).timestamp() * 1000)
    queue.create_groups()
    redis_client().xadd(queue.keys.streams[1], {"i": "x"}, id=f"{old_ms}-0")
    redis_client().zadd(queue.keys.beats, {"host-a:7:positions:0:x": old_ms})
    pause_task(task="cleanup_old_positions", user=SHELL, now=timezone.now())
    found = " ".join(titles(page))
    assert "The queue positions is behind: its oldest job has waited 5 min" in found
    assert "A worker of positions does not answer" in found
    assert "The task cleanup_old_positions is paused." in found
    assert health_of(page) == ("danger", "2 things are wrong.")


def test_silent_devices_are_told_and_do_not_make_it_ill(page, all_at_work, make_device):
    for number in range(5):
        device = make_device(name=f"Van {number}")
        offline_since = timezone.now() - timedelta(minutes=number)
        DeviceState.objects.create(device=device, status="offline", offline_since=offline_since)
    assert titles(page) == ["5 devices are silent."]
    assert "Van 0, Van 1, Van 2 and 2 more" in overview_of(page).content.decode()
    assert health_of(page)[0] == "success"


def test_a_schedule_with_an_error_is_told_and_the_next_runs_are_listed(page, all_at_work):
    Schedule.objects.all().delete()
    bad = Schedule.objects.create(name="Nightly", func="nonsense", next_run=timezone.now() + timedelta(hours=2))
    ScheduleState.objects.create(schedule=bad, is_enabled=False, last_error="There is no such task.")
    Schedule.objects.create(name="Tidy up", func="cleanup_old_events", next_run=timezone.now() + timedelta(hours=3))
    assert titles(page) == ["The schedule Nightly has an error."]
    assert [run["name"] for run in overview_of(page).context["next_runs"]] == ["Tidy up"]


def test_charts_say_in_words_what_they_draw(page, all_at_work, device, run_jobs):
    Event.objects.create(device=device, kind=EventKind.OVERSPEED, occurred_at=timezone.now())
    Event.objects.create(device=device, kind=EventKind.TRIP_START, occurred_at=timezone.now())
    probe_add.delay(1)
    run_jobs("positions")
    text = overview_of(page).content.decode()
    assert "Alerts of today by the hour, 1 in all." in text
    assert "Last hour: 1 jobs ended, 0 failed." in text
    assert "Positions stored per minute in the last hour" in text


def test_alerts_of_today_are_drawn_at_the_hour_of_the_readers_clock(device):
    """To PostgreSQL CET is the winter time all year."""
    at = datetime(2026, 7, 1, 8, 30, tzinfo=UTC)
    Event.objects.create(device=device, kind=EventKind.OVERSPEED, occurred_at=at)
    with timezone.override("CET"):
        assert "10:00: 1" in alerts_chart(at + timedelta(hours=1))["svg"]


@pytest.mark.parametrize(
    ("codename", "shown", "hidden"),
    [
        ("view_device", {"Positions per minute", "silent"}, {"failed", "Jobs per minute", "Alerts today", "Next runs"}),
        ("view_job", {"failed", "Jobs per minute"}, {"silent", "Positions per minute", "Alerts today", "Next runs"}),
        ("view_event", {"Alerts today"}, {"failed", "silent", "Jobs per minute"}),
    ],
)
def test_each_part_is_for_those_who_may_see_it(codename, shown, hidden, make_user, device, run_jobs):
    DeviceState.objects.create(device=device, status="offline")
    probe_fail_for_good.delay("broken")
    run_jobs("positions")
    text = overview_of(reader(make_user, codename)).content.decode()
    assert all(each in text for each in shown)
    assert not [each for each in hidden if each in text]
