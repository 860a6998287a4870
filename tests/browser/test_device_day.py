"""A day of a device in a real browser: replayed, jumped to a time, with mouse and keyboard, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect

from notifications_app.models import NotificationPreference
from tasks_app.models import Event, EventKind
from tests.browser.test_admin import Visit, browser, visit_of  # noqa: F401 - a fixture
from tests.support.reports import ELEVEN, drive
from tests.support.web import WebServer, running_web, session_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def web(django_db_setup, tmp_path_factory) -> Iterator[WebServer]:
    with running_web(tmp_path_factory.mktemp("web")) as server:
        yield server


@pytest.fixture
def driven(device, operator):
    """Van 1 drove from eleven to ten past eleven, and from three to ten past three."""
    NotificationPreference.objects.create(user=operator, language="en", time_zone="America/Sao_Paulo")
    drive(device)
    drive(device, start=ELEVEN + timedelta(hours=4), west=-45.9)
    Event.objects.create(
        device=device,
        kind=EventKind.OVERSPEED,
        occurred_at=ELEVEN + timedelta(hours=4, minutes=2),
        data={
            "speed_limit_kph": 60,
            "peak_kph": 66.8,
            "ended_at": (ELEVEN + timedelta(hours=4, minutes=9)).isoformat(),
        },
    )
    return device


def entered(visit: Visit, user: object) -> Visit:
    cookie = {"name": "sessionid", "value": session_of(user), "url": visit.base_url}
    visit.page.context.add_cookies([{**cookie, "httpOnly": True, "sameSite": "Lax"}])
    return visit


@pytest.fixture
def desk(browser: Browser, web, operator) -> Iterator[Visit]:  # noqa: F811
    for visit in visit_of(browser, web.url, width=1440):
        yield entered(visit, operator)


@pytest.fixture
def phone(browser: Browser, web, operator) -> Iterator[Visit]:  # noqa: F811
    for visit in visit_of(browser, web.url, width=360, color_scheme="dark"):
        yield entered(visit, operator)


def test_a_day_is_replayed_and_jumped_to_three_o_clock(desk, driven):
    page = desk.page
    page.goto(f"{desk.base_url}/devices/{driven.pk}/day/?date=2026-03-02")
    readout = page.locator("[data-readout]")
    expect(readout).to_contain_text("10:39:00")
    page.get_by_label("At", exact=True).fill("15:02:30")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("status").first).to_contain_text("Between the positions of 15:02:00 and 15:03:00")
    expect(readout).to_contain_text("15:02:30 · 67 km/h")
    page.locator("[data-rate]").select_option("64×")
    page.get_by_role("button", name="Play").click()
    expect(readout).to_contain_text("00:00:00", timeout=30_000)
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    before = readout.text_content()
    slider = page.get_by_label("Time of the day")
    slider.press("ArrowLeft")
    expect(readout).not_to_have_text(before)
    slider.press("-")
    expect(page.locator("[data-rate]")).to_have_value("32")
    page.get_by_role("link", name="11:00:00 – 11:10:00").click()
    expect(readout).to_contain_text("11:00:00")
    page.get_by_role("link", name="Previous day").click()
    expect(page.get_by_text("No positions are stored of this day.")).to_be_visible()


def test_a_day_fits_a_phone(phone, driven):
    phone.page.goto(f"{phone.base_url}/devices/{driven.pk}/day/?date=2026-03-02&at=15:05")
    expect(phone.page.locator("[data-readout]")).to_contain_text("15:05:00")
    extra = phone.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert extra == 0
