"""A day of a device in a real browser: replayed, jumped to a time, with mouse and keyboard, on a desk and on a phone."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from notifications_app.models import NotificationPreference
from tasks_app.ingest.fix import Fix
from tasks_app.models import Event, EventKind
from tasks_app.services.positions.store import store_fixes
from tests.browser.test_admin import Visit, browser, visit_of  # noqa: F401 - a fixture
from tests.support.cluster import allowed
from tests.support.looks import BOTH
from tests.support.reports import ELEVEN, drive
from tests.support.web import WebServer, running_web, session_of

pytestmark = pytest.mark.django_db(transaction=True)
FIXES = 100_000


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


@pytest.mark.parametrize("look", BOTH, ids=str)
def test_a_day_is_replayed_and_jumped_to_three_o_clock(browser, web, operator, driven, look):  # noqa: F811
    NotificationPreference.objects.update(language=look.language)
    for visit in visit_of(browser, web.url, **look.options):
        replay(entered(visit, operator).page, f"{web.url}/devices/{driven.pk}/day/?date=2026-03-02", look.say)


def replay(page: Page, address: str, say: Callable[[str], str]) -> None:
    page.goto(address)
    readout = page.locator("[data-readout]")
    expect(readout).to_contain_text("10:39:00")
    page.get_by_label(say("At"), exact=True).fill("15:02:30")
    page.get_by_role("button", name=say("Show"), exact=True).click()
    expect(page.get_by_role("status").first).to_contain_text(re.compile(r"15:02:00 .+ 15:03:00"))
    expect(readout).to_contain_text("15:02:30 · 67 km/h")
    page.locator("[data-rate]").select_option("64×")
    page.get_by_role("button", name=say("Play")).click()
    expect(readout).to_contain_text("00:00:00", timeout=30_000)
    expect(page.get_by_role("button", name=say("Play"))).to_be_visible()
    before = readout.text_content()
    slider = page.get_by_label(say("Time of the day"))
    slider.press("ArrowLeft")
    expect(readout).not_to_have_text(before)
    slider.press("-")
    expect(page.locator("[data-rate]")).to_have_value("32")
    page.get_by_role("link", name="11:00:00 – 11:10:00").click()
    expect(readout).to_contain_text("11:00:00")
    page.get_by_role("link", name=say("Previous day")).click()
    expect(page.get_by_text(say("No positions are stored of this day."))).to_be_visible()


def test_a_day_fits_a_phone(phone, driven):
    phone.page.goto(f"{phone.base_url}/devices/{driven.pk}/day/?date=2026-03-02&at=15:05")
    expect(phone.page.locator("[data-readout]")).to_contain_text("15:05:00")
    extra = phone.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert extra == 0


@pytest.fixture
def crowded(device, operator):
    """Van 1 sent more than one fix each second of a day, on a long spiral."""
    NotificationPreference.objects.create(user=operator, language="en", time_zone="UTC")
    begin, now = datetime(2026, 3, 2, tzinfo=UTC), timezone.now()
    for first in range(0, FIXES, 5_000):
        numbers = range(first, first + 5_000)
        fixes = [
            Fix(
                device.unique_id,
                begin + timedelta(seconds=number * 0.86),
                -23.55 + number / FIXES * math.sin(number / 900),
                -46.63 + number / FIXES * math.cos(number / 900),
                speed_kph=60.0,
            )
            for number in numbers
        ]
        store_fixes(fixes, now)
    return device


def test_a_day_of_100_000_fixes_is_replayed_without_stutter(desk, crowded):
    page = desk.page
    with page.expect_response(lambda answer: "replay.json" in answer.url) as replay:
        page.goto(f"{desk.base_url}/devices/{crowded.pk}/day/?date=2026-03-02")
    body = replay.value.body()
    assert len(body) < 1_000_000
    assert json.loads(body)["fix_count"] == FIXES
    readout = page.locator("[data-readout]")
    expect(readout).to_contain_text("00:00:00")
    page.locator("[data-rate]").select_option("64×")
    page.get_by_role("button", name="Play").click()
    frames = page.evaluate(
        "() => new Promise((resolve) => { let count = 0; const end = performance.now() + 2000;"
        " const step = (now) => (now < end ? (count++, requestAnimationFrame(step)) : resolve(count));"
        " requestAnimationFrame(step); })"
    )
    assert frames >= 20 / allowed(1)
    page.get_by_role("button", name="Pause").click()
    page.get_by_label("At", exact=True).fill("12:00:00")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(readout).to_contain_text("12:00:00")


def test_a_jump_needs_no_seconds(desk, driven):
    desk.page.goto(f"{desk.base_url}/devices/{driven.pk}/day/?date=2026-03-02")
    jump = desk.page.get_by_label("At", exact=True)
    jump.press_sequentially("0300PM")
    expect(jump).to_have_value("15:00")
    jump.press("Enter")
    expect(desk.page.locator("[data-readout]")).to_contain_text("15:00:00")


def test_a_device_that_never_sent_anything_says_so(desk, device):
    desk.page.goto(f"{desk.base_url}/devices/{device.pk}/")
    expect(desk.page.get_by_text("None yet: it has sent nothing.")).to_be_visible()
    expect(desk.page.get_by_text("No positions are stored of this day.")).to_be_visible()
    expect(desk.page.get_by_role("button", name="Play")).to_have_count(0)


def test_a_device_that_sent_nothing_today_is_on_the_map_where_it_was_last(desk, driven):
    page = desk.page
    page.goto(f"{desk.base_url}/devices/{driven.pk}/")
    expect(page.get_by_text("The last position before is")).to_be_visible()
    page.wait_for_function("() => document.getElementById('device-last-map').trackerMap?.leaflet.getZoom() > 10")
    place = page.evaluate("() => document.getElementById('device-last-map').trackerMap.leaflet.getCenter()")
    assert (round(place["lat"], 2), round(place["lng"], 2)) == (0.0, -45.8)
    page.get_by_role("link", name="Show that day").click()
    expect(page.locator("[data-readout]")).to_contain_text("10:39:00")
