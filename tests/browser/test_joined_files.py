"""Pages with their files joined, hashed and compressed, as in production: other browser tests load them one by one."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tasks_app.models import Device
from tests.browser.test_admin import browser, visit_of
from tests.browser.test_live_map import enter
from tests.browser.test_rules import choose
from tests.support.web import collected_static, running_web

__all__ = ["browser"]
pytestmark = pytest.mark.django_db(transaction=True)


def test_scripts_work_joined_and_few_files_are_loaded(browser, staff, fleet, device, tmp_path):
    with running_web(tmp_path, **collected_static(tmp_path)) as server:
        for visit in visit_of(browser, server.url):
            page = enter(visit, staff).page
            loaded: list[str] = []
            page.on("request", lambda request, kept=loaded: kept.append(request.url))
            visit.open("live_map")
            expect(page.get_by_role("status")).to_have_text("Live")
            assert len(loaded) < 12
            loaded.clear()
            visit.open("admin:tasks_app_device_add")
            assert len(loaded) < 12
            page.locator("[name=name]").fill("Lorry")
            page.locator("[name=unique_id]").fill("lorry-1")
            choose(visit, "fleet", fleet.name)
            page.get_by_role("button", name="Save", exact=True).click()
            expect(page.get_by_role("link", name="Lorry").first).to_be_visible()
            page.locator("input.action-select").first.check()
            expect(page.get_by_text("1 of 2 selected")).to_be_visible()
    assert Device.objects.get(unique_id="lorry-1").fleet == fleet
