"""Pages that keep themselves fresh (live.js): what their reader does stays, and what is old says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.sessions.models import Session
from django.urls import reverse
from playwright.sync_api import Page, Route, expect

from reports_app.models import Report
from tasks_app.engine import get_task
from tests.browser.test_admin import Visit
from tests.browser.test_admin import browser as browser
from tests.browser.test_admin import visit as visit
from tests.support.probe.tasks import probe_fail

pytestmark = pytest.mark.django_db(transaction=True)

MARK = "() => { document.querySelector('[data-live]').dataset.mark = 'old'; }"
ASK = "() => document.dispatchEvent(new Event('tracker:changed'))"


def wait_until_fresh(page: Page) -> None:
    page.evaluate(MARK)
    page.evaluate(ASK)
    page.wait_for_function("() => !document.querySelector('[data-live]').dataset.mark")


SCROLLED = """() => {
    const { scrollLeft, scrollTop } = document.querySelector("#arguments pre");
    return [scrollLeft, scrollTop];
}"""


def test_what_is_scrolled_and_folded_stays_as_its_reader_left_it(visit, run_jobs):
    job_id = probe_fail.delay("a long text " * 2000)
    run_jobs()
    visit.log_in()
    visit.open("admin:tasks_app_job_change", job_id)
    page = visit.page
    attempt = page.locator("details#attempt-1")
    expect(attempt).to_have_attribute("open", "")
    attempt.evaluate("(node) => { node.open = false; }")
    page.evaluate("() => document.querySelector('#arguments pre').scrollTo(90, 90)")
    before = page.evaluate(SCROLLED)
    assert any(before)
    wait_until_fresh(page)
    assert page.evaluate(SCROLLED) == before
    expect(attempt).not_to_have_attribute("open", "")


def stop_the_clock(page: Page) -> None:
    """Let the page ask for nothing any more because it is time."""
    page.evaluate("() => { for (let id = setInterval(() => 0, 1e6); id; id -= 1) clearInterval(id); }")


def hold(visit: Visit, job_id: object) -> list[Route]:
    """Hold the answers to what the page of the job asks for from now on."""
    held: list[Route] = []

    def keep(route: Route) -> None:
        held.append(route)

    visit.page.route(f"**{reverse('admin:tasks_app_job_change', args=[job_id])}", keep)
    return held


def test_a_page_says_when_its_answer_does_not_come_or_what_it_shows_is_gone(visit):
    visit.page.add_init_script(
        "AbortSignal.timeout = ((usual) => (ms) => usual.call(AbortSignal, ms / 50))(AbortSignal.timeout)"
    )
    job_id = get_task("cleanup_cache").apply_async(countdown=900)
    visit.log_in()
    visit.open("admin:tasks_app_job_change", job_id)
    trouble = visit.page.locator("[data-live-trouble]")
    hold(visit, job_id)
    expect(trouble).to_have_text("Connection lost, trying again …")
    visit.page.unroute_all()
    expect(trouble).to_have_text("")
    visit.page.route("**/job/**", lambda route: route.fulfill(status=404))
    expect(trouble).to_have_text("This is no longer there, or you may no longer see it.")
    visit.troubles.clear()


def test_a_page_whose_reader_is_logged_out_asks_again_when_they_come_back(visit):
    """It asked every few seconds for as long as it was open, and was answered with the page to log in."""
    job_id = get_task("cleanup_cache").apply_async(countdown=900)
    visit.page.clock.install()
    visit.log_in()
    visit.open("admin:tasks_app_job_change", job_id)
    Session.objects.all().delete()
    visit.page.clock.run_for(3_000)
    trouble = visit.page.locator("[data-live-trouble]")
    expect(trouble).to_have_text("You are logged out.")
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    visit.page.clock.run_for(120_000)
    assert asked == []
    with visit.page.expect_request("**/job/**"):
        visit.page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")


def test_what_changes_while_an_answer_is_awaited_is_asked_for_again(visit):
    job_id = get_task("cleanup_cache").apply_async(countdown=900)
    visit.log_in()
    visit.open("admin:tasks_app_job_change", job_id)
    stop_the_clock(visit.page)
    held = hold(visit, job_id)
    with visit.page.expect_request("**/job/**"):
        visit.page.evaluate(ASK)
    visit.page.evaluate(ASK)
    with visit.page.expect_request("**/job/**"):
        held[0].continue_()


@pytest.mark.parametrize(
    "back", ["document.dispatchEvent(new Event('visibilitychange'))", "window.dispatchEvent(new Event('online'))"]
)
def test_who_comes_back_to_a_page_sees_it_fresh_at_once(visit, back):
    job_id = get_task("cleanup_cache").apply_async(countdown=900)
    visit.log_in()
    visit.open("admin:tasks_app_job_change", job_id)
    stop_the_clock(visit.page)
    with visit.page.expect_request("**/job/**"):
        visit.page.evaluate(f"() => {{ {back}; }}")


def test_reports_can_be_ticked_in_a_list_that_renewed_itself(visit, device):
    day = datetime(2026, 1, 10, tzinfo=UTC)
    reports = [
        Report.objects.create(
            kind="trips", device=device, range_start=day, range_end=day + timedelta(days=n), state="running"
        )
        for n in (1, 2)
    ]
    visit.log_in()
    visit.open("admin:reports_app_report_changelist")
    page = visit.page
    Report.objects.filter(pk=reports[0].pk).update(state="failed")
    expect(page.locator("#result_list")).to_contain_text("Failed")
    page.locator("#action-toggle").check()
    expect(page.locator("input.action-select:checked")).to_have_count(2)
    expect(page.locator(".action-counter")).to_contain_text("2 of 2 selected")
    # What comes while some are ticked waits; then the list has it.
    new = Report.objects.create(kind="stops", device=device, range_start=day, range_end=day + timedelta(days=1))
    page.locator("#action-toggle").uncheck()
    page.evaluate("() => document.activeElement.blur()")
    expect(page.locator(f"input.action-select[value='{new.pk}']")).to_have_count(1)
