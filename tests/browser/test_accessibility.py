"""Every page, as axe-core sees it: nothing that keeps people out, on a desk and on a phone, in light and in dark colours.

Nor has any of them an error of a script, or anything that its content policy refused.

axe-core comes with the package axe-playwright-python. What it finds of "minor" impact is left aside; all else fails. A page
is loaded once; then its width and colours change in place. All rules are tried on both widths, those about colours in
both colours too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from django.urls import reverse
from knox.models import AuthToken
from playwright.sync_api import Browser, Page, expect

from reports_app.services.generation import generate_report
from tasks_app.engine import get_task
from tasks_app.models import FleetMembership, FleetRole
from tests.browser.test_admin import browser as browser
from tests.support.refused import REPORT, refused_on
from tests.support.reports import drive, requested_report
from tests.support.route_cases import make_world
from tests.support.shown_pages import FORBIDDEN, admin_pages, member_pages, open_pages
from tests.support.web import WebServer, running_web, session_of

pytestmark = pytest.mark.django_db(transaction=True)

# target-size is not among those that axe tries unless asked.
ALL_RULES = {"rules": {"target-size": {"enabled": True}}}
# Each colour and each width once; no colour depends on a width.
LOOKS = [("light", 1440), ("dark", 360)]
RUN = """([without, options]) => axe.run(
    {include: document, exclude: without}, {...options, resultTypes: ["violations"]},
).then((found) => found.violations)"""
SIDE_BAR = "#nav-sidebar"
STATUSES = {FORBIDDEN: 403, "/admin/nowhere/": 404, "/nowhere/": 404, "/devices/999999/": 404}
WIDTH_IN_TEXT_OF = """size => {
    document.documentElement.style.fontSize = size;
    return document.documentElement.scrollWidth;
}"""
# The admin's theme takes colours from a class, as its own switch does; pages at / follow the device. Colours that are
# still on their way would be taken for those of the page.
TAKE_COLOURS = """scheme => {
    const root = document.documentElement;
    if (!root.dataset.theme) ["dark", "light"].forEach((name) => root.classList.toggle(name, name === scheme));
    // A bar over the end of a page covers parts of what can be scrolled from below it. axe would take them for small targets.
    document.getElementById("submit-row")?.style.setProperty("position", "static");
    // axe judges no colour of a text of one letter.
    document.querySelectorAll(".tk-stat b").forEach((figure) => (figure.textContent = "100"));
    root.getBoundingClientRect();
    document.getAnimations().filter((one) => one instanceof CSSTransition).forEach((one) => one.finish());
}"""


@pytest.fixture(scope="module")
def web(django_db_setup, tmp_path_factory) -> Iterator[WebServer]:
    with running_web(tmp_path_factory.mktemp("web")) as server:
        yield server


@pytest.fixture
def world(fleet, staff, device) -> dict[str, Any]:
    """A row of everything, a driven day, a ready report and one that waits, and a job that waits."""
    FleetMembership.objects.create(user=staff, fleet=fleet, role=FleetRole.MANAGER)
    drive(device)
    report = requested_report(device, staff)
    generate_report(report.pk)
    queued = requested_report(device, staff, fresh=True)
    AuthToken.objects.create(user=staff)
    rows = make_world(fleet, staff)
    waiting = get_task("cleanup_expired_sessions").apply_async(countdown=9999)
    reports = {"report_id": report.pk, "queued_report_id": queued.pk, "failed_report_id": rows["report_id"]}
    return {**rows, **reports, "device_id": device.pk, "user": staff, "waiting": waiting}


@pytest.fixture
def page(browser: Browser, web) -> Iterator[Page]:
    context = browser.new_context()
    context.set_default_timeout(15_000)
    context.add_init_script(REPORT)
    yield context.new_page()
    context.close()


def sign_in(page: Page, web: WebServer, user: Any) -> None:
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session_of(user), "url": web.url}
    page.context.add_cookies([{**cookie, "httpOnly": True, "sameSite": "Lax"}])


def troubles_of(page: Page, *, without: str = "nothing") -> list[str]:
    """Return what axe finds on the page as it is now, in every look: rule, impact, where, and the first elements.

    A page that is wider than the screen, in text of its size or of twice that, is among them.
    """
    page.evaluate(AXE_SCRIPT)
    found = []
    for scheme, width in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.evaluate(TAKE_COLOURS, scheme)
        for size in ("200%", "100%"):
            if (needed := page.evaluate(WIDTH_IN_TEXT_OF, size)) > width:
                found.append(f"scrolls to the side: {needed} pixels ({scheme} {width}) in text of {size}")
        for violation in page.evaluate(RUN, [[without], ALL_RULES]):
            nodes = [node["html"][:160] for node in violation["nodes"]]
            if violation["impact"] != "minor":
                rule = f"{violation['id']} ({violation['impact']}, {len(nodes)} times, {scheme} {width})"
                found.append(f"{rule}: {' '.join(nodes[:4])}")
    return found


def troubles(page: Page, web: WebServer, addresses: list[str]) -> dict[str, list[str]]:
    """Return what is found on these pages, each of which is there; the side bar, which all have, is looked at on the first."""
    found, without = {}, "nothing"
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    for address in addresses:
        page.set_viewport_size({"width": 1440, "height": 900})
        page.emulate_media(color_scheme="light")
        answer = page.goto(web.url + address)
        # Autocompletes get their names in the moment after the load.
        expect(page.locator(".select2-selection:not([aria-label])")).to_have_count(0)
        # A page that leads to another one is none.
        assert (answer.request.redirected_from, answer.status) == (None, STATUSES.get(address, 200)), address
        if wrong := [*refused_on(page), *errors, *troubles_of(page, without=without)]:
            found[address] = wrong
        errors.clear()
        without = SIDE_BAR
    return found


def test_pages_of_members_keep_nobody_out(page, web, staff, world):
    sign_in(page, web, staff)
    assert troubles(page, web, member_pages(world)) == {}


def test_pages_of_the_admin_keep_nobody_out(page, web, staff, world):
    sign_in(page, web, staff)
    assert troubles(page, web, admin_pages(world)) == {}


def ask_action(page: Page, name: str) -> None:
    """Ask for an action on the first row of a list of the admin."""
    page.locator("tbody .action-select").first.check()
    page.locator("select[name=action]").select_option(name)
    page.locator("#changelist-form button[name=index]").click()


def add_destination(page: Page) -> None:
    page.get_by_label("Channel").select_option("webhook")
    page.get_by_label("Name").fill("Control room")
    page.get_by_label("Address").fill("https://example.org/hook")
    page.get_by_role("button", name="Add").click()


def send_empty(page: Page) -> None:
    """Send the form past the browser's own checks."""
    page.locator("main form[method=post]").last.evaluate("form => form.submit()")


# Pages that only the answer to a form shows: its address, what to do there, and a part of the answer.
ANSWERS: list[tuple[str, Callable[[Page], None], str]] = [
    ("pages:access", lambda page: page.get_by_role("button", name="Create a token").click(), "Your new token"),
    ("pages:destination_add", add_destination, "Control room"),
    (
        "pages:report_schedule_add",
        lambda page: page.locator("main form").evaluate("form => form.submit()"),
        "This field is required",
    ),
    ("admin:tasks_app_device_changelist", lambda page: ask_action(page, "issue_keys"), "Issue new keys?"),
    ("admin:tasks_app_fleet_changelist", lambda page: ask_action(page, "delete_selected"), "would require deleting"),
    (
        "admin:notifications_app_rule_add",
        lambda page: page.locator("#rule_form").evaluate("form => form.submit()"),
        "This field is required",
    ),
]


@pytest.mark.parametrize(("name", "act", "part"), ANSWERS, ids=[answer[0] for answer in ANSWERS])
def test_answers_to_forms_keep_nobody_out(page, web, staff, world, name, act, part):
    sign_in(page, web, staff)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(web.url + reverse(name))
    act(page)
    expect(page.locator("body")).to_contain_text(part)
    page.wait_for_load_state()
    expect(page.locator(".select2-selection:not([aria-label])")).to_have_count(0)
    assert troubles_of(page, without=SIDE_BAR) == []


def test_pages_before_signing_in_keep_nobody_out(page, web, world):
    assert troubles(page, web, open_pages(world)) == {}


def test_it_finds_what_is_wrong(page):
    page.set_content(
        "<html lang=en><title>Nothing</title>"
        "<main><h1>Hello</h1><input><p style='width: 500px'>Wide</p></main>"
        "<style>@media (prefers-color-scheme: dark) { body { background: #111; color: #222 } }</style></html>"
    )
    troubles = troubles_of(page)
    looks = [trouble.partition("(")[2].partition(")")[0].split(", ")[-1] for trouble in troubles]
    found = zip([trouble.split(" ")[0] for trouble in troubles], looks, strict=True)
    assert sorted(found) == [
        ("color-contrast", "dark 360"),
        ("label", "dark 360"),
        ("label", "light 1440"),
        ("scrolls", "dark 360"),
        ("scrolls", "dark 360"),
    ]
