"""Rules, message templates and destinations in a real browser: what they will do is seen before anybody is notified."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from notifications_app.messages.rendering import Message, Recipient, render_builtin
from notifications_app.messages.spot import Spot
from notifications_app.models import Destination, MessageTemplate, Notification, Rule
from notifications_app.queries.summary import FleetSummary
from notifications_app.services.destinations import add_destination
from notifications_app.services.texts import clear_cache
from tasks_app.models import DeviceState, Event
from tests.browser.test_admin import PASSWORD, Visit, browser, phone, scriptless, visit, visit_of
from tests.browser.test_schedules import pick_with_keys
from tests.support.notifications import make_geofence, make_rule
from tests.support.receiver import status

__all__ = ["browser", "phone", "scriptless", "visit"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hook(operator, receiver) -> Destination:
    return add_destination(user=operator, kind="webhook", name="Mine", url=receiver.url)


@pytest.fixture
def member(browser, live_server, operator) -> Iterator[Visit]:
    """Ana, an operator, at a phone in Portuguese."""
    yield from visit_of(browser, live_server.url, width=360, color_scheme="dark", locale="pt-BR")


def choose(visit: Visit, field: str, text: str) -> None:
    """Choose a row in a select of the admin by a part of its name."""
    visit.page.locator(f".field-{field} .select2-selection").click()
    visit.page.locator(".select2-search__field").last.type(text)
    visit.page.locator(".select2-results__option", has_text=text).first.click()


def test_the_sentence_and_the_map_follow_what_is_typed(visit, fleet, operator, device, make_device):
    DeviceState.objects.create(device=device, latitude=-23.55, longitude=-46.63, status="online")
    make_device(name="Lorry")
    make_geofence(fleet)
    visit.log_in()
    visit.open("admin:notifications_app_rule_add")
    page, sentence = visit.page, visit.page.locator("[data-sentence]")
    page.locator("[name=event_kinds][value=geofence_exit]").check()
    expect(sentence).to_have_text("Notify nobody through no channel when any vehicle leaves a geofence")
    choose(visit, "fleet", "Depot North")
    expect(sentence).to_contain_text("when any vehicle of Depot North leaves a geofence")
    expect(page.locator("[data-device-count]")).to_have_text("2")
    expect(page.locator("[data-geofence-count]")).to_have_text("1")
    choose(visit, "devices", "Van 1")
    page.locator("[name=roles][value=operator]").check()
    page.locator("[name=channels][value=email]").check()
    page.locator("[name=cooldown_minutes]").fill("10")
    expect(sentence).to_have_text(
        "Notify every operator by e-mail when Van 1 leaves a geofence; at most every 10 min per vehicle"
    )
    expect(page.locator("[data-device-count]")).to_have_text("1")
    shown = page.evaluate("document.getElementById('rule-map').trackerMap.devices.bounds().getCenter()")
    assert (shown["lat"], shown["lng"]) == (-23.55, -46.63)

    # What is wrong stands beside its field, and no sentence pretends.
    page.locator("[name=cooldown_minutes]").fill("-3")
    expect(page.locator(".field-cooldown_minutes .tk-field-errors")).to_contain_text("greater than or equal to 0")
    expect(sentence).to_contain_text("once the fields that are marked are right")
    page.locator("[name=cooldown_minutes]").fill("0")
    expect(page.locator(".field-cooldown_minutes .tk-field-errors")).to_have_text("")
    # A name that was never touched is not complained of; one that was emptied is.
    expect(page.locator(".field-name .tk-field-errors")).to_have_count(0)
    page.locator("[name=name]").fill("x")
    page.locator("[name=name]").fill("")
    expect(page.locator(".field-name .tk-field-errors")).to_have_text("This field is required.")
    page.locator("[name=name]").fill("Night")
    assert not Rule.objects.exists()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Notify every operator by e-mail when Van 1 leaves a geofence")).to_be_visible()
    assert Rule.objects.get().name == "Night"


def test_the_sentence_is_in_portuguese_on_a_phone(phone, fleet, operator):
    rule = make_rule(fleet, [operator], kinds=["overspeed"], channels=["email"])
    phone.log_in()
    phone.page.get_by_label("Language and time zone").click()
    phone.page.get_by_role("button", name="Português Brasileiro").click()
    expect(phone.page.get_by_role("heading", name="Visão geral")).to_be_visible()
    phone.open("admin:notifications_app_rule_change", rule.pk)
    phone.page.locator("[name=min_speed_kph]").fill("95")
    expect(phone.page.locator("[data-sentence]")).to_contain_text("acima de 95 km/h")
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("kind", ["geofence", "daily_summary", "report_ready"])
def test_an_email_is_no_wider_than_a_phone_whatever_the_names_in_it(kind, browser):
    named = {"vehicle": "W" * 100, "fleet": "W" * 100, "geofence": "W" * 100, "about": "W" * 100}
    figures = FleetSummary("W" * 100, 2, 1, 1, top_devices=[("W" * 100, 7)], offline_devices=[("W" * 100, None)])
    message = Message(
        kind,
        {
            "heading": "W" * 100,
            **named,
            "spot": Spot(timezone.now()),
            "first_day": timezone.now(),
            "last_day": timezone.now(),
            "fleets": [figures],
            "entered": True,
        },
    )
    page = browser.new_page(viewport={"width": 360, "height": 800})
    page.set_content(render_builtin(message, Recipient("en", "UTC")).html)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.close()


def test_a_rule_is_tried_by_the_name_of_a_device_without_an_event(visit, fleet, operator, device, make_device):
    make_device(name="Lorry")
    depot = make_geofence(fleet)
    rule = make_rule(fleet, [operator], kinds=["geofence_enter"], geofences=[depot], devices=[device], name="Gate")
    visit.log_in()
    visit.open("admin:notifications_app_rule_change", rule.pk)
    page = visit.page
    page.get_by_role("button", name="Dry run").click()
    pick_with_keys(page, "Device", "lorr", "Lorry")
    pick_with_keys(page, "Geofence", "dep", "Depot")
    page.get_by_label("Time", exact=True).fill("2026-11-26T23:30")
    expect(page.get_by_label("Alarm")).to_be_hidden()
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_text("The rule does not match this event.")).to_be_visible()
    wrong = page.get_by_role("row").filter(has_text="✗")
    expect(wrong).to_have_count(1)
    expect(wrong).to_contain_text("Lorry")

    page.get_by_role("combobox", name="Device").fill("")
    pick_with_keys(page, "Device", "van 1", "Van 1")
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_text("The rule matches: 1 person is notified at once.")).to_be_visible()
    expect(page.get_by_role("region", name="People")).to_contain_text(f"E-mail: {operator.email}")
    expect(page.get_by_role("region", name="The message")).to_contain_text("Van 1 entered Depot")
    # Back in the form, what is typed there is tried on the same event, before it is saved.
    page.get_by_role("button", name="Back to the form").click()
    page.locator("[name=event_kinds][value=geofence_enter]").uncheck()
    page.locator("[name=event_kinds][value=geofence_exit]").check()
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_text("The rule does not match this event.")).to_be_visible()
    expect(page.get_by_role("combobox", name="Device")).to_have_value(re.compile("^Van 1"))
    assert Rule.objects.get().event_kinds == ["geofence_enter"]
    assert not Event.objects.exists()
    assert not Notification.objects.exists()


def test_a_rule_is_tried_without_scripts(scriptless, fleet, operator, device):
    rule = make_rule(fleet, [operator], kinds=["alarm"])
    scriptless.log_in()
    scriptless.open("admin:notifications_app_rule_dry_run", rule.pk)
    scriptless.page.get_by_label("Device").fill("Van 1")
    scriptless.page.get_by_label("Kind of event").select_option("alarm")
    scriptless.page.get_by_label("Alarm", exact=True).fill("sos")
    scriptless.page.get_by_role("button", name="Try").click()
    expect(scriptless.page.get_by_text("The rule matches: 1 person is notified at once.")).to_be_visible()


def test_a_template_is_previewed_while_it_is_typed(visit, device):
    clear_cache()
    data = {"speed_kph": 133, "speed_limit_kph": 80}
    Event.objects.create(device=device, kind="overspeed", occurred_at=device.created_at, data=data)
    visit.log_in()
    visit.open("admin:notifications_app_messagetemplate_add")
    page = visit.page
    subject = page.locator("[data-preview-of=own] [data-subject]")
    # The built-in text of the first kind stands there before anything is typed.
    expect(subject).to_have_text("Van 12 entered Depot")
    page.locator("select[name=kind]").select_option("speed")
    expect(page.locator("[data-names]")).to_contain_text("{{ speed_limit }}")
    page.locator("[name=subject]").fill("{{ vehicle }}: {{ speed }}!")
    expect(subject).to_have_text("Van 12: 102 km/h!")
    page.get_by_label("Values").select_option(index=1)
    expect(subject).to_have_text("Van 1: 133 km/h!")
    page.locator("select[name=language]").select_option("pt-br")
    expect(page.locator("[data-preview-of=own] [data-text]")).to_contain_text("Velocidade")
    page.locator("[name=html]").fill("<p>Slow <b>down</b></p>")
    page.get_by_text("HTML of the e-mail").click()
    expect(page.frame_locator("iframe").get_by_text("Slow down")).to_be_visible()

    page.locator("[name=text]").fill("Hi\n{{ vehicel }}")
    expect(page.locator(".field-text .tk-field-errors")).to_contain_text("Line 2: There is no vehicel; there are")
    expect(page.get_by_text("this is the preview from before")).to_be_visible()
    expect(subject).to_have_text("Van 1: 133 km/h!")
    assert not MessageTemplate.objects.exists()


def test_staff_send_a_test_and_see_the_answer_as_it_comes(visit, hook, run_jobs):
    visit.log_in()
    visit.open("admin:notifications_app_destination_change", hook.pk)
    visit.page.get_by_role("button", name="Send a test").click()
    expect(visit.page.locator("[data-test-pending]")).to_have_count(1)
    run_jobs("notifications")
    expect(visit.page.locator("[data-tests]")).to_contain_text("200 thanks")
    expect(visit.page.locator("[data-test-pending]")).to_have_count(0)


def test_staff_see_that_a_test_switched_the_destination_off(visit, hook, receiver, run_jobs):
    receiver.answer = status(410)
    visit.log_in()
    visit.open("admin:notifications_app_destination_change", hook.pk)
    page = visit.page
    page.get_by_role("button", name="Send a test").click()
    expect(page.locator("[data-test-pending]")).to_have_count(1)
    expect(page.get_by_label("Enabled")).to_be_checked()
    run_jobs("notifications")
    expect(page.locator("[data-tests]")).to_contain_text("Switched off")
    expect(page.get_by_label("Enabled")).not_to_be_checked()
    expect(page.locator(".readonly").get_by_text("410 because")).to_be_visible()
    page.get_by_role("button", name="Save", exact=True).click()
    hook.refresh_from_db()
    assert not hook.is_enabled


def test_members_send_a_test_and_see_the_answer_in_portuguese(member, hook, receiver, run_jobs):
    page = member.page
    member.open("pages:login")
    page.fill("[name=username]", "ana")
    page.fill("[name=password]", PASSWORD)
    page.click("[type=submit]")
    page.wait_for_url(f"{member.base_url}{reverse('pages:home')}")
    member.open("pages:destinations")
    page.get_by_role("button", name="Enviar um teste").click()
    expect(page.locator("[data-test-pending]")).to_have_count(1)
    run_jobs("notifications")
    expect(page.locator("[data-tests]")).to_contain_text("200 thanks")
    assert page.evaluate("document.documentElement.scrollWidth") == 360

    receiver.answer = status(410)
    page.get_by_role("button", name="Enviar um teste").click()
    run_jobs("notifications")
    expect(page.get_by_role("button", name="Ativar")).to_be_visible()
