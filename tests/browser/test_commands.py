"""Commands in a real browser: asked for, watched as they are sent and answered, and the typed name of a dangerous one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, expect

from notifications_app.models import NotificationPreference
from tasks_app.models import Command, DeviceAccess, FleetMembership, FleetRole
from tasks_app.services.commands import record_answer, sweep_commands
from tests.browser.test_admin import Visit, browser, visit_of  # noqa: F401 - a fixture
from tests.browser.test_live_map import enter, web  # noqa: F401 - a fixture
from tests.support.commands import Wire, a_fix, send
from tests.support.looks import BOTH, DESK, Look

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def manager(fleet, make_user, device):
    """Mara, and a device that can be sent commands, though it is not connected."""
    DeviceAccess.objects.create(device=device, protocol="gt06")
    user = make_user(username="mara")
    FleetMembership.objects.create(user=user, fleet=fleet, role=FleetRole.MANAGER)
    return user


@pytest.fixture
def look() -> Look:
    """The look of tests that have one."""
    return DESK


@pytest.fixture
def visit(browser: Browser, web, manager, look) -> Iterator[Visit]:  # noqa: F811
    NotificationPreference.objects.create(user=manager, language=look.language)
    for found in visit_of(browser, web.url, **look.options):
        yield enter(found, manager)


@pytest.mark.parametrize("look", BOTH, ids=str)
def test_a_position_is_asked_for_and_what_becomes_of_it_is_seen_without_reloading(visit, web, device, look):  # noqa: F811
    page, say = visit.page, look.say
    page.goto(web.url + reverse("pages:device_commands", args=[device.pk]))
    page.get_by_role("link", name=say("Ask for position")).click()
    page.get_by_role("button", name=say("Send"), exact=True).click()
    state = page.locator("[data-command]")
    expect(state).to_contain_text(say("Queued"))
    command = Command.objects.get()
    wire = Wire()
    send(command, wire)
    expect(state).to_contain_text(say("Sent, not answered"))
    expect(page.get_by_text(wire.written[0].text, exact=True)).to_be_visible()
    expect(state).not_to_contain_text(say("Done"))
    record_answer(
        device_id=device.unique_id,
        protocol="gt06",
        text="Lat:1 Lon:2",
        token=wire.tokens[0],
        received_at=timezone.now(),
    )
    expect(state).to_contain_text(say("Done"))
    expect(page.get_by_text("Lat:1 Lon:2").first).to_be_visible()


@pytest.mark.parametrize("look", BOTH, ids=str)
def test_one_that_cannot_be_sent_in_time_expires_in_the_list(visit, web, device, look):  # noqa: F811
    """Look at the list of the device at a desk, at that of all devices on a phone."""
    page, say = visit.page, look.say
    page.goto(web.url + reverse("pages:device_command_send", args=[device.pk, "position_request"]))
    page.get_by_role("button", name=say("Send"), exact=True).click()
    page.wait_for_url("**/commands/*/")
    if look == DESK:
        page.goto(web.url + reverse("pages:device_commands", args=[device.pk]))
    else:
        page.get_by_role("link", name=say("Commands"), exact=True).first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(say("Commands"))
    row = page.locator("tr[data-command]")
    expect(row).to_contain_text(say("Queued"))
    sweep_commands(now=timezone.now() + timedelta(minutes=11))
    expect(row).to_contain_text(say("It could not be sent in time."))


def test_a_dangerous_command_is_sent_once_the_devices_name_is_typed(visit, web, device):  # noqa: F811
    page = visit.page
    a_fix(device)
    page.goto(web.url + reverse("pages:device_command_send", args=[device.pk, "engine_stop"]))
    page.get_by_role("button", name="Send").click()
    field = page.get_by_label(f"Type {device.name} to confirm")
    expect(field).to_be_focused()
    expect(page.get_by_role("alert").filter(has_text="to confirm")).to_be_visible()
    assert not Command.objects.exists()
    a_fix(device)
    field.fill(device.name)
    page.get_by_role("button", name="Send").click()
    expect(page.locator("[data-command]")).to_contain_text("Queued")
    assert Command.objects.get().type == "engine_stop"
