"""Queues and workers in a browser, against a real cluster: a task is paused and resumed, a worker is stopped."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from tasks_app.engine import JobState
from tasks_app.queries.access import SHELL
from tasks_app.queries.jobs import find_job, list_workers
from tests.browser.test_admin import browser, phone, seen, visit  # noqa: F401 - fixtures
from tests.support.cluster import running_cluster, wait_until
from tests.support.looks import OTHERS
from tests.support.probe.tasks import probe_add, probe_fail_for_good

# The page is fetched anew every few seconds.
MILLISECONDS = 20_000
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cluster(tmp_path):
    with running_cluster(tmp_path, "--name", "positions", "--workers", "2") as running:
        wait_until(lambda: len([worker for worker in list_workers() if worker.most_workers]) == 2, what="two workers")
        yield running


def step_link(verb: str) -> str:
    """Return the selector of the link to a step of the task `probe_add`."""
    return f"a[href='{reverse('admin:tasks_app_task_step', args=['positions', 'probe_add', verb])}']"


def state_of(job_id) -> JobState:
    return find_job(job_id, user=SHELL).state


@pytest.mark.parametrize("look", OTHERS, ids=str)
def test_a_task_is_paused_its_job_waits_and_runs_when_it_is_resumed(seen, look, cluster):  # noqa: F811
    page, say = seen.page, look.say
    seen.log_in()
    seen.open("admin:tasks_app_queues")
    positions = page.get_by_role("region", name="positions", exact=True)
    positions.get_by_text(say("Tasks"), exact=True).click()
    positions.locator(step_link("pause")).click()
    page.get_by_label(say("Reason")).fill("a look first")
    page.get_by_role("button", name=say("Pause")).click()
    expect(page.get_by_text(say("The task %s is paused.") % "probe_add")).to_be_visible()
    job_id, other = probe_add.delay(1), probe_add.apply_async([2], countdown=999)
    waits = say("%(counter)s job waits", plural="%(counter)s jobs wait", counter=1)
    expect(positions.get_by_text(waits)).to_be_visible(timeout=MILLISECONDS)
    assert state_of(job_id) is JobState.QUEUED
    positions.locator(step_link("resume")).click()
    page.get_by_role("button", name=say("Resume")).click()
    wait_until(lambda: state_of(job_id) is JobState.SUCCEEDED, what="the job that waited")
    assert state_of(other) is JobState.SCHEDULED
    ended = say("%(finished)s ended, %(failed)s failed", finished=1, failed=0)
    expect(positions.get_by_text(ended, exact=True)).to_be_visible(timeout=MILLISECONDS)


def test_a_worker_is_stopped_and_another_started(visit, cluster):  # noqa: F811
    visit.log_in()
    visit.choose("Queues and workers")
    page = visit.page
    workers = page.get_by_role("region", name="Workers")
    expect(workers.get_by_role("row")).to_have_count(3, timeout=MILLISECONDS)
    workers.get_by_role("link", name="Stop").first.click()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("stops when its job has ended")).to_be_visible()
    expect(workers.get_by_role("row")).to_have_count(2, timeout=MILLISECONDS)
    clusters = page.get_by_role("region", name="Clusters")
    expect(clusters.get_by_text("1 of at most 8")).to_be_visible()
    expect(clusters.get_by_role("link", name="One less")).to_have_count(0)
    clusters.get_by_role("link", name="One more").click()
    page.get_by_role("button", name="One more").click()
    expect(workers.get_by_role("row")).to_have_count(3, timeout=MILLISECONDS)


def test_the_overview_tells_of_a_failing_task_and_leads_to_its_job(visit, cluster):  # noqa: F811
    visit.log_in()
    page = visit.page
    probe_fail_for_good.delay("There is no van 424242.")
    health = page.get_by_role("region", name="Health")
    link = health.get_by_role("link", name="probe_fail_for_good failed: PermanentError")
    expect(link).to_be_visible(timeout=MILLISECONDS)
    expect(health).to_contain_text("There is no van 424242.")
    link.click()
    expect(page.get_by_text("There is no van 424242.").first).to_be_visible()
