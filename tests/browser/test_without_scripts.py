"""Lists and forms without JavaScript: found by a filter, paged through, saved, refused and cancelled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from tasks_app.engine import JobState, get_task
from tasks_app.models import Device, FleetMembership, FleetRole
from tasks_app.queries.jobs import find_job
from tests.browser.test_admin import PASSWORD, Visit, visit_of
from tests.browser.test_admin import browser as browser
from tests.browser.test_admin import scriptless as scriptless

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def manager(browser, live_server, make_user, fleet) -> Iterator[Visit]:
    """Mia, a manager, whose browser runs no script."""
    FleetMembership.objects.create(user=make_user(username="mia"), fleet=fleet, role=FleetRole.MANAGER)
    yield from visit_of(browser, live_server.url, java_script_enabled=False)


@pytest.fixture
def many(fleet) -> list[Device]:
    return Device.objects.bulk_create(
        Device(fleet=fleet, unique_id=f"d-{n:03}", name=f"Van {n:03}") for n in range(120)
    )


def focused(page: Page) -> str:
    """The name of the control in which the keyboard is when the page opens."""
    return page.locator("[autofocus]").get_attribute("name")


def test_a_manager_pages_filters_and_saves(manager, many):
    page = manager.page
    manager.open("pages:devices")
    assert focused(page) == "username"
    page.fill("[name=username]", "mia")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("120 devices")).to_be_visible()
    expect(page.get_by_role("link", name="Van 000")).to_be_visible()
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_role("link", name="Van 000")).to_have_count(0)
    page.get_by_label("Search").fill("van 077")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 device", exact=True)).to_be_visible()
    page.get_by_role("link", name="Van 077").click()
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Speed limit").fill("900")
    page.get_by_role("button", name="Save").click()
    assert focused(page) == "speed_limit_kph"
    expect(page.get_by_role("alert")).to_contain_text("500")
    page.get_by_label("Speed limit").fill("80")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The settings were saved.")).to_be_visible()
    assert Device.objects.get(name="Van 077").speed_limit_kph == 80


def test_staff_page_filter_save_and_cancel(scriptless, staff, many):
    waiting = [get_task("cleanup_expired_sessions").delay() for _ in range(60)]
    page = scriptless.page
    scriptless.log_in()
    scriptless.open("admin:tasks_app_device_changelist")
    expect(page.get_by_role("link", name="Van 024")).to_be_visible()
    expect(page.get_by_role("link", name="Van 025")).to_have_count(0)
    page.get_by_role("link", name="2", exact=True).first.click()
    page.get_by_role("link", name="Van 025").click()
    page.locator("[name=name]").fill("Lorry")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert Device.objects.filter(name="Lorry").exists()

    page.goto(f"{scriptless.base_url}{reverse('admin:tasks_app_job_changelist')}?state=queued")
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="Newest")).to_be_visible()
    expect(page.get_by_role("link", name="Older")).to_have_count(0)
    page.get_by_label("Search").fill("queue:reports")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("No jobs here.")).to_be_visible()
    scriptless.open("admin:tasks_app_job_cancel", waiting[0])
    assert focused(page) == "reason"
    page.locator("[name=reason]").fill("not today")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The job was cancelled.")).to_be_visible()
    assert find_job(waiting[0], user=staff).state is JobState.CANCELLED
