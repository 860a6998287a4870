"""The live map in a real browser: what moves is seen to move, by those who may see it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from tasks_app.ingest.fix import Fix
from tasks_app.models import Device, DeviceState, Event, EventKind, Fleet, FleetMembership, Geofence
from tasks_app.services import broadcast
from tasks_app.services.positions.store import store_fixes
from tests.browser.test_admin import Visit, browser, visit_of  # noqa: F401 - a fixture
from tests.support.cluster import wait_until
from tests.support.web import WebServer, running_web, session_of

pytestmark = pytest.mark.django_db(transaction=True)

LISTEN = """() => {
    window.messages = [];
    const socket = new WebSocket(`ws://${location.host}/ws/live/`);
    socket.onmessage = (event) => window.messages.push(event.data);
}"""


@pytest.fixture(scope="module")
def web(django_db_setup, tmp_path_factory) -> Iterator[WebServer]:
    with running_web(tmp_path_factory.mktemp("web")) as server:
        yield server


def enter(visit: Visit, user: object) -> Visit:
    """This user has a session in the visitor's browser."""
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session_of(user), "url": visit.base_url}
    visit.page.context.add_cookies([{**cookie, "httpOnly": True, "sameSite": "Lax"}])
    return visit


@pytest.fixture
def desk(browser: Browser, web, staff) -> Iterator[Visit]:  # noqa: F811
    for visit in visit_of(browser, web.url, width=1440):
        yield enter(visit, staff)


@pytest.fixture
def phone(browser: Browser, web, staff) -> Iterator[Visit]:  # noqa: F811
    for visit in visit_of(browser, web.url, width=360, color_scheme="dark"):
        yield enter(visit, staff)


def drive(*devices: Device, latitude: float = -23.55, speed_kph: float = 40.0) -> None:
    now = datetime.now(UTC)
    fixes = [
        Fix(one.unique_id, now, latitude + n / 500, -46.63 + n / 300, speed_kph=speed_kph, course_degrees=40.0 * n)
        for n, one in enumerate(devices)
    ]
    store_fixes(fixes, now)


def map_of(page: Page):
    return page.get_by_role("application")


def device_page(device: Device) -> str:
    return reverse("admin:tasks_app_device_change", args=[device.pk])


PIXEL_OF = """(place) => {
    const { leaflet } = document.querySelector('.tk-map').trackerMap;
    const { x, y } = leaflet.latLngToContainerPoint(place);
    return { x, y };
}"""


def follow_link_of_popup(page: Page, name: str) -> None:
    """Follow it by the keyboard: for a click that has to be tried again Playwright scrolls the map's box.

    Leaflet scrolls that back, at times between press and release.
    """
    page.locator(".tk-live-popup").get_by_role("link", name=name).press("Enter")


def click_at(page: Page, latitude: float, longitude: float) -> None:
    """Click on the map where this place is."""
    page.mouse.move(0, 0)
    map_of(page).click(position=page.evaluate(PIXEL_OF, [latitude, longitude]))


def row(page: Page, name: str):
    return page.get_by_role("region", name="Devices").get_by_role("button", name=name)


def test_what_moves_is_seen_to_move_without_reloading(desk, device, make_device):
    drive(device)
    parked = make_device(name="Parked")
    desk.page.goto(desk.base_url + "/admin/")
    desk.choose("Live map")
    expect(desk.page.get_by_role("status")).to_have_text("Live")
    expect(row(desk.page, "Van 1")).to_contain_text("40 km/h")
    expect(row(desk.page, "Parked")).to_contain_text("Unknown")
    drive(device, latitude=-23.56, speed_kph=72)
    expect(row(desk.page, "Van 1")).to_contain_text("72 km/h")
    drive(parked)
    expect(row(desk.page, "Parked")).to_contain_text("Online")


# Messages wait until the geofences are there.
LATE = """() => {
    const isShown = () => document.getElementById("live-map")?.trackerMap?.geofences.bounds().isValid();
    window.WebSocket = class extends WebSocket {
        set onmessage(take) {
            super.onmessage = async (event) => {
                while (!isShown()) await new Promise(requestAnimationFrame);
                take(event);
            };
        }
    };
}"""


def test_it_begins_with_the_devices_though_the_geofences_were_there_before(desk, fleet, device):
    area = {"type": "Circle", "coordinates": [10.0, 50.0], "radius_meters": 100}
    Geofence.objects.create(fleet=fleet, name="Far away", area=area)
    drive(device)
    desk.page.add_init_script(f"({LATE})()")
    desk.open("live_map")
    desk.page.wait_for_function("() => document.querySelector('.tk-map').trackerMap.leaflet.getCenter().lng < -46")


def test_an_event_appears_when_it_happens(desk, device):
    DeviceState.objects.create(device=device, status="offline")
    desk.open("live_map")
    expect(desk.page.get_by_text("Nothing happened in the last day.")).to_be_visible()
    drive(device)
    events = desk.page.get_by_role("region", name="Events")
    expect(events.get_by_role("listitem")).to_contain_text(["Device back online"])
    expect(events.get_by_role("listitem")).to_contain_text(["Van 1"])


def test_a_device_is_chosen_and_the_map_moved_with_the_keyboard(desk, device, make_device):
    other = make_device(name="Truck 2")
    drive(device, other)
    desk.open("live_map")
    search = desk.page.get_by_label("Find a device")
    expect(row(desk.page, "Truck 2")).to_be_visible()
    search.fill("truck")
    expect(row(desk.page, "Van 1")).to_have_count(0)
    for field in (search, desk.page.get_by_label("Fleet"), desk.page.get_by_label("Status")):
        expect(field).to_be_focused()
        desk.page.keyboard.press("Tab")
    expect(row(desk.page, "Truck 2")).to_be_focused()
    desk.page.keyboard.press("Enter")
    expect(row(desk.page, "Truck 2")).to_have_attribute("aria-pressed", "true")
    popup = desk.page.locator(".leaflet-popup")
    expect(popup).to_contain_text("-23.54800, -46.62667")
    expect(popup.get_by_role("link", name="Device")).to_have_attribute("href", device_page(other))
    box = map_of(desk.page)
    box.focus()
    before = box.screenshot()
    desk.page.keyboard.press("ArrowRight")
    desk.page.keyboard.press("+")
    expect(box).to_be_focused()
    wait_until(lambda: box.screenshot() != before)


def test_what_moves_is_seen_to_move_on_the_map(desk, device):
    drive(device)
    desk.open("live_map")
    expect(row(desk.page, "Van 1")).to_be_visible()
    click_at(desk.page, -23.55, -46.63)
    popup = desk.page.locator(".leaflet-popup")
    expect(popup).to_contain_text("Van 1")
    before = popup.bounding_box()
    drive(device, latitude=-23.5501, speed_kph=33)
    expect(popup).to_contain_text("-23.55010, -46.63000")
    expect(popup).to_contain_text("33 km/h")
    wait_until(lambda: popup.bounding_box()["y"] > before["y"])


def test_filters_are_those_of_the_map_too_and_stand_in_the_address(desk, device, make_device):
    truck = make_device(name="Truck 2", fleet=Fleet.objects.create(name="Depot South"))
    drive(device, truck)
    desk.open("live_map")
    expect(row(desk.page, "Truck 2")).to_be_visible()
    desk.page.get_by_label("Fleet").select_option("Depot South")
    expect(row(desk.page, "Van 1")).to_have_count(0)
    assert f"fleet={truck.fleet_id}" in desk.page.url
    click_at(desk.page, -23.55, -46.63)
    expect(desk.page.locator(".leaflet-popup")).to_have_count(0)
    click_at(desk.page, -23.548, -46.63 + 1 / 300)
    expect(desk.page.locator(".leaflet-popup")).to_contain_text("Truck 2")
    desk.page.reload()
    expect(row(desk.page, "Truck 2")).to_be_visible()
    expect(row(desk.page, "Van 1")).to_have_count(0)
    desk.page.get_by_label("Status").select_option("Standing")
    expect(desk.page.get_by_text("No device found.")).to_be_visible()


def test_a_device_is_followed_until_the_map_is_moved_by_hand(desk, device):
    drive(device)
    desk.open("live_map")
    row(desk.page, "Van 1").click()
    follow = desk.page.get_by_role("button", name="Follow Van 1")
    follow.click()
    drive(device, latitude=-23.60)
    box = map_of(desk.page).bounding_box()
    # The map has come to the device: while it still moves, the popup could lie under the mouse.
    wait_until(lambda: abs(desk.page.evaluate(PIXEL_OF, [-23.60, -46.63])["x"] - box["width"] / 2) < 2)
    wait_until(lambda: 0 < desk.page.evaluate(PIXEL_OF, [-23.60, -46.63])["y"] < box["height"])
    expect(follow).to_have_attribute("aria-pressed", "true")
    left, bottom = box["x"] + 60, box["y"] + box["height"] - 60
    desk.page.mouse.move(left, bottom)
    desk.page.mouse.down()
    desk.page.mouse.move(left + 60, bottom, steps=5)
    desk.page.mouse.up()
    expect(follow).to_have_attribute("aria-pressed", "false")


def test_the_popup_tells_the_nearest_geofence_and_the_last_events(desk, device):
    area = {"type": "Circle", "coordinates": [-46.63, -23.57], "radius_meters": 500}
    Geofence.objects.create(fleet=device.fleet, name="Depot gate", area=area)
    drive(device)
    Event.objects.create(device=device, kind=EventKind.OVERSPEED, occurred_at=datetime.now(UTC))
    desk.open("live_map")
    row(desk.page, "Van 1").click()
    popup = desk.page.locator(".leaflet-popup")
    expect(popup).to_contain_text("1.7 km from Depot gate")
    expect(popup.get_by_role("listitem")).to_contain_text(["Overspeed"])


@pytest.mark.parametrize("lie", ["abort", "nonsense"])
def test_a_tile_server_that_fails_or_lies_leaves_the_map_usable(browser, staff, device, tmp_path, lie):  # noqa: F811
    drive(device)
    with running_web(tmp_path, MAP_TILE_URL="https://tiles.example/{z}/{x}/{y}.png") as server:
        context = browser.new_context()
        visit = enter(Visit(context.new_page(), server.url), staff)
        answer = {
            "abort": lambda route: route.abort(),
            "nonsense": lambda route: route.fulfill(body="<html>No!</html>"),
        }
        visit.page.route("https://tiles.example/**", answer[lie])
        visit.open("live_map")
        expect(visit.page.get_by_text("The tile server does not answer")).to_be_visible()
        expect(row(visit.page, "Van 1")).to_be_visible()
        click_at(visit.page, -23.55, -46.63)
        expect(visit.page.locator(".leaflet-popup")).to_contain_text("Van 1")
        context.close()


def test_members_without_staff_rights_see_their_own_devices_on_their_map(browser, web, operator, device):  # noqa: F811
    elsewhere = Device.objects.create(fleet=Fleet.objects.create(name="Depot South"), unique_id="t", name="Truck 9")
    drive(device, elsewhere)
    for visit in visit_of(browser, web.url, width=360):
        enter(visit, operator)
        visit.open("pages:home")
        visit.page.get_by_role("link", name="Map").click()
        expect(row(visit.page, "Van 1")).to_be_visible()
        expect(row(visit.page, "Truck 9")).to_have_count(0)
        click_at(visit.page, -23.55, -46.63)
        expect(visit.page.locator(".leaflet-popup")).to_contain_text("40 km/h")
        follow_link_of_popup(visit.page, "Trips")
        expect(visit.page.get_by_label("Device", exact=True)).to_have_value("van-1")
        visit.page.go_back()
        extra = visit.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert extra == 0


def test_it_fits_a_phone_in_the_dark(phone, device, make_device):
    drive(device, *(make_device(name=f"A vehicle with a rather long name, number {n}") for n in range(5)))
    phone.open("live_map")
    expect(phone.page.get_by_role("status")).to_have_text("Live")
    row(phone.page, "Van 1").click()
    extra = phone.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert extra == 0


def test_a_link_of_the_popup_stays_under_the_finger_that_presses_it(desk, device):
    page = desk.page
    drive(device)
    desk.open("live_map")
    row(page, "Van 1").click()
    link = page.locator(".tk-live-popup a").first
    expect(link).to_be_visible()
    page.wait_for_load_state("networkidle")
    place = link.bounding_box()
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    page.mouse.down()
    drive(device, latitude=-23.551, speed_kph=55)
    expect(row(page, "Van 1")).to_contain_text("55 km/h")
    with page.expect_navigation():
        page.mouse.up()


PRESSED_WHILE_THE_MAP_MOVES = """() => {
  document.querySelector(".tk-live-device").click();
  const link = document.querySelector(".tk-live-popup a");
  const isMoving = link.closest(".leaflet-map-pane").classList.contains("leaflet-pan-anim");
  const late = performance.now() + 120;
  while (performance.now() < late);
  const before = link.getBoundingClientRect().y;
  link.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
  return [isMoving, before, link.getBoundingClientRect().y];
}"""


def test_a_link_stays_under_the_finger_though_the_map_is_moving_and_its_frames_are_late(phone, device):
    drive(device)
    phone.open("live_map")
    expect(row(phone.page, "Van 1")).to_be_visible()
    expect(phone.page.get_by_role("status")).to_have_text("Live")
    is_moving, before, after = phone.page.evaluate(PRESSED_WHILE_THE_MAP_MOVES)
    assert is_moving
    assert after == pytest.approx(before, abs=0.5)


def test_it_says_when_its_user_is_logged_out(desk, device):
    desk.open("live_map")
    expect(desk.page.get_by_role("status")).to_have_text("Live")
    # What the page asks for when it opens is answered while its user is logged in.
    desk.page.wait_for_load_state("networkidle")
    Session.objects.all().delete()
    expect(desk.page.get_by_role("status")).to_have_text("You are logged out.")
    desk.page.get_by_role("link", name="Log in", exact=True).click()
    expect(desk.page.locator("[name=password]")).to_be_visible()


def test_it_finds_back_when_the_server_was_away(browser, staff, device, tmp_path: Path):  # noqa: F811
    with running_web(tmp_path) as first:
        context = browser.new_context()
        visit = enter(Visit(context.new_page(), first.url), staff)
        visit.open("live_map")
        expect(visit.page.get_by_role("status")).to_have_text("Live")
    expect(visit.page.get_by_role("status")).to_have_text("Connection lost, trying again …")
    drive(device, speed_kph=55)
    with running_web(tmp_path, port=int(first.url.rsplit(":", 1)[1])):
        expect(visit.page.get_by_role("status")).to_have_text("Live", timeout=40_000)
        expect(row(visit.page, "Van 1")).to_contain_text("55 km/h")
        context.close()


def test_two_people_see_their_own_fleet_and_not_the_others(browser, web, operator, device, make_user):  # noqa: F811
    south = Fleet.objects.create(name="Depot South")
    bruno = make_user(username="bruno")
    FleetMembership.objects.create(user=bruno, fleet=south, role="viewer")
    truck = Device.objects.create(fleet=south, unique_id="truck-9", name="Truck 9")
    with_ana, with_bruno = visit_of(browser, web.url), visit_of(browser, web.url)
    ana, other = enter(next(with_ana), operator), enter(next(with_bruno), bruno)
    for visit in (ana, other):
        visit.open("admin:login")
        visit.page.evaluate(LISTEN)
        visit.page.wait_for_function("() => window.messages.length > 0")
    drive(device, truck)
    event = Event.objects.create(device=truck, kind=EventKind.OVERSPEED, occurred_at=datetime.now(UTC))
    broadcast.announce([], [event])
    ana.page.wait_for_function("() => window.messages.join().includes('-23.55')")
    other.page.wait_for_function("() => window.messages.join().includes('overspeed')")
    of_ana, of_bruno = (visit.page.evaluate("() => window.messages.join()") for visit in (ana, other))
    assert "Van 1" in of_ana
    assert "Depot North" in of_ana
    assert "Truck 9" in of_bruno
    assert "Depot South" in of_bruno
    assert not [word for word in ("Truck 9", "truck-9", "Depot South", "overspeed") if word in of_ana]
    assert not [word for word in ("Van 1", "van-1", "Depot North") if word in of_bruno]
    for visits in (with_ana, with_bruno):
        next(visits, None)


def test_the_popup_of_a_chosen_device_is_seen_whole_though_its_earlier_events_come_later(desk, device):
    drive(device)
    for minute in range(3):
        at = datetime.now(UTC) - timedelta(days=2, minutes=minute)
        Event.objects.create(device=device, kind=EventKind.IGNITION_ON, occurred_at=at)
    desk.page.set_viewport_size({"width": 1440, "height": 500})
    desk.open("live_map")
    row(desk.page, "Van 1").click()
    popup = desk.page.locator(".leaflet-popup")
    expect(popup.get_by_role("listitem")).to_have_count(3)
    wait_until(lambda: popup.bounding_box()["y"] >= map_of(desk.page).bounding_box()["y"])
