"""The page of queues and workers: what it shows and offers, to whom, and what happens then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tasks_app.engine.clusters.orders import take_orders
from tasks_app.engine.connection import client as redis_client
from tasks_app.engine.consumers import describe_worker
from tasks_app.engine.streams import JobQueue
from tasks_app.models import Job, QueueAction
from tasks_app.queries.jobs import queue_stats
from tasks_app.queries.queue_figures import MINUTES, queue_figures
from tests.support.jobs import run_pending_jobs
from tests.support.probe.tasks import probe_add, probe_fail_for_good

pytestmark = pytest.mark.django_db(transaction=True)
QUEUES = "admin:tasks_app_queues"
CLUSTER = "host-a:7"
NAMES = [f"{CLUSTER}:positions:{number}:abc" for number in range(2)]


@pytest.fixture
def workers() -> JobQueue:
    """Two workers of one cluster with places for three, by their heartbeats."""
    queue = JobQueue("positions", redis_client())
    queue.beat({name: describe_worker(1, "", mode="working", most_workers=3) for name in NAMES})
    return queue


def staff_with(make_user, *codenames: str) -> Client:
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def text_of(client: Client) -> str:
    return client.get(reverse(QUEUES)).content.decode()


def urls() -> dict[str, str]:
    return {
        "pause": reverse("admin:tasks_app_task_step", args=["positions", "probe_add", "pause"]),
        "quiet": reverse("admin:tasks_app_worker_step", args=[NAMES[0], "quiet"]),
        "stop": reverse("admin:tasks_app_worker_step", args=[NAMES[0], "stop"]),
        "grow": reverse("admin:tasks_app_cluster_step", args=[CLUSTER, "positions", "grow"]),
        "shrink": reverse("admin:tasks_app_cluster_step", args=[CLUSTER, "positions", "shrink"]),
    }


def test_it_shows_the_last_hour_of_each_queue(page, run_jobs):
    for number in range(3):
        probe_add.delay(number)
    probe_fail_for_good.delay("broken")
    run_jobs("positions")
    now = timezone.now()
    figures = queue_figures(now=now)["positions"]
    assert (sum(figures.finished), sum(figures.failed), len(figures.finished)) == (4, 1, MINUTES)
    assert (figures.tasks["probe_add"].jobs, figures.tasks["probe_fail_for_good"].failed, figures.sample.jobs) == (
        3,
        1,
        4,
    )
    assert all(value is not None for value in [*figures.sample.wait_seconds, *figures.sample.run_seconds])
    text = text_of(page)
    assert "Last hour: 4 jobs ended, 1 failed." in text
    assert "4 ended, 1 failed" in text


def test_it_counts_only_the_last_hour(run_jobs):
    probe_fail_for_good.delay("broken")
    run_jobs("positions")
    Job.objects.update(finished_at=timezone.now() - timedelta(minutes=61))
    figures = queue_figures(now=timezone.now())["positions"]
    assert (sum(figures.failed), figures.sample.jobs) == (0, 0)


def test_a_task_is_paused_after_asking_and_marked(page, staff):
    asked = page.get(urls()["pause"]).content.decode()
    assert "Pause the task probe_add?" in asked
    assert not QueueAction.objects.exists()
    text = page.post(urls()["pause"], {"reason": "wrong sums"}, follow=True).content.decode()
    for expected in ("The task probe_add is paused.", "wrong sums", "Task paused"):
        assert expected in text
    probe_add.delay(1)
    run_pending_jobs("positions")
    assert "1 job waits" in text_of(page)
    resume = reverse("admin:tasks_app_task_step", args=["positions", "probe_add", "resume"])
    assert "goes on" in page.post(resume, {"reason": ""}, follow=True).content.decode()
    assert queue_stats()[0].paused_tasks == {}


def test_workers_and_clusters_get_their_orders(page, workers, staff):
    for verb in ("quiet", "stop", "grow", "shrink"):
        page.post(urls()[verb], {"reason": "memory"})
    orders = take_orders(redis_client(), workers.keys, CLUSTER)
    assert [line.split(b'"')[3] for line in orders] == [b"quiet", b"stop", b"grow", b"shrink"]
    found = QueueAction.objects.order_by("pk").values_list("verb", "subject", "user", "reason")
    assert list(found) == [
        ("quiet", NAMES[0], staff.pk, "memory"),
        ("stop", NAMES[0], staff.pk, "memory"),
        ("grow", CLUSTER, staff.pk, "memory"),
        ("shrink", CLUSTER, staff.pk, "memory"),
    ]
    assert take_orders(redis_client(), workers.keys, CLUSTER) == []


def test_it_says_why_a_cluster_cannot_grow_or_lose_its_last_worker(page, workers):
    workers.beat({f"{CLUSTER}:positions:2:abc": describe_worker(1, "", mode="working", most_workers=3)})
    text = page.post(urls()["grow"], {"reason": ""}, follow=True).content.decode()
    assert "This cluster has places for 3 workers of this queue." in text
    workers.beat({name: describe_worker(1, "", mode="stopping", most_workers=3) for name in NAMES})
    last = reverse("admin:tasks_app_worker_step", args=[f"{CLUSTER}:positions:2:abc", "stop"])
    assert "It is the last worker of this queue" in page.post(last, {"reason": ""}, follow=True).content.decode()
    assert "This worker is stopping already." in page.post(urls()["stop"], {"reason": ""}, follow=True).content.decode()
    assert not QueueAction.objects.exists()


def test_workers_of_the_version_before_are_offered_nothing(page):
    queue = JobQueue("positions", redis_client())
    queue.beat({NAMES[0]: '{"host": "host-a", "pid": 1}'})
    context = page.get(reverse(QUEUES)).context
    assert context["cluster_rows"] == []
    assert context["worker_rows"][0]["steps"] == []


@pytest.mark.parametrize("verb", ["pause", "quiet", "stop", "grow", "shrink"])
def test_it_offers_and_allows_nothing_to_staff_who_may_only_see(verb, make_user, workers):
    reader = staff_with(make_user, "view_job")
    text, url = text_of(reader), urls()[verb]
    assert url not in text
    assert [reader.get(url).status_code, reader.post(url).status_code] == [403, 403]
    assert not QueueAction.objects.exists()
    right = "pause_queue" if verb == "pause" else "control_workers"
    able = staff_with(make_user, "view_job", right)
    assert url in text_of(able)
    assert able.post(url, {"reason": ""}).status_code == 302


def test_the_page_is_for_those_who_see_jobs(make_user):
    assert staff_with(make_user, "view_device").get(reverse(QUEUES)).status_code == 403


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("task_step", ["positions", "nonsense", "pause"]),
        ("task_step", ["reports", "probe_add", "pause"]),
        ("task_step", ["positions", "probe_add", "burn"]),
        ("worker_step", ["nobody", "stop"]),
        ("worker_step", [NAMES[0], "burn"]),
        ("cluster_step", ["host-b:1", "positions", "grow"]),
        ("cluster_step", [CLUSTER, "reports", "grow"]),
    ],
)
def test_it_knows_no_other_tasks_workers_clusters_and_steps(name, arguments, page, workers):
    url = reverse(f"admin:tasks_app_{name}", args=arguments)
    assert [page.get(url).status_code, page.post(url).status_code] == [404, 404]


def test_times_without_jobs_are_no_failure(page):
    figures = queue_figures(now=datetime(2026, 1, 1, tzinfo=UTC))
    assert all(sum(each.finished) == 0 and each.sample.jobs == 0 for each in figures.values())
    assert "0 ended, 0 failed" in text_of(page)
