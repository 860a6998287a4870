"""The live map while devices, fleets and rights change beneath it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tasks_app.ingest.fix import Fix
from tasks_app.models import Device, Event, EventKind, Fleet, FleetMembership, Geofence
from tasks_app.services.positions.store import store_fixes
from tests.browser.test_admin import browser as browser
from tests.browser.test_admin import visit_of
from tests.browser.test_live_map import desk as desk
from tests.browser.test_live_map import drive, enter, row
from tests.browser.test_live_map import web as web

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_device_that_goes_to_another_fleet_of_its_reader_stays_with_its_events(desk, device, make_device):
    drive(device)
    Event.objects.create(device=device, kind=EventKind.OVERSPEED, occurred_at=datetime.now(UTC))
    desk.open("live_map")
    events = desk.page.get_by_role("region", name="Events").get_by_role("listitem")
    expect(events).to_contain_text(["Van 1"])
    Device.objects.filter(pk=device.pk).update(fleet=Fleet.objects.create(name="Depot South"), name="Van of the south")
    # The database is asked as soon as something new is heard of.
    drive(make_device(name="Brand new"))
    expect(row(desk.page, "Brand new")).to_be_visible()
    expect(row(desk.page, "Van of the south")).to_be_visible()
    expect(events).to_have_count(1)
    expect(events).to_contain_text(["Van of the south"])


def test_geofences_are_those_of_the_fleets_that_one_sees_at_this_time(browser, web, operator, device):
    drive(device)
    area = {"type": "Circle", "coordinates": [-46.63, -23.57], "radius_meters": 500}
    Geofence.objects.create(fleet=device.fleet, name="Depot gate", area=area)
    shows = "() => document.querySelector('.tk-map').trackerMap.geofences.bounds().isValid() === "
    for visit in visit_of(browser, web.url):
        enter(visit, operator)
        visit.open("pages:map")
        visit.page.wait_for_function(f"{shows} true")
        expect(row(visit.page, "Van 1")).to_be_visible()
        FleetMembership.objects.all().delete()
        visit.page.wait_for_function(f"{shows} false")
        expect(row(visit.page, "Van 1")).to_have_count(0)


NAMES = """() => {
    const names = [];
    const nameOf = (layer) => layer.getTooltip?.()?.getContent().textContent;
    document.querySelector(".tk-map").trackerMap.leaflet.eachLayer((layer) => names.push(nameOf(layer)));
    return names.filter(Boolean).sort().join();
}"""


def test_an_open_map_shows_what_is_made_changed_and_deleted(desk, device, fleet):
    """Well before the database is read again by itself, every 30 s."""
    drive(device)
    desk.open("live_map")
    expect(row(desk.page, "Van 1")).to_be_visible()
    area = {"type": "Circle", "coordinates": [-46.63, -23.57], "radius_meters": 500}
    shows = f"names => ({NAMES})() === names"
    gate = Geofence.objects.create(fleet=fleet, name="Gate", area=area)
    new = Device.objects.create(fleet=fleet, unique_id="new-1", name="Brand new")
    desk.page.wait_for_function(shows, arg="Gate")
    expect(row(desk.page, "Brand new")).to_be_visible()
    gate.name, device.name = "Yard", "Renamed"
    gate.save()
    device.save()
    new.delete()
    desk.page.wait_for_function(shows, arg="Yard")
    expect(row(desk.page, "Renamed")).to_be_visible()
    expect(row(desk.page, "Brand new")).to_have_count(0)
    gate.delete()
    desk.page.wait_for_function(shows, arg="")


@pytest.mark.parametrize("hours", [-1, 1])
def test_ages_are_right_where_the_clock_of_the_reader_or_of_a_tracker_is_wrong(desk, device, make_device, hours):
    now = datetime.now(UTC)
    hasty = make_device(name="Hasty")
    for one, minutes in ((device, -20), (hasty, 5)):
        store_fixes([Fix(one.unique_id, now + timedelta(minutes=minutes), -23.55, -46.63)], now)
    desk.page.clock.set_system_time(now + timedelta(hours=hours))
    desk.open("live_map")
    expect(row(desk.page, "Van 1")).to_contain_text("20m ago")
    expect(row(desk.page, "Hasty")).to_contain_text("0s ago")


def test_the_focus_stays_on_a_device_when_one_before_it_goes(desk, device, make_device):
    last = make_device(name="Van 2")
    drive(device, last)
    desk.open("live_map")
    row(desk.page, "Van 2").focus()
    device.delete()
    drive(make_device(name="Van 0"))
    expect(row(desk.page, "Van 0")).to_be_visible()
    expect(row(desk.page, "Van 1")).to_have_count(0)
    expect(row(desk.page, "Van 2")).to_be_focused()


def test_a_fleet_on_both_sides_of_the_180th_meridian_is_shown_together(desk, device, make_device):
    now = datetime.now(UTC)
    other = make_device(name="Van 2")
    store_fixes([Fix(device.unique_id, now, -17.0, 179.9), Fix(other.unique_id, now, -17.0, -179.9)], now)
    desk.open("live_map")
    expect(row(desk.page, "Van 2")).to_be_visible()
    desk.page.wait_for_function("() => document.querySelector('.tk-map').trackerMap.leaflet.getZoom() > 8")
    width = """places => {
        const { track } = document.querySelector(".tk-map").trackerMap;
        track.setTrack(places);
        track.setCursor(places[1]);
        return track.bounds().getEast() - track.bounds().getWest();
    }"""
    assert desk.page.evaluate(width, [[-17.0, 179.9], [-17.0, -179.9], [-17.1, 179.8]]) < 1


def test_a_map_says_at_once_that_the_device_is_offline(desk, device):
    drive(device)
    desk.open("live_map")
    expect(row(desk.page, "Van 1")).to_be_visible()
    desk.page.evaluate("window.dispatchEvent(new Event('offline'))")
    # It may be wrong about that: a moment later the connection is there again.
    for said in ("Connection lost", "Live"):
        expect(desk.page.locator("[data-part=connection]")).to_contain_text(said)


MOVE = """() => {
    const { leaflet } = document.querySelector(".tk-map").trackerMap;
    const [{ lng }, zoom] = [leaflet.getCenter(), leaflet.getZoom()];
    leaflet.panBy([100, 0]);
    const isPanned = leaflet.getCenter().lng > lng;
    leaflet.zoomOut();
    return [isPanned, leaflet.getZoom() < zoom, /-anim/.test(leaflet.getPane("mapPane").className)];
}"""


def test_a_map_moves_at_once_for_people_who_asked_for_less_motion(browser, web, staff, device):
    drive(device)
    for visit in visit_of(browser, web.url, reduced_motion="reduce"):
        enter(visit, staff)
        visit.open("live_map")
        expect(row(visit.page, "Van 1")).to_be_visible()
        visit.page.get_by_role("button", name="Show all").click()
        assert visit.page.evaluate(MOVE) == [True, True, False]


COVERED = """() => {
    const map = document.querySelector(".tk-map").getBoundingClientRect();
    const box = document.querySelector(".leaflet-popup-content-wrapper").getBoundingClientRect();
    const isSeen = (node) => {
        const { x, y } = node.getBoundingClientRect();
        return node.contains(document.elementFromPoint(x + 2, y + 4));
    };
    return [box.left >= map.left && box.right <= map.right, [...document.querySelectorAll(".tk-live-popup dt")].every(isSeen)];
}"""


@pytest.mark.parametrize("width", [320, 360])
def test_nothing_covers_the_popup_on_a_narrow_screen(browser, web, staff, device, width):
    Device.objects.filter(pk=device.pk).update(name="A vehicle with a rather long name that needs two lines")
    drive(device)
    for visit in visit_of(browser, web.url, width=width):
        enter(visit, staff)
        visit.open("live_map")
        row(visit.page, "A vehicle").click()
        visit.page.wait_for_load_state("networkidle")
        visit.page.evaluate("() => document.querySelector('.tk-map').trackerMap.leaflet.stop()")
        assert visit.page.evaluate(COVERED) == [True, True]
        visit.page.get_by_role("button", name="Close popup").click()
        expect(visit.page.get_by_role("button", name="Zoom in")).to_be_visible()
