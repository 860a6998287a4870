"""The pages of members in a real browser: on a phone, without scripts, from sign-in to sign-out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.sessions.models import Session
from django.urls import reverse
from django.utils import timezone
from knox.models import AuthToken
from playwright.sync_api import expect

from notifications_app.models import Notification
from tasks_app.models import DeviceState, Event, EventKind, Geofence
from tests.browser.test_admin import PASSWORD, Visit, browser, visit_of
from tests.browser.test_live_map import enter
from tests.support.notifications import CIRCLE, make_rule

__all__ = ["browser"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def member(browser, live_server, operator) -> Iterator[Visit]:
    """Ana, an operator, with a phone whose browser runs no script."""
    yield from visit_of(browser, live_server.url, width=360, color_scheme="dark", java_script_enabled=False)


@pytest.mark.parametrize(
    ("language", "noted"), [("pt-BR", "ter., 03/02/2026, 15:00"), ("en-US", "Tue, 03 Feb 2026, 15:00")]
)
def test_a_chosen_time_stands_beside_its_field_in_the_readers_language(browser, live_server, operator, language, noted):
    for visit in visit_of(browser, live_server.url, locale=language):
        page = enter(visit, operator).page
        visit.open("pages:events")
        field = page.locator("input[type=datetime-local]").first
        field.fill("2026-02-03T15:00")
        expect(page.locator(".tk-chosen").first).to_have_text(noted)
        expect(field).to_have_accessible_description(noted)
        field.fill("")
        expect(page.locator(".tk-chosen").first).to_be_hidden()


def test_the_first_field_keeps_the_focus_when_it_becomes_a_picker(browser, live_server, operator):
    for visit in visit_of(browser, live_server.url):
        page = enter(visit, operator).page
        # Whether the script or the browser is first differs from load to load.
        for kind in ("trips", "stops", "fuel", "summary", "overspeed"):
            page.goto(live_server.url + reverse("pages:report_ask_kind", args=[kind]))
            expect(page.get_by_role("combobox", name="Devices")).to_be_focused()


def test_a_member_finds_a_van_and_acknowledges_an_alarm_on_a_phone_without_scripts(
    member, operator, device, make_device
):
    DeviceState.objects.create(device=device, status="online", speed_kph=42)
    make_device(name="Lorry")
    event = Event.objects.create(device=device, kind=EventKind.ALARM, occurred_at=timezone.now())
    Notification.objects.create(
        user=operator, kind="alarm", event=event, device=device, dedupe_key="a", subject="Van 1: alarm", body_text="SOS"
    )
    page = member.page
    member.open("admin:login")
    page.fill("[name=username]", "ana")
    page.fill("[name=password]", PASSWORD)
    page.click("[type=submit]")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360

    page.get_by_role("link", name="Devices", exact=True).click()
    page.get_by_label("Search").fill("van")
    page.get_by_role("button", name="Filter the list").click()
    expect(page.get_by_role("row").filter(has_text="Van 1")).to_contain_text("42 km/h")
    expect(page.get_by_text("Lorry")).to_have_count(0)

    page.get_by_role("link", name="Notifications").click()
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("article")).to_contain_text("acknowledged")
    expect(page.locator(".tk-count")).to_have_count(0)

    page.get_by_label("Your account: ana").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_a_page_that_keeps_itself_fresh_says_when_it_cannot(browser, live_server, operator):
    for visit in visit_of(browser, live_server.url):
        page = enter(visit, operator).page
        visit.open("pages:commands")
        ask_again = "document.dispatchEvent(new Event('tracker:changed'))"
        trouble = page.locator("[data-live-trouble]")
        expect(trouble).to_have_text("")
        page.context.set_offline(True)
        page.evaluate(ask_again)
        expect(trouble).to_have_text("Connection lost, trying again …")
        page.context.set_offline(False)
        page.evaluate(ask_again)
        expect(trouble).to_have_text("")
        Session.objects.all().delete()
        page.evaluate(ask_again)
        expect(trouble).to_have_text("You are logged out.")
        assert [one for one in visit.troubles if "ERR_INTERNET_DISCONNECTED" not in one] == []
        visit.troubles.clear()


@pytest.mark.parametrize("width", [360, 800, 1440])
def test_a_long_name_widens_no_page(browser, live_server, staff, fleet, make_device, width):
    device, area = make_device(name="W" * 100), Geofence.objects.create(fleet=fleet, name="G" * 100, area=CIRCLE)
    fleet.name = "F" * 100
    fleet.save()
    DeviceState.objects.create(device=device)
    Event.objects.create(device=device, geofence=area, kind=EventKind.GEOFENCE_ENTER, occurred_at=timezone.now())
    make_rule(fleet, [staff], name="R" * 100)
    lists = [reverse(f"pages:{name}") for name in ("devices", "events", "geofences", "home")]
    rows = [reverse("pages:device", args=[device.pk]), reverse("pages:geofence_edit", args=[area.pk])]
    of_staff = [reverse(f"admin:tasks_app_device_{name}", args=[device.pk]) for name in ("change", "delete")]
    for visit in visit_of(browser, live_server.url, width=width):
        enter(visit, staff)
        for address in (*lists, *rows, *of_staff):
            visit.page.goto(live_server.url + address)
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= width, address


def test_paper_shows_what_is_to_be_read_dark_on_white(browser, live_server, operator, device):
    for visit in visit_of(browser, live_server.url, color_scheme="dark"):
        page = enter(visit, operator).page
        visit.open("pages:devices")
        page.emulate_media(media="print")
        expect(page.get_by_role("link", name=device.name)).to_be_visible()
        for clicked in (".tk-skip", ".tk-nav", ".tk-filter-bar"):
            expect(page.locator(clicked)).to_be_hidden()
        assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"


# Runs after the page's own listeners, and keeps the form from leaving the page.
NOTE_SUBMITS = """() => {
    window.held = [];
    document.addEventListener("submit", (event) => {
        window.held.push(event.defaultPrevented);
        event.preventDefault();
    });
}"""


LATE = """form => {
    const event = new SubmitEvent("submit", {bubbles: true, cancelable: true});
    Object.defineProperty(event, "timeStamp", {value: performance.now() + 3_600_000});
    form.dispatchEvent(event);
}"""


def test_a_form_is_sent_once_however_often_and_late_it_is_clicked(browser, live_server, operator):
    for visit in visit_of(browser, live_server.url):
        page = enter(visit, operator).page
        visit.open("pages:preferences")
        page.evaluate(NOTE_SUBMITS)
        save = page.get_by_role("button", name="Save")
        save.dblclick()
        page.locator("main form[method=post]").evaluate(LATE)
        assert page.evaluate("window.held") == [False, True, True]
        # Who stops the answer on its way, or comes back, may send the form again.
        page.keyboard.press("Escape")
        save.click()
        page.evaluate("window.dispatchEvent(new Event('pageshow'))")
        save.click()
        assert page.evaluate("window.held") == [False, True, True, False, False]


def test_a_token_that_was_shown_is_not_made_again_when_its_page_is_loaded_again(browser, live_server, operator):
    for visit in visit_of(browser, live_server.url):
        page = enter(visit, operator).page
        visit.open("pages:access")
        page.get_by_role("button", name="Create a token").click()
        expect(page.get_by_role("heading", name="Your new token")).to_be_visible()
        page.reload()
        expect(page).to_have_url(live_server.url + reverse("pages:access"))
        assert AuthToken.objects.count() == 1


def test_the_page_that_is_open_is_marked_where_the_device_chooses_the_colours(browser, live_server, operator):
    for visit in visit_of(browser, live_server.url, forced_colors="active"):
        page = enter(visit, operator).page
        visit.open("pages:devices")
        colour = "link => getComputedStyle(link).borderBottomColor"
        current, other = page.locator(".tk-nav [aria-current]"), page.get_by_role("link", name="Map", exact=True)
        assert (
            current.evaluate(colour)
            != other.evaluate(colour)
            == page.evaluate("getComputedStyle(document.body).backgroundColor")
        )
