"""Members in a real browser, with a real cluster behind: a geofence drawn and driven into, all that a role may."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Locator, Page, expect
from rest_framework.test import APIClient

from notifications_app.models import Notification, NotificationPreference
from reports_app.models import Report, ReportSchedule, ReportState
from reports_app.services.generation import generate_report
from tasks_app.models import Device, Event, EventKind, Fleet, FleetMembership, FleetRole, Geofence
from tasks_app.queries.jobs import list_workers
from tests.browser.test_admin import Visit, browser, visit_of  # noqa: F401 - a fixture
from tests.browser.test_geofence_editor import holds, wait_for_vehicles
from tests.browser.test_live_map import drive, enter, follow_link_of_popup, web  # noqa: F401 - a fixture
from tests.support.cluster import running_cluster, wait_until
from tests.support.looks import BOTH, DESK, OTHER_DESK, PHONE, Look
from tests.support.notifications import make_geofence, make_rule
from tests.support.reports import requested_report
from tests.support.rights import changed_tables, database_state

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


class Hand:
    """Mara, a manager, who draws: with a mouse at a desk, with a finger on a phone."""

    def __init__(self, visit: Visit, look: Look) -> None:
        self.visit, self.page, self.look = visit, visit.page, look

    def press(self, what: Locator) -> None:
        what.tap() if self.look == PHONE else what.click()

    def press_named(self, role: str, text: str) -> None:
        self.press(self.page.get_by_role(role, name=self.look.say(text), exact=True))

    def press_map(self, x: float, y: float) -> None:
        """Press the map at this share of its width and height."""
        box = self.page.locator("#area-map").bounding_box()
        point = (box["x"] + x * box["width"], box["y"] + y * box["height"])
        self.page.touchscreen.tap(*point) if self.look == PHONE else self.page.mouse.click(*point)

    def drag_to_edge(self, what: Locator) -> None:
        """Drag to the left edge of the map, hold there until the map moves, and let go."""
        page, box, edge = self.page, what.bounding_box(), page_edge(self.page)
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        before = page.evaluate(WEST)
        move, let_go = grip_by_touch(page, x, y) if self.look == PHONE else grip_by_mouse(page, x, y)
        for step in range(1, 11):
            move(x + (edge - x) * step / 10, y - 3 * step)
        page.wait_for_function(f"before => ({WEST})() < before", arg=before)
        let_go()


WEST = "() => document.getElementById('area-map').trackerMap.leaflet.getBounds().getWest()"
Move, LetGo = Callable[[float, float], object], Callable[[], object]


def page_edge(page: Page) -> float:
    return page.locator("#area-map").bounding_box()["x"] + 10


def grip_by_mouse(page: Page, x: float, y: float) -> tuple[Move, LetGo]:
    page.mouse.move(x, y)
    page.mouse.down()
    return page.mouse.move, page.mouse.up


def grip_by_touch(page: Page, x: float, y: float) -> tuple[Move, LetGo]:
    """Put a finger down, as the browser's own touch emulation does."""
    session = page.context.new_cdp_session(page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": one, "y": other} for one, other in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    send("touchStart", (x, y))
    return lambda to_x, to_y: send("touchMove", (to_x, to_y)), lambda: send("touchEnd")


@pytest.fixture
def hand(browser: Browser, web, manager, device, look) -> Iterator[Hand]:  # noqa: F811
    drive(device)
    NotificationPreference.objects.create(user=manager, language=look.language)
    touch = {"has_touch": True, "is_mobile": True} if look == PHONE else {}
    for visit in visit_of(browser, web.url, **look.options, **touch):
        yield Hand(enter(visit, manager), look)


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


@pytest.mark.parametrize("look", BOTH, ids=str)
def test_a_geofence_is_drawn_driven_into_and_its_alert_read(hand, cluster, manager, fleet, device, make_device):
    page, say = hand.page, hand.look.say
    make_rule(fleet, [manager], kinds=[EventKind.GEOFENCE_ENTER], channels=["in_app"], name="Arrivals")
    hand.visit.open("pages:geofence_add")
    page.get_by_label(say("Name"), exact=True).fill("Yard")
    wait_for_vehicles(page)
    hand.press_named("button", "Polygon")
    page.locator("#area-map").scroll_into_view_if_needed()
    for x, y in ((0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7)):
        hand.press_map(x, y)
    hand.press_named("button", "Finish")
    points = page.get_by_role("button", name=say("Point"), exact=True)
    expect(points).to_have_count(4)
    area = page.get_by_label(say("Area"), exact=True)
    before = area.input_value()
    page.locator("#area-map").scroll_into_view_if_needed()
    hand.drag_to_edge(points.first)
    expect(area).not_to_have_value(before)
    hand.press_named("button", "Save")
    expect(page.get_by_text(say("%(name)s was saved.", name="Yard"))).to_be_visible()
    geofence = Geofence.objects.get()
    assert holds(geofence.area, *PLACE)

    other = make_device(name="Lorry")
    report_fixes(manager, other, (-23.9, -46.63), (-23.9, -46.6299))
    wait_until(lambda: hasattr(Device.objects.get(pk=other.pk), "state"), seconds=60)
    report_fixes(manager, other, PLACE, (PLACE[0], PLACE[1] + 0.00001))
    wait_until(lambda: Notification.objects.filter(user=manager).exists(), seconds=60)
    hand.visit.open("pages:home")
    hand.press(page.get_by_role("link", name=say("Notifications")))
    expect(page.get_by_role("article")).to_contain_text("Lorry")
    expect(page.get_by_role("article")).to_contain_text("Yard")
    assert Event.objects.filter(kind=EventKind.GEOFENCE_ENTER, geofence=geofence, device=other).count() == 1


# By role: how they look at the pages, and what they may besides reading, which all may.
PEOPLE = {FleetRole.VIEWER: PHONE, FleetRole.OPERATOR: DESK, FleetRole.MANAGER: OTHER_DESK}
ASK_FOR_REPORTS, MANAGE = {FleetRole.OPERATOR, FleetRole.MANAGER}, {FleetRole.MANAGER}


@dataclass
class Member:
    """A member of the fleet at their browser, with reports of another person."""

    role: FleetRole
    look: Look
    visit: Visit
    user: object
    device: Device
    rows: dict[str, int]

    @property
    def page(self) -> Page:
        return self.visit.page

    def go(self, name: str, *arguments: object) -> None:
        self.visit.open(f"pages:{name}", *arguments)

    def link(self, text: str) -> Locator:
        return self.page.get_by_role("link", name=self.look.say(text), exact=True)

    def click(self, text: str) -> None:
        self.page.get_by_role("button", name=self.look.say(text), exact=True).click()

    def answers(self, method: str, name: str, *arguments: object) -> int:
        """Return the status of the answer to a call that no page offers."""
        token = self.page.locator("[name=csrfmiddlewaretoken]").first.input_value()
        address = self.visit.base_url + reverse(f"pages:{name}", args=arguments)
        request = self.page.context.request
        answer = request.fetch(address, method=method, headers={"X-CSRFToken": token}, max_redirects=0)
        return answer.status


@pytest.fixture
def member(browser: Browser, web, role, fleet, make_user, device) -> Iterator[Member]:  # noqa: F811
    drive(device)
    owner = make_user(username="otto")
    FleetMembership.objects.create(user=owner, fleet=fleet, role=FleetRole.OPERATOR)
    user = make_user(username="mara")
    FleetMembership.objects.create(user=user, fleet=fleet, role=role)
    report = requested_report(device, owner)
    generate_report(report.pk)
    schedule = ReportSchedule.objects.create(
        name="Letter", owner=owner, fleet=fleet, kinds=["trips"], formats=["csv"], period="weekly", is_active=False
    )
    schedule.recipients.add(owner)
    rows = {"report": report.pk, "schedule": schedule.pk, "geofence": make_geofence(fleet).pk}
    event = Event.objects.create(device=device, kind=EventKind.ALARM, occurred_at=datetime.now(UTC))
    Notification.objects.create(
        user=user, kind="alarm", event=event, device=device, dedupe_key="a", subject="Van 1: alarm", body_text="SOS"
    )
    look = PEOPLE[role]
    NotificationPreference.objects.create(user=user, language=look.language)
    for visit in visit_of(browser, web.url, **look.options):
        yield Member(role, look, enter(visit, user), user, device, rows)


@pytest.mark.parametrize("role", PEOPLE, ids=str)
def test_a_member_does_all_that_their_role_may(member, cluster):
    """From the overview to the map, a device's day, its settings, reports by a picker, own alarms, settings and sessions."""
    looks_at_every_page(member)
    goes_from_the_map_to_the_settings_of_a_device(member)
    if member.role in ASK_FOR_REPORTS:
        asks_for_a_report(member)
        schedules_reports(member)
    reads_reports_of_others(member)
    if member.role in MANAGE:
        changes_what_others_made(member)
    acknowledges_an_alarm(member)
    chooses_colours_and_language(member)
    is_refused_what_the_role_may_not(member)


def looks_at_every_page(member: Member) -> None:
    page, say = member.page, member.look.say
    member.go("home")
    for name in ("Map", "Devices", "Trips", "Events", "Commands", "Reports", "Geofences", "Overview"):
        page.get_by_role("navigation", name=say("Pages")).get_by_role("link", name=say(name), exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(say(name))


def goes_from_the_map_to_the_settings_of_a_device(member: Member) -> None:
    page, say = member.page, member.look.say
    member.go("map")
    page.locator(".tk-live-device").filter(has_text="Van 1").click()
    follow_link_of_popup(page, say("Device"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Van 1")
    expect(page.locator("[data-readout]")).to_contain_text(":")
    expect(page.get_by_text(say("Rules that watch it"))).to_be_visible()
    if member.role not in MANAGE:
        expect(member.link("Settings")).to_have_count(0)
        return
    member.link("Settings").click()
    page.get_by_label(say("Name"), exact=True).fill("Van one")
    member.click("Save")
    expect(page.get_by_role("heading", level=1)).to_have_text("Van one")


def pick_the_van(member: Member) -> None:
    page = member.page
    page.get_by_role("combobox", name=member.look.say("Devices")).press_sequentially("van")
    page.get_by_role("option", name="Van").first.click()
    expect(page.get_by_role("checkbox", name="Van")).to_be_checked()


def asks_for_a_report(member: Member) -> None:
    page, say = member.page, member.look.say
    member.go("device", member.device.pk)
    member.link("Its reports").click()
    member.link("Ask for a report").click()
    page.locator(f"main a[href^='{reverse('pages:report_ask_kind', args=['trips'])}']").click()
    pick_the_van(member)
    page.locator("[name=days]").select_option(label=say("Today"))
    member.click("Ask for report")
    expect(page.get_by_text(say("The report was asked for."))).to_be_visible()
    expect(member.link("PDF")).to_be_visible(timeout=60_000)
    assert Report.objects.get(requested_by=member.user).state == ReportState.READY


def schedules_reports(member: Member) -> None:
    page, say = member.page, member.look.say
    member.go("report_schedule_add")
    page.get_by_label(say("Name"), exact=True).fill("Mondays")
    page.get_by_role("checkbox", name=say("Trips"), exact=True).check()
    recipients = page.locator("input[name=recipients][role=combobox]")
    recipients.press_sequentially("ot")
    page.get_by_role("option", name="otto").click()
    expect(page.get_by_role("checkbox", name="otto")).to_be_checked()
    expect(page.get_by_role("checkbox", name="mara")).to_be_checked()
    member.click("Save")
    expect(page.get_by_text(say("“%(name)s” was saved.", name="Mondays"))).to_be_visible()
    schedule = ReportSchedule.objects.get(name="Mondays")
    assert {one.username for one in schedule.recipients.all()} == {"mara", "otto"}


def reads_reports_of_others(member: Member) -> None:
    page = member.page
    member.go("reports")
    expect(member.link("Ask for a report")).to_have_count(int(member.role in ASK_FOR_REPORTS))
    member.go("report", member.rows["report"])
    with page.expect_download() as started:
        member.link("JSON").click()
    assert started.value.suggested_filename.endswith(".json")
    expect(member.link("Delete")).to_have_count(int(member.role in MANAGE))
    member.go("report_schedule", member.rows["schedule"])
    expect(page.get_by_role("heading", level=1)).to_have_text("Letter")
    expect(page.locator("main form")).to_have_count(2 if member.role in MANAGE else 0)
    member.go("geofences")
    expect(member.link("New geofence")).to_have_count(int(member.role in MANAGE))


def changes_what_others_made(member: Member) -> None:
    page, say = member.page, member.look.say
    member.go("geofence_edit", member.rows["geofence"])
    page.get_by_label(say("Name"), exact=True).fill("Yard")
    member.click("Save")
    expect(page.get_by_text(say("%(name)s was saved.", name="Yard"))).to_be_visible()
    member.go("report_schedule_remove", member.rows["schedule"])
    member.click("Remove")
    expect(page.get_by_text(say("“%(name)s” was removed.", name="Letter"))).to_be_visible()
    member.go("report_delete", member.rows["report"])
    page.locator("main form button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(say("Reports"))
    assert not Report.objects.filter(pk=member.rows["report"]).exists()


def acknowledges_an_alarm(member: Member) -> None:
    page, say = member.page, member.look.say
    page.get_by_role("link", name=say("Notifications")).click()
    # With a role that asks for reports, a message may say that one is ready.
    alarm = page.get_by_role("article").filter(has_text="Van 1: alarm")
    alarm.get_by_role("button", name=say("Acknowledge")).click()
    expect(alarm).to_contain_text(say("acknowledged"))


def chooses_colours_and_language(member: Member) -> None:
    page, say = member.page, member.look.say
    other = "dark" if member.look.scheme == "light" else "light"
    account = page.get_by_label(say("Your account: %(name)s", name="mara"))
    account.click()
    member.click(other.capitalize())
    expect(page.locator("html")).to_have_css("color-scheme", other)
    assert NotificationPreference.objects.get(user=member.user).theme == other
    account.click()
    member.link("Preferences").click()
    language = "pt-br" if member.look.language == "en" else "en"
    page.locator("select[name=language]").select_option(language)
    member.click("Save")
    headings = {"en": "Preferences", "pt-br": "Preferências"}
    expect(page.get_by_role("heading", level=1)).to_have_text(headings[language])
    member.go("access")
    expect(page.locator("main .tk-status")).to_have_count(1)


def is_refused_what_the_role_may_not(member: Member) -> None:
    """Nothing of it is on a page (see above); called all the same, it is refused and nothing changes."""
    device, rows = member.device.pk, member.rows
    operators = [("GET", "report_ask"), ("POST", "report_ask_kind", "trips"), ("POST", "report_schedule_add")]
    managers = [
        ("POST", "device_settings", device), ("POST", "geofence_add"), ("POST", "geofence_edit", rows["geofence"]),
        ("POST", "geofence_delete", rows["geofence"]), ("POST", "report_cancel", rows["report"]),
        ("POST", "report_retry", rows["report"]), ("POST", "report_delete", rows["report"]),
        ("POST", "report_schedule", rows["schedule"]), ("POST", "report_schedule_switch", rows["schedule"]),
        ("POST", "report_schedule_run", rows["schedule"]), ("POST", "report_schedule_remove", rows["schedule"]),
    ]  # fmt: skip
    refused = [
        *(operators if member.role not in ASK_FOR_REPORTS else []),
        *(managers if member.role not in MANAGE else []),
    ]
    before = database_state()
    for call in refused:
        assert (call, member.answers(*call)) == (call, 403)
    foreign = Device.objects.create(fleet=Fleet.objects.create(name="Elsewhere"), unique_id="theirs", name="Theirs")
    for call in (("GET", "device", foreign.pk), ("POST", "device_settings", foreign.pk), ("GET", "report", 10**9)):
        assert (call, member.answers(*call)) == (call, 404)
    # The cluster writes rows of its own meanwhile.
    kept = {"tasks_app.geofence", "reports_app.report", "reports_app.reportschedule"}
    assert kept & set(changed_tables(before, database_state())) == set()
