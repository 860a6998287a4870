"""The admin in a real browser: what staff do every day, on a desk and on a phone, without another host.

Uses the system's Chromium (or CHROMIUM_PATH); skips with its reason where there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from notifications_app.models import MessageTemplate, Notification
from tasks_app.engine import JobState, get_task
from tasks_app.models import BulkAction, DeviceState, EventKind, Job
from tasks_app.queries.jobs import find_job
from tests.support.cluster import wait_until
from tests.support.looks import Look
from tests.support.notifications import make_rule, record_events
from tests.support.probe.tasks import probe_fail_for_good
from trackerproject.dev.chromium import find_chromium, running_chromium

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "correct horse battery"
PAGES = [
    "admin:index",
    "admin:tasks_app_device_changelist",
    "admin:tasks_app_job_changelist",
    "admin:tasks_app_job_start",
    "admin:tasks_app_queues",
    "admin:django_q_schedule_changelist",
    "admin:django_q_schedule_add",
    "admin:tasks_app_geofence_add",
    "admin:notifications_app_rule_add",
    "admin:reports_app_report_changelist",
    "admin:tasks_app_storagesample_changelist",
    "admin:tasks_app_retentionsettings_changelist",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of this module."""
    found = find_chromium()
    if not found:
        pytest.skip("no Chromium on PATH (install chromium, or set CHROMIUM_PATH)")
    with running_chromium(found) as running:
        yield running


class Visit:
    """One visitor: a page, with what it asked for and what went wrong on it."""

    def __init__(self, page: Page, base_url: str) -> None:
        self.page = page
        self.base_url = base_url
        self.hosts: set[str] = set()
        self.troubles: list[str] = []
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda message: self.troubles.append(message.text) if _is_trouble(message) else None)
        page.on("response", lambda answer: self.troubles.append(answer.url) if answer.status >= 400 else None)

    def open(self, name: str, *args: object) -> None:
        self.page.goto(self.base_url + reverse(name, args=args))

    def log_in(self) -> None:
        self.open("admin:login")
        self.page.fill("[name=username]", "staff")
        self.page.fill("[name=password]", PASSWORD)
        self.page.click("[type=submit]")
        self.page.wait_for_url(self.base_url + reverse("admin:index"))

    def choose(self, title: str) -> None:
        """Click on a page's name in the side bar."""
        self.page.locator("#nav-sidebar-apps").get_by_text(title, exact=True).click()


def _is_trouble(message: ConsoleMessage) -> bool:
    # The test's server speaks no WebSocket; the pages that open one go on without.
    return message.type == "error" and "/ws/live/" not in message.text


def visit_of(browser: Browser, base_url: str, **options: object) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": options.pop("width", 1280), "height": 800}, **options)
    context.set_default_timeout(15_000)
    visit = Visit(context.new_page(), base_url)
    yield visit
    context.close()
    assert visit.hosts == {urlsplit(base_url).netloc}, "a page asked another host"
    assert visit.troubles == []


@pytest.fixture
def visit(browser, live_server, staff) -> Iterator[Visit]:
    """Someone at a desk. After the test: nothing was asked of another host, and no page had an error."""
    yield from visit_of(browser, live_server.url)


@pytest.fixture
def seen(browser, live_server, staff, look: Look) -> Iterator[Visit]:
    """Someone who looks at the pages in the language, colours and width of the test."""
    yield from visit_of(browser, live_server.url, **look.options)


@pytest.fixture
def phone(browser, live_server, staff) -> Iterator[Visit]:
    yield from visit_of(browser, live_server.url, width=360, color_scheme="dark")


@pytest.fixture
def scriptless(browser, live_server, staff) -> Iterator[Visit]:
    yield from visit_of(browser, live_server.url, java_script_enabled=False)


@pytest.fixture
def failed_job(run_jobs) -> Job:
    job_id = probe_fail_for_good.delay("There is no van 424242.")
    run_jobs("positions")
    return Job.objects.get(pk=job_id)


def test_it_shows_devices_with_their_state(visit, device):
    DeviceState.objects.create(device=device, status="online", speed_kph=42)
    visit.log_in()
    visit.choose("Devices")
    row = visit.page.get_by_role("row").filter(has_text="Van 1")
    expect(row).to_contain_text("Online")
    expect(row).to_contain_text("42 km/h")


def test_in_text_of_twice_the_size_the_buttons_of_a_form_are_within_the_page(visit, device):
    visit.log_in()
    visit.open("admin:tasks_app_device_change", device.pk)
    visit.page.evaluate("document.documentElement.style.fontSize = '200%'")
    main = visit.page.locator("main").bounding_box()
    for button in visit.page.locator("#submit-row :is(a, button)").all():
        box = button.bounding_box()
        assert main["x"] <= box["x"]
        assert box["y"] + box["height"] <= 800


UNSEEN = """() => {
    const node = document.activeElement, { left, top, width, height } = node.getBoundingClientRect();
    const above = document.elementFromPoint(left + width / 2, top + Math.min(height / 2, 20));
    const isSeen = above && (node.contains(above) || above.contains(node));
    const isMarked = getComputedStyle(node).outlineStyle !== "none";
    return isSeen && isMarked ? null : node.id || node.className;
}"""


def test_who_goes_through_a_form_by_keyboard_sees_where_they_are(visit):
    visit.log_in()
    visit.open("admin:tasks_app_fleet_add")
    found = [(visit.page.keyboard.press("Tab"), visit.page.evaluate(UNSEEN))[1] for _ in range(16)]
    assert set(found) == {None}


def test_menus_open_and_close_by_keyboard(visit, device):
    visit.log_in()
    visit.open("admin:tasks_app_device_changelist")
    filters = visit.page.get_by_role("button", name="Filters")
    filters.press("Enter")
    expect(visit.page.locator("#changelist-filter :focus")).to_be_visible()
    visit.page.keyboard.press("Escape")
    expect(filters).to_be_focused()
    person = visit.page.locator("#nav-sidebar").get_by_role("button", name="staff")
    person.press("Space")
    visit.page.get_by_role("button", name="Log out").press("Enter")
    expect(visit.page.get_by_label("Username")).to_be_visible()


@pytest.mark.parametrize("media", [{"media": "print"}, {"forced_colors": "active"}], ids=["paper", "forced colours"])
def test_boxes_are_told_apart_without_backgrounds(visit, media):
    visit.log_in()
    visit.page.emulate_media(**media)
    visit.open("admin:notifications_app_rule_add")
    box = visit.page.get_by_label("Overspeed", exact=True)
    shown = "box => [getComputedStyle(box).appearance, getComputedStyle(box, '::after').content]"
    assert box.evaluate(shown) == ["auto", "none"]


def test_paper_shows_no_buttons_of_a_form(visit):
    visit.log_in()
    visit.open("admin:notifications_app_rule_add")
    buttons = visit.page.locator("#submit-row")
    expect(buttons).to_be_visible()
    visit.page.emulate_media(media="print")
    expect(buttons).to_be_hidden()


def test_it_shows_a_failed_job_with_its_traceback(visit, failed_job):
    visit.log_in()
    visit.choose("Jobs")
    visit.page.get_by_role("navigation", name="States").get_by_role("link", name="Failed").click()
    visit.page.get_by_role("link", name="probe_fail_for_good").click()
    expect(visit.page.get_by_text("Traceback (most recent call last)")).to_be_visible()
    expect(visit.page.get_by_role("link", name="Retry")).to_be_visible()
    expect(visit.page.get_by_role("link", name="Cancel")).to_have_count(0)


def test_it_shows_the_schedules(visit):
    visit.log_in()
    visit.choose("Schedules")
    expect(visit.page.get_by_role("heading", name="Scheduled tasks")).to_be_visible()


def test_it_cancels_a_queued_job(visit, staff):
    job_id = get_task("cleanup_expired_sessions").delay()
    visit.log_in()
    visit.open("admin:tasks_app_job_changelist")
    visit.page.get_by_role("link", name="cleanup_expired_sessions").click()
    visit.page.get_by_role("link", name="Cancel", exact=True).click()
    visit.page.get_by_label("Reason").fill("not today")
    visit.page.get_by_role("button", name="Cancel the job").click()
    expect(visit.page.get_by_text("The job was cancelled.")).to_be_visible()
    expect(visit.page.get_by_role("cell", name="not today")).to_be_visible()
    assert find_job(job_id, user=staff).state is JobState.CANCELLED


def test_it_starts_a_task_and_sees_it_end_without_reloading(visit, staff, run_jobs):
    visit.log_in()
    visit.choose("Start a task")
    visit.page.get_by_role("link", name="cleanup_old_events").click()
    visit.page.get_by_label("Days to keep").fill("-1")
    visit.page.get_by_role("button", name="Start").click()
    expect(visit.page.get_by_text("greater than or equal to 1")).to_be_visible()
    visit.page.get_by_label("Days to keep").fill("30")
    visit.page.get_by_role("button", name="Start").click()
    expect(visit.page.get_by_text("was started")).to_be_visible()
    expect(visit.page.get_by_text("Queued", exact=True)).to_be_visible()
    run_jobs("cleanup")
    expect(visit.page.get_by_text("Succeeded", exact=True).first).to_be_visible(timeout=15_000)


def test_it_logs_in_with_the_keyboard_alone(visit):
    visit.open("admin:login")
    visit.page.keyboard.press("Tab")
    while visit.page.evaluate("document.activeElement.name") != "username":
        visit.page.keyboard.press("Tab")
    visit.page.keyboard.type("staff")
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.type(PASSWORD)
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_role("heading", name="Overview")).to_be_visible()


def test_it_fits_a_phone_without_scrolling_sideways(phone, failed_job, device):
    phone.log_in()
    addresses = [reverse(name) for name in PAGES]
    addresses.append(reverse("admin:tasks_app_job_change", args=[failed_job.pk]))
    addresses.append(reverse("admin:tasks_app_device_change", args=[device.pk]))
    addresses.append(reverse("admin:tasks_app_job_start_task", args=["generate_device_report"]))
    too_wide = {}
    for address in addresses:
        phone.page.goto(phone.base_url + address)
        extra = phone.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if extra:
            too_wide[address] = extra
    assert too_wide == {}


def test_it_works_without_javascript(scriptless, staff):
    job_id = get_task("cleanup_expired_sessions").delay()
    scriptless.log_in()
    scriptless.open("admin:tasks_app_job_changelist")
    scriptless.page.get_by_role("link", name="cleanup_expired_sessions").click()
    scriptless.page.get_by_role("link", name="Cancel", exact=True).click()
    scriptless.page.get_by_role("button", name="Cancel the job").click()
    expect(scriptless.page.get_by_text("The job was cancelled.")).to_be_visible()
    assert find_job(job_id, user=staff).state is JobState.CANCELLED


def test_it_pauses_and_resumes_a_queue(visit):
    visit.log_in()
    visit.choose("Queues and workers")
    visit.page.get_by_role("link", name="Pause cleanup", exact=True).click()
    visit.page.get_by_label("Reason").fill("disk is full")
    visit.page.get_by_role("button", name="Pause").click()
    expect(visit.page.get_by_text("The queue cleanup is paused.")).to_be_visible()
    row = visit.page.get_by_role("region", name="cleanup", exact=True)
    expect(row).to_contain_text("Paused")
    expect(row).to_contain_text("disk is full")
    row.get_by_role("link", name="Resume cleanup", exact=True).click()
    visit.page.get_by_role("button", name="Resume").click()
    expect(visit.page.get_by_text("The queue cleanup goes on.")).to_be_visible()


def test_it_cancels_the_ticked_jobs_though_the_list_refreshes_meanwhile(visit, run_jobs):
    for _ in range(3):
        get_task("cleanup_expired_sessions").delay()
    visit.log_in()
    visit.choose("Jobs")
    ticks = visit.page.get_by_role("checkbox", name="Select cleanup_expired_sessions")
    ticks.nth(0).check()
    ticks.nth(1).check()
    visit.page.get_by_label("Search").focus()
    # The queued job that is new stands above the others once the list has been fetched again.
    get_task("cleanup_expired_sessions").delay()
    expect(ticks).to_have_count(4, timeout=15_000)
    expect(visit.page.get_by_role("checkbox", name="Select cleanup_expired_sessions", checked=True)).to_have_count(2)
    visit.page.get_by_role("button", name="Cancel", exact=True).click()
    expect(visit.page.get_by_role("heading", name="Cancel 2 jobs?").first).to_be_visible()
    visit.page.get_by_role("button", name="Cancel the jobs").click()
    wait_until(BulkAction.objects.exists, what="the action to be asked for")
    run_jobs("cleanup")
    expect(visit.page.get_by_text("2 jobs were cancelled.")).to_be_visible(timeout=15_000)
    assert Job.objects.filter(state="cancelled").count() == 2


def test_it_runs_a_scheduled_job_now_on_a_phone(phone, staff):
    job_id = get_task("cleanup_expired_sessions").apply_async(countdown=999)
    phone.log_in()
    phone.open("admin:tasks_app_job_change", job_id)
    phone.page.get_by_role("link", name="Run now").click()
    phone.page.get_by_role("button", name="Run now").click()
    expect(phone.page.get_by_text("as soon as a worker is free")).to_be_visible()
    assert find_job(job_id, user=staff).state is JobState.QUEUED


def test_it_names_every_control_for_screen_readers(visit, fleet):
    visit.log_in()
    visit.open("admin:reports_app_report_add")
    expect(visit.page.get_by_role("combobox", name="Fleet")).to_be_visible()
    visit.open("admin:tasks_app_fleet_change", fleet.pk)
    visit.page.get_by_role("link", name="Add another Fleet membership").click()
    expect(visit.page.get_by_role("combobox", name="Role").first).to_be_visible()


def test_the_preview_of_a_message_template_shows_the_email(visit):
    own = MessageTemplate.objects.create(kind="speed", language="en", html="<p>Slow down, {{ vehicle }}!</p>")
    visit.log_in()
    visit.open("admin:notifications_app_messagetemplate_change", own.pk)
    visit.page.get_by_text("HTML of the e-mail").click()
    frame = visit.page.locator("iframe")
    frame.scroll_into_view_if_needed()
    expect(frame.content_frame.get_by_text("Slow down, Van 12!")).to_be_visible()


def test_a_rules_times_of_the_week_are_kept_with_the_keyboard_alone_on_a_phone(phone, fleet, operator):
    rule = make_rule(fleet, [operator])
    phone.log_in()
    phone.open("admin:notifications_app_rule_change", rule.pk)
    window = phone.page.get_by_role("group", name="Window 1")
    window.get_by_label("Friday").focus()
    phone.page.keyboard.press("Space")
    window.get_by_label("from").focus()
    phone.page.keyboard.type("1000PM")
    window.get_by_label("to", exact=True).focus()
    phone.page.keyboard.type("0600AM")
    phone.page.keyboard.press("Enter")
    expect(phone.page.get_by_text("was changed successfully")).to_be_visible()
    rule.refresh_from_db()
    assert rule.windows == [{"days": [4], "from": "22:00", "to": "06:00"}]


def test_a_long_address_in_a_notification_does_not_widen_a_phone(phone, device, fleet, operator):
    make_rule(fleet, [operator])
    record_events(device, EventKind.OVERSPEED, latitude=-23.55, longitude=-46.63)
    phone.log_in()
    phone.open("admin:notifications_app_notification_change", Notification.objects.get().pk)
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_keyboard_skips_the_side_bar(visit):
    visit.log_in()
    visit.choose("Devices")
    expect(visit.page.get_by_role("heading", name="Devices")).to_be_visible()
    visit.page.evaluate("document.activeElement.blur()")
    visit.page.keyboard.press("Tab")
    skip = visit.page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    visit.page.keyboard.press("Enter")
    assert visit.page.evaluate("document.activeElement.id") == "main-content"


def test_a_language_is_chosen_in_the_header_of_a_phone(phone):
    phone.log_in()
    phone.page.get_by_label("Language and time zone").click()
    phone.page.get_by_role("button", name="Português Brasileiro").click()
    expect(phone.page.get_by_role("heading", name="Visão geral")).to_be_visible()
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 360
    phone.page.get_by_label("Idioma e fuso horário").click()
    phone.page.get_by_role("link", name="Alterar fuso horário e unidades").click()
    phone.page.get_by_label("Fuso horário").last.fill("America/Sao_Paulo")
    phone.page.get_by_role("button", name="Salvar").click()
    expect(phone.page.get_by_text("Suas preferências foram salvas.")).to_be_visible()
