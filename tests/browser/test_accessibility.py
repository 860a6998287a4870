"""Every page, as axe-core sees it: nothing that keeps people out, on a desk in light and on a phone in dark colours.

axe-core comes with the package axe-playwright-python. What it finds of "minor" impact is left aside; all else fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from django.contrib import admin
from django.test import Client
from django.urls import get_resolver, reverse
from knox.models import AuthToken
from playwright.sync_api import Browser, Page

from reports_app.services.generation import generate_report
from tasks_app.engine import get_task
from tasks_app.models import FleetMembership, FleetRole, Position
from tests.browser.test_admin import browser as browser
from tests.support.reports import drive, requested_report
from tests.support.route_cases import ensure_row, make_world
from tests.support.web import WebServer, running_web, session_of

pytestmark = pytest.mark.django_db(transaction=True)
LOOKS = [("light", 1440), ("dark", 360)]
RUN = "axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations)"

ADMIN_PAGES = ["admin:index", "live_map", "admin:tasks_app_job_start", "admin:tasks_app_queues", "own_settings"]


@pytest.fixture(scope="module")
def web(django_db_setup, tmp_path_factory) -> Iterator[WebServer]:
    with running_web(tmp_path_factory.mktemp("web")) as server:
        yield server


@pytest.fixture
def world(fleet, staff, device) -> dict[str, Any]:
    """A row of everything, a driven day, a ready report and a job that waits."""
    FleetMembership.objects.create(user=staff, fleet=fleet, role=FleetRole.MANAGER)
    drive(device)
    report = requested_report(device, staff)
    generate_report(report.pk)
    AuthToken.objects.create(user=staff)
    rows = make_world(fleet, staff)
    waiting = get_task("cleanup_expired_sessions").apply_async(countdown=9999)
    return {**rows, "driven": device.pk, "report_id": report.pk, "waiting": waiting}


def member_pages(world: dict[str, Any]) -> list[str]:
    """Every page at / that needs no row, and those of the rows of `world`."""
    device, report = [world["driven"]], [world["report_id"]]
    (included,) = [found for found in get_resolver().url_patterns if getattr(found, "namespace", None) == "pages"]
    without_row = [pattern.name for pattern in included.url_patterns if not pattern.pattern.converters]
    return [
        *(reverse(f"pages:{name}") for name in without_row if name not in ("login", "manifest")),
        *(reverse(f"pages:{name}", args=device) for name in ("device", "device_positions", "device_settings")),
        reverse("pages:device_day", args=device) + "?date=2026-03-02",
        reverse("pages:trips") + "?device=Van 1&date=2026-03-02",
        *(reverse(f"pages:{name}", args=report) for name in ("report", "report_compare", "report_delete")),
        reverse("pages:geofence_edit", args=[world["geofence_id"]]),
        reverse("pages:report_ask_kind", args=["trips"]),
        reverse("pages:report_schedule", args=[world["report_schedule_id"]]),
        reverse("pages:destination_delete", args=[world["destination_id"]]),
        "/devices/999999/",
    ]


def admin_pages(world: dict[str, Any]) -> list[str]:
    """The list and the form of a row of every model, and the pages that are not of a model."""
    found = [reverse(name) for name in ADMIN_PAGES]
    for job in (world["task_id"], world["waiting"]):
        found.append(reverse("admin:tasks_app_job_change", args=[job]))
    found.append(reverse("admin:tasks_app_job_cancel", args=[world["waiting"]]))
    found.append(reverse("admin:tasks_app_job_start_task", args=["generate_device_report"]))
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        found.append(reverse(f"{name}_changelist"))
        if model is not Position:
            found.append(reverse(f"{name}_change", args=[ensure_row(model).pk]))
    return found


def opened(user: Any, addresses: list[str]) -> list[str]:
    """The addresses that show a page to this user; the others are tested where rights are."""
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[-1])
    return [address for address in addresses if client.get(address).status_code in (200, 404)]


def troubles_of(page: Page) -> list[str]:
    """Return what axe finds on the page as it is now: rule, impact, how often, and the first element."""
    page.evaluate(AXE_SCRIPT)
    found = []
    for violation in page.evaluate(RUN):
        nodes = [node["html"][:160] for node in violation["nodes"]]
        if violation["impact"] != "minor":
            found.append(f"{violation['id']} ({violation['impact']}, {len(nodes)} times): {nodes[0]}")
    return found


def troubles(
    browser: Browser, web: WebServer, user: Any, addresses: list[str], look: tuple[str, int]
) -> dict[str, list[str]]:
    scheme, width = look
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    if user is not None:
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session_of(user), "url": web.url}
        context.add_cookies([{**cookie, "httpOnly": True, "sameSite": "Lax"}])
    page = context.new_page()
    found = {}
    for address in addresses:
        page.goto(web.url + address)
        if wrong := troubles_of(page):
            found[address] = wrong
    context.close()
    return found


@pytest.mark.parametrize("look", LOOKS)
def test_pages_of_members_keep_nobody_out(browser, web, staff, world, look):
    addresses = opened(staff, member_pages(world))
    assert len(addresses) > 25
    assert troubles(browser, web, staff, addresses, look) == {}


@pytest.mark.parametrize("look", LOOKS)
def test_pages_of_the_admin_keep_nobody_out(browser, web, staff, world, look):
    addresses = opened(staff, admin_pages(world))
    assert len(addresses) > 50
    assert troubles(browser, web, staff, addresses, look) == {}


@pytest.mark.parametrize("look", LOOKS)
def test_pages_before_signing_in_keep_nobody_out(browser, web, db, look):
    assert troubles(browser, web, None, [reverse("pages:login"), reverse("admin:login"), "/nowhere/"], look) == {}


def test_it_finds_what_is_wrong(browser):
    page = browser.new_page()
    page.set_content("<html lang=en><title>Nothing</title><main><h1>Hello</h1><input></main></html>")
    assert [trouble.split(" ")[0] for trouble in troubles_of(page)] == ["label"]
    page.close()
