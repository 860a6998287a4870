"""Geofences are drawn and edited on a map, by mouse and by keyboard, or as text."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tasks_app.geo.geofence import GeofenceIndex
from tasks_app.models import FleetMembership, Geofence
from tests.browser.test_admin import Visit, browser, visit_of  # noqa: F401 - a fixture
from tests.browser.test_live_map import drive, enter, web  # noqa: F401 - a fixture
from tests.support.cluster import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
SQUARE = [[-46.64, -23.56], [-46.62, -23.56], [-46.62, -23.54], [-46.64, -23.54], [-46.64, -23.56]]


@pytest.fixture
def manager(fleet, make_user):
    user = make_user(username="mara")
    FleetMembership.objects.create(user=user, fleet=fleet, role="manager")
    return user


@pytest.fixture
def desk(browser: Browser, web, manager, device) -> Iterator[Visit]:  # noqa: F811
    drive(device)
    for visit in visit_of(browser, web.url, width=1440):
        yield enter(visit, manager)


def wait_for_vehicles(page: Page) -> None:
    """The map has moved to where the vehicles are."""
    page.wait_for_function("() => document.getElementById('area-map').trackerMap?.leaflet.getZoom() > 10")


def holds(area, latitude: float, longitude: float) -> bool:
    return bool(GeofenceIndex([(1, area)]).inside([latitude], [longitude])[0, 0])


def saved(page: Page) -> Geofence:
    with page.expect_navigation():  # The page may say already that it was saved, before.
        page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("was saved.")).to_be_visible()
    return Geofence.objects.get()


def drag(point: Locator, box: Locator, *, x: int, y: int) -> None:
    """Drag a point of the area to this place of the map, once both are still: the map goes to the area after it has loaded."""
    page = point.page
    before = None
    while (places := (point.bounding_box(), box.bounding_box())) != before:
        before = places
        page.evaluate("() => new Promise((seen) => requestAnimationFrame(() => setTimeout(seen, 100)))")
    held, within = places
    page.mouse.move(held["x"] + held["width"] / 2, held["y"] + held["height"] / 2)
    page.mouse.down()
    page.mouse.move(within["x"] + x, within["y"] + y, steps=5)
    page.mouse.up()


def test_a_polygon_is_drawn_by_mouse_around_a_vehicle_and_its_point_moved(desk):
    page = desk.page
    desk.open("pages:geofences")
    page.get_by_role("link", name="New geofence").click()
    # The list has a field of this name, too.
    expect(page.locator("#area-map")).to_be_visible()
    page.get_by_label("Name").fill("Depot gate")
    wait_for_vehicles(page)
    page.get_by_role("button", name="Polygon").click()
    box = page.locator("#area-map")
    for x, y in ((400, 100), (800, 100), (800, 400), (400, 400)):
        box.click(position={"x": x, "y": y})
    page.get_by_role("button", name="Finish").click()
    area = saved(page).area
    assert area["type"] == "Polygon"
    assert len(area["coordinates"][0]) == 5
    points = page.get_by_role("button", name="Point", exact=True)
    expect(points).to_have_count(4)
    drag(points.first, box, x=300, y=60)
    moved = saved(page).area
    assert moved["coordinates"][0][0] != area["coordinates"][0][0]
    assert moved["coordinates"][0][1] == area["coordinates"][0][1]
    expect(page.get_by_text("Area: changed (Polygon, 5 points)")).to_be_visible()


def test_a_polygon_is_drawn_and_changed_with_the_keyboard_alone(desk, device):
    page = desk.page
    desk.open("pages:geofence_add")
    page.get_by_label("Name").fill("By keys")
    wait_for_vehicles(page)
    page.get_by_role("button", name="Polygon").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#area-map")).to_be_focused()
    keys = page.keyboard
    count = 0
    ways = ("ArrowLeft ArrowUp", "ArrowRight ArrowRight", "ArrowDown ArrowDown", "ArrowLeft ArrowLeft")
    for arrows in map(str.split, ways):
        for arrow in arrows:
            before = page.evaluate("() => document.getElementById('area-map').trackerMap.leaflet.getCenter()")
            keys.press(arrow)
            page.wait_for_function(
                "(before) => { const { lat, lng } = document.getElementById('area-map').trackerMap.leaflet.getCenter();"
                " return lat !== before.lat || lng !== before.lng; }",
                arg=before,
            )
            page.wait_for_function("() => !document.querySelector('.leaflet-pan-anim')")
        keys.press("Enter")
        count += 1
    page.get_by_role("button", name="Finish").focus()
    keys.press("Enter")
    geofence = saved(page)
    assert len(geofence.area["coordinates"][0]) == count + 1
    assert holds(geofence.area, -23.55, -46.63)
    first = geofence.area["coordinates"][0][0]
    page.get_by_role("button", name="Point", exact=True).first.focus()
    keys.press("ArrowLeft")
    wait_until(lambda: f"{first[0]}" not in page.get_by_label("Area", exact=True).input_value().split("]")[0])
    keys.press("Delete")
    expect(page.get_by_role("button", name="Point", exact=True)).to_have_count(3)


def test_a_circle_gets_its_radius_and_what_lies_far_or_is_swapped_is_doubted(desk):
    page = desk.page
    desk.open("pages:geofence_add")
    page.get_by_label("Name").fill("Round")
    wait_for_vehicles(page)
    page.get_by_role("button", name="Circle").click()
    page.locator("#area-map").click(position={"x": 500, "y": 250})
    page.get_by_label("Radius (m)").fill("321")
    page.get_by_label("Radius (m)").press("Enter")
    expect(page.get_by_label("Area", exact=True)).to_have_value(re.compile('"radius_meters": 321'))
    text = page.get_by_label("Area", exact=True)
    text.fill("POLYGON ((-23.56 -46.64, -23.54 -46.64, -23.54 -46.62, -23.56 -46.64))")
    text.blur()
    expect(page.get_by_text("latitude and longitude seem to be swapped")).to_be_visible()
    text.fill("CIRCLE (10 50, 100)")
    text.blur()
    expect(page.get_by_text("more than 100 km from every device")).to_be_visible()
    text.fill("nonsense")
    text.blur()
    expect(page.get_by_text("The area is no WKT")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("The area is no WKT")
    expect(text).to_have_value("nonsense")


def test_the_second_of_two_people_is_refused_and_keeps_the_input(desk, fleet):
    geofence = Geofence.objects.create(fleet=fleet, name="Gate", area={"type": "Polygon", "coordinates": [SQUARE]})
    desk.open("pages:geofence_edit", geofence.pk)
    desk.page.get_by_label("Name").fill("My name for it")
    geofence.name = "Changed by another"
    geofence.save()
    desk.page.get_by_role("button", name="Save").click()
    expect(desk.page.get_by_role("alert")).to_contain_text("changed by another person")
    expect(desk.page.get_by_label("Name")).to_have_value("My name for it")
    assert Geofence.objects.get().name == "Changed by another"


def test_without_scripts_the_text_field_takes_an_area(browser, web, manager):  # noqa: F811
    for visit in visit_of(browser, web.url, java_script_enabled=False):
        enter(visit, manager).open("pages:geofence_add")
        visit.page.get_by_label("Name").fill("By text")
        visit.page.get_by_label("Area", exact=True).fill("CIRCLE (-46.63 -23.55, 300)")
        visit.page.get_by_role("button", name="Save").click()
        expect(visit.page.get_by_text("was saved.")).to_be_visible()
        assert Geofence.objects.get().area["radius_meters"] == 300.0
