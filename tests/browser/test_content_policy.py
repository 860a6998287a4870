"""Pages in a real browser, which may run and load nothing but files of ours, and reports what it refused.

That no page has anything refused is seen where each is opened for its accessibility.

Uses the system's Chromium (or CHROMIUM_PATH); skips with its reason where there is none.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from notifications_app.models import MessageTemplate
from tests.browser.test_admin import browser as browser
from tests.support.refused import REPORT, refused_on
from tests.support.web import session_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def page(browser, live_server, staff) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_cookies([{"name": "sessionid", "value": session_of(staff), "url": live_server.url}])
    context.add_init_script(REPORT)
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


def test_the_pages_about_the_api_have_nothing_refused(page, live_server):
    page.goto(live_server.url + reverse("api:docs"), wait_until="load")
    assert refused_on(page) == []


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
