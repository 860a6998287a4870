"""Jobs in a real browser: found by the name of a van, run again with another argument, cancelled after a count."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tasks_app.engine import JobState, get_task
from tasks_app.models import Job
from tasks_app.queries.access import SHELL
from tasks_app.queries.jobs import find_job, repeats_of
from tests.browser.test_admin import browser as browser
from tests.browser.test_admin import phone as phone
from tests.browser.test_admin import seen as seen
from tests.browser.test_admin import visit as visit
from tests.support.cluster import running_cluster
from tests.support.looks import BOTH, OTHERS

pytestmark = pytest.mark.django_db(transaction=True)


def make_report(device_id: int, **fields) -> Job:
    usual = {"id": uuid4(), "task": "generate_device_report", "queue": "reports", "state": "succeeded"}
    arguments = {"device_id": device_id, "start": "2026-01-01", "end": "2026-01-02"}
    at = fields.pop("at", timezone.now())
    return Job.objects.create(**{**usual, "kwargs": arguments, "created_at": at, "finished_at": at, **fields})


@pytest.mark.parametrize("look", BOTH, ids=str)
def test_the_job_of_a_van_of_yesterday_is_found_by_its_name(seen, look, make_device):
    visit, say = seen, look.say
    van, other = make_device(name="Van 03"), make_device(name="Van 04")
    yesterday = timezone.localtime().replace(hour=12) - timedelta(days=1)
    wanted = make_report(van.pk, at=yesterday)
    make_report(van.pk)
    make_report(other.pk, at=yesterday)
    visit.log_in()
    visit.open("admin:tasks_app_job_changelist")
    visit.page.locator("input[name=search]").focus()
    visit.page.keyboard.type("dev")
    visit.page.get_by_role("option", name="device:").click()
    visit.page.keyboard.type("Van")
    visit.page.get_by_role("option", name="Van 03").click()
    visit.page.keyboard.type("after:yesterday before:today")
    visit.page.keyboard.press("Enter")
    region = visit.page.get_by_role("region", name=say("Jobs"))
    expect(region.get_by_role("link", name="generate_device_report")).to_have_count(1)
    region.get_by_role("link", name="generate_device_report").click()
    expect(visit.page.get_by_text(str(wanted.pk))).to_be_visible()


@pytest.mark.parametrize("look", OTHERS, ids=str)
def test_a_failed_job_is_run_again_with_another_argument(seen, look, make_device):
    visit, say = seen, look.say
    failed = make_report(make_device().pk, state="failed", error_class="ValueError", error_message="no such kind")
    visit.log_in()
    visit.open("admin:tasks_app_job_change", failed.pk)
    expect(visit.page.get_by_text("no such kind")).to_be_visible()
    visit.page.get_by_role("link", name=say("Run with other arguments")).click()
    visit.page.locator("[name=arg-kind]").select_option("trips")
    visit.page.locator("[data-label-repeat]").first.click()
    expect(visit.page.get_by_text(say("The task %s was started.") % "generate_device_report")).to_be_visible()
    expect(visit.page.locator("#arguments")).to_contain_text('"trips"')
    expect(visit.page.locator("#arguments")).to_contain_text('"2026-01-01')


def test_all_that_match_are_cancelled_by_a_job_that_is_watched(visit, tmp_path):
    waiting = [get_task("cleanup_cache").apply_async(countdown=900) for _ in range(130)]
    other = get_task("optimize_database").apply_async(countdown=900)
    visit.log_in()
    visit.choose("Jobs")
    page = visit.page
    page.get_by_label("Search").fill("task:cleanup_cache")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Cancel all").click()
    expect(page.get_by_role("heading", name="Cancel 130 jobs?").first).to_be_visible()
    expect(page.get_by_role("table", name="Will be cancelled")).to_contain_text("Scheduled")
    page.get_by_label("Reason").fill("not today")
    page.get_by_role("button", name="Cancel the jobs").click()
    expect(page.get_by_text("The jobs that match are looked for first.")).to_be_visible()
    with running_cluster(tmp_path, "--name", "cleanup", "--workers", "1"):
        # The page follows without being opened again.
        expect(page.get_by_text("130 jobs were cancelled.")).to_be_visible(timeout=40_000)
        expect(page.get_by_text("Succeeded", exact=True).first).to_be_visible()
    assert Job.objects.filter(pk__in=waiting, state="cancelled").count() == 130
    assert find_job(other, user=SHELL).state is JobState.SCHEDULED


def test_ticked_jobs_run_again_and_each_shows_the_other(visit, make_device, run_jobs):
    failed = [make_report(make_device().pk, state="failed", error_class="ValueError") for _ in range(2)]
    visit.log_in()
    visit.choose("Jobs")
    page = visit.page
    for one in failed:
        page.get_by_role("checkbox", name=f"Select {one.task} {one.pk}").check()
    page.get_by_role("button", name="Retry", exact=True).click()
    expect(page.get_by_role("heading", name="Run 2 jobs again?").first).to_be_visible()
    page.get_by_role("button", name="Retry the jobs").click()
    run_jobs("cleanup")
    expect(page.get_by_text("2 jobs run again as new jobs.")).to_be_visible(timeout=15_000)
    visit.open("admin:tasks_app_job_change", failed[0].pk)
    (again,) = repeats_of(failed[0].pk)
    page.get_by_role("link", name=str(again)).click()
    expect(page.get_by_role("link", name=str(failed[0].pk))).to_be_visible()


class Keyboard:
    """The keys of a person without a mouse, counted."""

    def __init__(self, page) -> None:
        self.page, self.pressed = page, 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.pressed += 1


@pytest.fixture
def waiting() -> list:
    """Two jobs, which the list shows in the other order, also where they are of one millisecond: the soonest first then."""
    countdowns = {"cleanup_cache": 960, "optimize_database": 900}
    return [get_task(name).apply_async(countdown=seconds) for name, seconds in countdowns.items()]


def list_with_keys(visit):
    """Open the list of jobs and wait until its keys work."""
    visit.log_in()
    visit.choose("Jobs")
    expect(visit.page.get_by_role("link", name="cleanup_cache")).to_be_visible()
    visit.page.wait_for_load_state()
    return visit.page


def wait_for_the_reason(page) -> None:
    """Wait until keys go to the field of the reason, whether or not the window is the one in front."""
    page.wait_for_function("() => document.activeElement?.name === 'reason'")


def wait_for_the_row(page, name: str) -> None:
    """Wait until keys go to the row of this job, whether or not the window is the one in front."""
    page.wait_for_function("name => document.activeElement?.textContent.trim() === name", arg=name)


def test_a_job_is_cancelled_with_fewer_than_ten_keys(visit, waiting):
    page = list_with_keys(visit)
    keys = Keyboard(page)
    keys.press("j", "j")
    wait_for_the_row(page, "cleanup_cache")
    keys.press("Enter")
    expect(page.get_by_role("link", name="Cancel", exact=True)).to_be_visible()
    page.wait_for_load_state()
    keys.press("c")
    wait_for_the_reason(page)
    keys.press("Enter")
    expect(page.get_by_text("The job was cancelled.")).to_be_visible()
    assert keys.pressed == 5
    assert [find_job(one, user=SHELL).state for one in waiting] == [JobState.CANCELLED, JobState.SCHEDULED]


def test_the_reason_has_the_focus_though_the_page_was_drawn_before_its_scripts_came(visit, waiting):
    """The theme hides a page until then, and the browser passes over a field that is hidden."""
    visit.log_in()
    page = visit.page

    def come_after_a_frame(route):
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        route.continue_()

    page.route(re.compile(r"/alpine\.js|/joined/admin[^/]*\.js"), come_after_a_frame)
    visit.open("admin:tasks_app_job_cancel", waiting[0])
    wait_for_the_reason(page)


def test_several_jobs_are_cancelled_with_fewer_than_ten_keys(visit, waiting, run_jobs):
    page = list_with_keys(visit)
    keys = Keyboard(page)
    keys.press("j", "x", "j", "x", "c")
    wait_for_the_reason(page)
    keys.press("Enter")
    expect(page.get_by_text("2 jobs are still to come.")).to_be_visible()
    assert keys.pressed == 6
    run_jobs("cleanup")
    expect(page.get_by_text("2 jobs were cancelled.")).to_be_visible(timeout=15_000)


def test_keys_rest_while_one_writes_and_can_be_switched_off(visit, waiting):
    page = list_with_keys(visit)
    page.keyboard.press("c")
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.type("cjx")
    expect(page.get_by_label("Search")).to_have_value("cjx")
    page.get_by_text("Keys", exact=True).click()
    page.get_by_label("Single keys work").uncheck()
    page.reload()
    page.wait_for_load_state()
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="optimize_database")).not_to_be_focused()


def test_a_job_is_cancelled_in_portuguese_on_a_phone_by_touch(phone, waiting):
    phone.log_in()
    phone.page.get_by_label("Language and time zone").click()
    phone.page.get_by_role("button", name="Português Brasileiro").click()
    phone.open("admin:tasks_app_job_changelist")
    page = phone.page
    page.get_by_role("checkbox", name=f"Selecionar cleanup_cache {waiting[0]}").check()
    page.get_by_role("button", name="Cancelar").click()
    expect(page.get_by_role("heading", name="Cancelar 1 job?").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.get_by_role("button", name="Cancelar os jobs").click()
    expect(page.get_by_text("Ainda falta 1 job.")).to_be_visible()
