"""Scheduling a task in a real browser: pickers by keyboard, sentences beside fields, a run that is watched and cancelled."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from django_q.models import Schedule
from playwright.sync_api import Locator, Page, expect

from reports_app.models import Report
from tasks_app.engine import JobState
from tasks_app.models import Job
from tasks_app.queries.access import SHELL
from tasks_app.queries.jobs import JobFilters, list_jobs
from tasks_app.services.schedules.actions import run_due_schedules
from tests.browser.test_admin import Visit, browser, scriptless, seen, visit
from tests.support.cluster import running_cluster
from tests.support.looks import DESK, PHONE

__all__ = ["browser", "scriptless", "seen", "visit"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def vans(make_device) -> list:
    return [make_device(unique_id=f"van-{number}", name=f"Van {number:02d}") for number in range(1, 16)]


def suggestions(page: Page) -> Locator:
    return page.locator(".tk-options:not([hidden]) [role=option]")


def labelled(page: Page, text: str) -> Locator:
    """Return the input with exactly this label, which may be marked as required."""
    return page.get_by_label(re.compile(rf"^\s*{text}\s*\*?\s*$"))


def pick_with_keys(page: Page, label: str, text: str, suggestion: str) -> None:
    """Choose the first suggestion with the keyboard alone."""
    box = page.get_by_role("combobox", name=label)
    box.focus()
    page.keyboard.type(text)
    expect(suggestions(page).first).to_contain_text(suggestion)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(suggestions(page)).to_have_count(0)


def fill_in_a_report_of_each_day(visit: Visit, say: Callable[[str], str]) -> None:
    visit.open("admin:tasks_app_job_start_task", "generate_device_report")
    page = visit.page
    pick_with_keys(page, say("Device"), "13", "Van 13")
    labelled(page, say("Time range")).select_option("yesterday")
    expect(labelled(page, say("From"))).to_be_hidden()
    labelled(page, say("On a schedule")).check()
    labelled(page, say("Name")).fill("Van 13, each day")
    labelled(page, say("Repeat")).select_option("C")
    labelled(page, say("Cron expression")).fill("5 0 * * *")


@pytest.mark.parametrize(("look", "sentence"), [(DESK, "At 00:05 ·"), (PHONE, "Às 00:05 ·")], ids=str)
def test_a_report_is_scheduled_with_pickers_watched_and_cancelled(seen, look, sentence, vans, tmp_path):
    visit, page, say = seen, seen.page, look.say
    visit.log_in()
    fill_in_a_report_of_each_day(visit, say)
    expect(page.get_by_text(sentence)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= look.width
    page.get_by_role("button", name=say("Add the schedule")).click()
    expect(page.get_by_text("Van 13, each day”")).to_be_visible()
    assert "'start': 'yesterday'" in Schedule.objects.get().kwargs
    expect(page.get_by_role("combobox", name=say("Device"))).to_have_value(
        f"Van 13 · {vans[12].fleet.name} #{vans[12].pk}"
    )

    # Its first run ends while the page of the job is open.
    Schedule.objects.update(next_run=timezone.now() - timedelta(seconds=1))
    run_due_schedules(timezone.now())
    page.reload()
    page.locator("a[href*='/tasks_app/job/'][href$='/change/']").first.click()
    expect(page.get_by_text(say("Queued"), exact=True).first).to_be_visible()
    with running_cluster(tmp_path, "--name", "reports", "--workers", "1"):
        expect(page.get_by_text(say("Succeeded"), exact=True).first).to_be_visible(timeout=60_000)
    report = Report.objects.get()
    assert (report.device_id, report.range_end - report.range_start) == (vans[12].pk, timedelta(days=1))

    # The next one is started by hand, and cancelled while it waits.
    visit.open("admin:django_q_schedule_change", Schedule.objects.get().pk)
    expect(page.get_by_role("list", name=say("Last results"))).to_contain_text("✓")
    page.get_by_role("button", name=say("Run now")).click()
    page.get_by_role("link", name=say("Cancel"), exact=True).click()
    page.get_by_role("button", name=say("Cancel the job")).click()
    expect(page.get_by_text(say("The job was cancelled."))).to_be_visible()
    assert Job.objects.filter(state="cancelled").count() == 1


def test_wrong_input_is_said_beside_its_field_while_typing(visit, vans):
    visit.log_in()
    visit.open("admin:tasks_app_job_start_task", "generate_device_report")
    page = visit.page
    page.get_by_role("combobox", name="Device").fill("Van 99 </script>")
    labelled(page, "From").fill("2026-11-28T10:00")
    labelled(page, "Until").fill("2026-11-27T10:00")
    beside = page.locator("[data-field=arg-end] .tk-field-errors")
    expect(page.locator("[data-field=arg-device_id] .tk-field-errors")).to_contain_text(
        "Nothing is called “Van 99 </script>”"
    )
    page.get_by_role("combobox", name="Device").fill("Van 03")
    expect(beside).to_have_text("The end must be after the start.")
    labelled(page, "Until").fill("2026-11-29T10:00")
    expect(beside).to_have_text("")
    expect(page.locator("[data-field=arg-kind] .tk-field-errors")).to_have_text("")


def test_the_form_works_without_a_script(scriptless, vans):
    scriptless.log_in()
    scriptless.open("admin:tasks_app_job_start_task", "generate_fleet_report")
    page = scriptless.page
    page.get_by_label("Time range").select_option("last week")
    labelled(page, "Devices").fill("Van 03, van-4")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("was started")).to_be_visible()
    (job,) = list_jobs(user=SHELL, filters=JobFilters(), limit=5).jobs
    assert (job.state, job.kwargs["device_ids"]) == (JobState.QUEUED, [vans[2].pk, vans[3].pk])


def test_the_time_zone_is_found_by_typing(visit):
    visit.log_in()
    row = Schedule.objects.create(func="cleanup_expired_sessions", schedule_type="D")
    visit.open("admin:django_q_schedule_change", row.pk)
    zone = labelled(visit.page, "Time zone")
    assert visit.page.locator("#zones option[value='America/Sao_Paulo']").count() == 1
    zone.fill("America/Nowhere")
    expect(visit.page.locator("[data-field=when-time_zone] .tk-field-errors")).to_contain_text(
        "is not a known time zone"
    )
    zone.fill("America/Sao_Paulo")
    visit.page.get_by_role("button", name="Save").click()
    expect(visit.page.get_by_text("was saved")).to_be_visible()
    row.refresh_from_db()
    assert row.state.time_zone == "America/Sao_Paulo"
    assert reverse("admin:django_q_schedule_change", args=[row.pk]) in visit.page.url
