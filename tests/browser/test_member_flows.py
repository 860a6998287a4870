"""Members in a real browser, with a real cluster behind: a geofence drawn by touch and driven into, all that a role may."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect
from rest_framework.test import APIClient

from notifications_app.models import Notification, NotificationPreference
from reports_app.models import Report, ReportState
from tasks_app.models import Device, Event, EventKind, FleetMembership, FleetRole, Geofence
from tasks_app.queries.jobs import list_workers
from tests.browser.test_admin import Visit, browser, visit_of  # noqa: F401 - a fixture
from tests.browser.test_geofence_editor import holds, wait_for_vehicles
from tests.browser.test_live_map import drive, enter, web  # noqa: F401 - a fixture
from tests.support.cluster import running_cluster, wait_until
from tests.support.notifications import make_rule

pytestmark = pytest.mark.django_db(transaction=True)
PLACE = (-23.55, -46.63)


@pytest.fixture
def manager(fleet, make_user):
    user = make_user(username="mara")
    FleetMembership.objects.create(user=user, fleet=fleet, role=FleetRole.MANAGER)
    return user


@pytest.fixture
def cluster(tmp_path, web) -> Iterator[None]:  # noqa: F811
    names = ("positions", "notifications", "reports")
    queues = [part for name in names for part in ("--name", name)]
    with running_cluster(tmp_path, *queues, "--workers", "1"):
        wait_until(lambda: len(list_workers()) == len(names), what="a worker of each queue")
        yield


@pytest.fixture
def hand(browser: Browser, web, manager, device) -> Iterator[Visit]:  # noqa: F811
    """Mara, a manager, with a phone that she touches."""
    drive(device)
    for visit in visit_of(browser, web.url, width=390, has_touch=True, is_mobile=True):
        yield enter(visit, manager)


def tap(page: Page, x: float, y: float) -> None:
    """Touch the map at this share of its width and height."""
    box = page.locator("#area-map").bounding_box()
    page.touchscreen.tap(box["x"] + x * box["width"], box["y"] + y * box["height"])


def drag_by_touch(page: Page, x: float, y: float, to_x: float, to_y: float) -> None:
    """Move a finger, as the browser's own touch emulation does."""
    session = page.context.new_cdp_session(page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": one, "y": other} for one, other in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    send("touchStart", (x, y))
    for step in range(1, 11):
        send("touchMove", (x + (to_x - x) * step / 10, y + (to_y - y) * step / 10))
    send("touchEnd")


def report_fixes(user: object, device: Device, *places: tuple[float, float]) -> None:
    """Send positions as a program does, a second apart, until now."""
    api, now = APIClient(), datetime.now(UTC)
    api.force_authenticate(user)
    fixes = [
        {
            "device_id": device.unique_id,
            "timestamp": (now - timedelta(seconds=len(places) - number)).isoformat(),
            "latitude": latitude,
            "longitude": longitude,
            "speed": 30,
        }
        for number, (latitude, longitude) in enumerate(places)
    ]
    answer = api.post("/api/tasks/position/process-batch", fixes, format="json")
    assert answer.status_code == 202, answer.json()


def test_a_geofence_is_drawn_by_touch_driven_into_and_its_alert_read(
    hand, cluster, manager, fleet, device, make_device
):
    page = hand.page
    make_rule(fleet, [manager], kinds=[EventKind.GEOFENCE_ENTER], channels=["in_app"], name="Arrivals")
    hand.open("pages:geofence_add")
    page.get_by_label("Name").fill("Yard")
    wait_for_vehicles(page)
    page.get_by_role("button", name="Polygon").tap()
    page.locator("#area-map").scroll_into_view_if_needed()
    for x, y in ((0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7)):
        tap(page, x, y)
    page.get_by_role("button", name="Finish").tap()
    points = page.get_by_role("button", name="Point", exact=True)
    expect(points).to_have_count(4)
    before = page.get_by_label("Area", exact=True).input_value()
    page.locator("#area-map").scroll_into_view_if_needed()
    box = points.first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    drag_by_touch(page, x, y, x - 40, y - 30)
    expect(page.get_by_label("Area", exact=True)).not_to_have_value(before)
    page.get_by_role("button", name="Save").tap()
    expect(page.get_by_text("Yard was saved.")).to_be_visible()
    geofence = Geofence.objects.get()
    assert holds(geofence.area, *PLACE)

    other = make_device(name="Lorry")
    report_fixes(manager, other, (-23.9, -46.63), (-23.9, -46.6299))
    wait_until(lambda: hasattr(Device.objects.get(pk=other.pk), "state"), seconds=60)
    report_fixes(manager, other, PLACE, (PLACE[0], PLACE[1] + 0.00001))
    wait_until(lambda: Notification.objects.filter(user=manager).exists(), seconds=60)
    page.goto(f"{hand.base_url}/")
    page.get_by_role("link", name="Notifications").tap()
    expect(page.get_by_role("article")).to_contain_text("Lorry")
    expect(page.get_by_role("article")).to_contain_text("Yard")
    assert Event.objects.filter(kind=EventKind.GEOFENCE_ENTER, geofence=geofence, device=other).count() == 1


@pytest.fixture
def desk(browser: Browser, web, manager, device) -> Iterator[Visit]:  # noqa: F811
    drive(device)
    for visit in visit_of(browser, web.url, width=1440):
        yield enter(visit, manager)


def test_a_manager_goes_through_all_that_a_member_may(desk, cluster, manager, device, fleet):
    """From the overview to the map, a device's day, its settings, a report by a picker, own settings, sessions."""
    page = desk.page
    page.goto(f"{desk.base_url}/")
    for name in ("Map", "Devices", "Trips", "Events", "Reports", "Geofences", "Overview"):
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)

    page.get_by_role("link", name="Map", exact=True).click()
    page.locator(".tk-live-device").filter(has_text="Van 1").click()
    page.locator(".tk-live-popup").get_by_role("link", name="Device").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Van 1")
    expect(page.locator("[data-readout]")).to_contain_text(":")
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Name", exact=True).fill("Van one")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Van one")

    page.get_by_role("link", name="Day", exact=True).click()
    page.get_by_role("link", name="Its reports").click()
    page.get_by_role("link", name="Ask for a report").first.click()
    page.get_by_role("link", name="Every trip of a device").click()
    picker = page.get_by_role("combobox", name="Devices")
    picker.press_sequentially("one")
    page.get_by_role("option", name="Van one").click()
    expect(page.get_by_role("checkbox", name="Van one")).to_be_checked()
    page.get_by_role("combobox", name="Days").select_option("Today")
    page.get_by_role("button", name="Ask for report").click()
    expect(page.get_by_text("The report was asked for.")).to_be_visible()
    wait_until(lambda: Report.objects.get().state == ReportState.READY, seconds=60)
    page.reload()
    expect(page.get_by_role("link", name="PDF")).to_be_visible()

    page.get_by_label("Your account: mara").click()
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    assert NotificationPreference.objects.get(user=manager).theme == "dark"
    page.get_by_label("Your account: mara").click()
    page.get_by_role("link", name="Preferences").click()
    page.get_by_role("combobox", name="Language").select_option("pt-br")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Preferências")
    page.goto(f"{desk.base_url}/account/access/")
    expect(page.locator("main .tk-status")).to_have_count(1)
    page.goto(f"{desk.base_url}/devices/{device.pk}/")
    expect(page.get_by_text("Regras que o vigiam")).to_be_visible()
