"""Every page in a real browser, which may run and load nothing but files of ours, and reports what it refused.

Uses the system's Chromium (or CHROMIUM_PATH); skips with its reason where there is none.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from notifications_app.models import MessageTemplate
from tasks_app.models import FleetRole
from tests.integration.accounts.test_page_rights import PAGES, page_patterns
from tests.support.route_cases import ensure_row, make_world, member
from tests.support.shown_pages import open_pages
from tests.support.web import session_of
from trackerproject.dev.chromium import find_chromium, running_chromium

pytestmark = pytest.mark.django_db(transaction=True)
REPORT = """
window.refused = [];
const report = console.error;
console.error = (...said) => {
  if (String(said[0]).startsWith("Expression")) window.refused.push(said.slice(0, 2).join(" "));
  report(...said);
};
document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI, sourceFile, lineNumber }) =>
  window.refused.push(`${effectiveDirective}: ${blockedURI} at ${sourceFile}:${lineNumber}`));
"""
# What is sent as a file, or leads elsewhere.
NO_PAGES = {"manifest", "report_download", "pick", "device_place", "device_replay", "login"}
# Rows that only a superuser's shell makes, or whose page leads to another one.
LISTS_ONLY = {"knox.authtoken"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of this module."""
    found = find_chromium()
    if not found:
        pytest.skip("no Chromium on PATH (install chromium, or set CHROMIUM_PATH)")
    with running_chromium(found) as running:
        yield running


@pytest.fixture
def page(browser, live_server, staff) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_cookies([{"name": "sessionid", "value": session_of(staff), "url": live_server.url}])
    context.add_init_script(REPORT)
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


def admin_addresses() -> Iterator[str]:
    """The overview; of every model its list, the form for a new row, and the page of a row."""
    yield reverse("admin:index")
    for model, model_admin in admin.site._registry.items():
        names = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{names}_changelist")
        yield reverse(f"{names}_add")
        if model._meta.label_lower not in LISTS_ONLY:
            yield reverse(f"{names}_change", args=[ensure_row(model).pk])
        if hasattr(model_admin, "export_action"):
            yield reverse(f"{names}_export")
    for name in ("tasks_app_job_start", "tasks_app_queues"):
        yield reverse(f"admin:{name}")
    for name in ("live_map", "own_settings", "api:docs"):
        yield reverse(name)


def page_addresses(world) -> Iterator[str]:
    for name, pattern in page_patterns().items():
        if PAGES[name]["staff"] == 200 and name not in NO_PAGES:
            rows = {**world, "schedule_id": world["report_schedule_id"]}
            yield reverse(f"pages:{name}", kwargs={one: rows.get(one, "none") for one in pattern.pattern.converters})


def troubles_of(page: Page, url: str) -> list[str]:
    """Load a page; return what its policy refused, and errors of its scripts."""
    found: list[str] = []
    page.once("pageerror", lambda error: found.append(str(error)))
    page.goto(url, wait_until="load")
    # Alpine starts after the scripts, and paints in the next frames.
    settled = (
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(window.refused))))"
    )
    return found + page.evaluate(settled)


def test_no_page_of_members_has_anything_refused(page, live_server, fleet, make_user):
    world = make_world(fleet, member(make_user, fleet, FleetRole.MANAGER))
    found = {path: troubles_of(page, live_server.url + path) for path in page_addresses(world)}
    assert len(found) > 20
    assert {path: troubles for path, troubles in found.items() if troubles} == {}


def test_no_page_that_is_open_to_all_has_anything_refused(page, live_server, fleet, staff):
    world = {**make_world(fleet, staff), "user": staff}
    found = {path: troubles_of(page, live_server.url + path) for path in open_pages(world)}
    assert {path: troubles for path, troubles in found.items() if troubles} == {}


def test_no_page_of_the_admin_has_anything_refused(page, live_server, fleet, make_user):
    make_world(fleet, member(make_user, fleet, FleetRole.MANAGER))
    found = {path: troubles_of(page, live_server.url + path) for path in admin_addresses()}
    assert len(found) > 60
    assert {path: troubles for path, troubles in found.items() if troubles} == {}


def test_the_themes_menus_open_without_eval(page, live_server, fleet):
    page.goto(live_server.url + reverse("admin:tasks_app_fleet_changelist"))
    page.get_by_role("checkbox").nth(1).check()
    expect(page.locator("#changelist-actions")).to_be_visible()
    assert page.locator("#changelist-actions").evaluate("one => one.style.width").endswith("px")
    # Two statements, an assignment and a global: the side bar is folded, and stays so.
    page.locator("[x-on\\:click*='sidebarDesktopOpen = ']").first.click()
    expect(page.locator("#nav-sidebar-apps")).to_be_hidden()
    page.reload()
    expect(page.locator("#nav-sidebar-apps")).to_be_hidden()
    assert page.evaluate("window.refused") == []


def test_an_e_mail_in_a_page_keeps_its_styles(page, live_server):
    template = MessageTemplate.objects.create(kind="speed", language="en", subject="Fast", text="Too fast")
    page.goto(live_server.url + reverse("admin:notifications_app_messagetemplate_change", args=[template.pk]))
    page.locator("details.tk-more summary").first.click()
    body = page.frame_locator("iframe.tk-email").first.locator("body")
    expect(body).to_have_css("background-color", "rgb(242, 244, 246)")
    assert page.evaluate("window.refused") == []


def test_the_browser_would_report_what_is_refused(page, live_server):
    page.goto(live_server.url + reverse("admin:index"))
    page.evaluate("""() => {
        const style = document.createElement("style");
        style.textContent = "body { color: red }";
        document.head.append(style);
        const script = document.createElement("script");
        script.textContent = "window.ran = true";
        document.head.append(script);
    }""")
    page.wait_for_function("window.refused.length >= 2")
    assert page.evaluate("window.ran") is None
