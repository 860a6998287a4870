"""Jobs in a real browser: found by the name of a van, run again with another argument, cancelled after a count."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tasks_app.engine import get_task
from tasks_app.models import Job
from tests.browser.test_admin import browser as browser
from tests.browser.test_admin import visit as visit

pytestmark = pytest.mark.django_db(transaction=True)


def make_report(device_id: int, **fields) -> Job:
    usual = {"id": uuid4(), "task": "generate_device_report", "queue": "reports", "state": "succeeded"}
    arguments = {"device_id": device_id, "start": "2026-01-01", "end": "2026-01-02"}
    at = fields.pop("at", timezone.now())
    return Job.objects.create(**{**usual, "kwargs": arguments, "created_at": at, "finished_at": at, **fields})


def test_the_job_of_a_van_of_yesterday_is_found_by_its_name(visit, make_device):
    van, other = make_device(name="Van 03"), make_device(name="Van 04")
    yesterday = timezone.localtime().replace(hour=12) - timedelta(days=1)
    wanted = make_report(van.pk, at=yesterday)
    make_report(van.pk)
    make_report(other.pk, at=yesterday)
    visit.log_in()
    visit.choose("Jobs")
    visit.page.get_by_label("Search").focus()
    visit.page.keyboard.type("dev")
    visit.page.get_by_role("option", name="device:").click()
    visit.page.keyboard.type("Van")
    visit.page.get_by_role("option", name="Van 03").click()
    visit.page.keyboard.type("after:yesterday before:today")
    visit.page.keyboard.press("Enter")
    region = visit.page.get_by_role("region", name="Jobs")
    expect(region.get_by_role("link", name="generate_device_report")).to_have_count(1)
    region.get_by_role("link", name="generate_device_report").click()
    expect(visit.page.get_by_text(str(wanted.pk))).to_be_visible()


def test_a_failed_job_is_run_again_with_another_argument(visit, make_device):
    failed = make_report(make_device().pk, state="failed", error_class="ValueError", error_message="no such kind")
    visit.log_in()
    visit.open("admin:tasks_app_job_change", failed.pk)
    expect(visit.page.get_by_text("no such kind")).to_be_visible()
    visit.page.get_by_role("link", name="Run with other arguments").click()
    visit.page.locator("[name=arg-kind]").focus()
    visit.page.keyboard.press("Control+A")
    visit.page.keyboard.type("trips")
    visit.page.get_by_role("button", name="Start").first.click()
    expect(visit.page.get_by_text("The task generate_device_report was started.")).to_be_visible()
    expect(visit.page.locator("#arguments")).to_contain_text('"trips"')
    expect(visit.page.locator("#arguments")).to_contain_text('"2026-01-01')


def test_all_that_match_are_cancelled_after_their_number_was_shown(visit):
    for _ in range(3):
        get_task("cleanup_cache").delay()
    get_task("optimize_database").delay()
    visit.log_in()
    visit.choose("Jobs")
    visit.page.get_by_label("Search").fill("task:cleanup_cache state:queued")
    visit.page.keyboard.press("Escape")
    visit.page.keyboard.press("Enter")
    visit.page.get_by_role("link", name="Cancel all").click()
    expect(visit.page.get_by_role("heading", name="Cancel 3 jobs?").first).to_be_visible()
    visit.page.get_by_role("button", name="Cancel the jobs").click()
    expect(visit.page.get_by_text("3 jobs were cancelled.")).to_be_visible()
    assert set(Job.objects.values_list("task", "state")) == {("cleanup_cache", "cancelled")}
