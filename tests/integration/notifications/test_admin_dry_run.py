"""Dry runs in the admin: of one rule and of all, by the name of a device, for staff without a number of an event."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone

from notifications_app.models import Destination, MessageTemplate, NotificationPreference
from notifications_app.services.texts import clear_cache
from tasks_app.models import DeviceState, Event, Fleet
from tests.integration.notifications.test_admin_rule_drafts import NONSENSE
from tests.support.notifications import make_geofence, make_rule
from tests.support.rights import changed_tables, database_state, give, pages_of

pytestmark = pytest.mark.django_db
ALL_RULES = "admin:notifications_app_rule_try_out"


def plain(answer) -> str:
    """Return the page as one line of text."""
    assert answer.status_code == 200, answer.content
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def tried(page, rule, **asked) -> str:
    return plain(page.get(reverse("admin:notifications_app_rule_dry_run", args=[rule.pk]), asked))


@pytest.fixture
def speeding(fleet, operator, device):
    return make_rule(fleet, [operator], kinds=["overspeed"], channels=["email", "webhook"], devices=[device],
                     min_speed_kph=80, windows=[{"days": [0, 1, 2, 3, 4, 5, 6], "from": "22:00", "to": "06:00"}],
                     cooldown_minutes=30)  # fmt: skip


def test_it_says_condition_by_condition_why_a_rule_does_not_match(page, speeding, make_device):
    make_device(unique_id="lorry-1", name="Lorry 1")
    # 15:00 UTC is 12:00 in Sao Paulo, a Thursday.
    text = tried(page, speeding, device="Lorry 1", kind="overspeed", speed_kph="70", at="2026-11-26T15:00")
    assert "The rule does not match this event." in text
    assert "Kind of event Overspeed Overspeed ✓ yes" in text
    assert "Fleet Depot North Depot North ✓ yes" in text
    assert "Device Van 1 Lorry 1 ✗ no" in text
    assert "Speed above 80 km/h 70 km/h ✗ no" in text
    assert "Time at night from 22:00 to 06:00 (Sao Paulo) Thursday, 12:00 (Sao Paulo) ✗ no" in text
    assert "Last alert at most every 30 min per vehicle none yet ✓ yes" in text


def test_it_says_who_is_notified_by_which_way_and_how_the_message_reads(page, speeding, operator):
    Destination.objects.create(user=operator, kind="webhook", name="My server", address="https://x")
    text = tried(page, speeding, device="van-1", kind="overspeed", speed_kph="101", at="2026-11-26T02:00")
    assert "The rule matches: 1 person is notified at once." in text
    assert f"ana Notified at once Notified at once. E-mail: {operator.email} Webhook: My server" in text
    assert "As it reads for ana Van 1 is driving 101 km/h (limit 90 km/h)" in text


def test_a_channel_that_reaches_nothing_is_named(page, speeding, operator):
    text = tried(page, speeding, device="van-1", kind="overspeed", speed_kph="101", at="2026-11-26T02:00")
    assert "Webhook: no destination, nothing is sent" in text


def test_quiet_hours_and_digests_say_when(page, fleet, operator, device):
    NotificationPreference.objects.create(user=operator, time_zone="UTC", quiet_from="01:00", quiet_to="05:00")
    rule = make_rule(fleet, [operator], kinds=["ignition_on"], channels=["in_app"])
    text = tried(page, rule, device="Van 1", kind="ignition_on", at="2026-11-26T02:00")
    assert "1 person is notified later" in text
    assert "Held until the quiet hours end." in text
    assert "05:00:00" in text


def test_what_has_just_begun_waits_and_what_was_too_short_is_refused(page, fleet, operator, device):
    rule = make_rule(fleet, [operator], kinds=["overspeed"], min_duration_minutes=5)
    begun = tried(page, rule, device="Van 1", kind="overspeed")
    assert "The rule matches once this has lasted long enough" in begun
    over = tried(page, rule, device="Van 1", kind="overspeed", minutes="2")
    assert "Duration for at least 5 min 2 min ✗ no" in over


def test_a_geofence_is_entered_or_the_event_is_inside_it(page, fleet, operator, device):
    depot, yard = make_geofence(fleet), make_geofence(fleet, "Yard")
    rule = make_rule(fleet, [operator], kinds=["geofence_enter", "ignition_on"], geofences=[depot])
    rule.within_geofences.set([depot, yard])
    assert "The rule matches" in tried(page, rule, device="Van 1", kind="geofence_enter", geofence="Depot")
    other = tried(page, rule, device="Van 1", kind="geofence_enter", geofence="Yard")
    assert "Geofence Depot Yard ✗ no" in other
    inside = tried(page, rule, device="Van 1", kind="ignition_on", geofence="Yard")
    assert "Only inside Depot or Yard Yard ✓ yes" in inside
    assert "in none of them ✗ no" in tried(page, rule, device="Van 1", kind="ignition_on")
    DeviceState.objects.create(device=device, latitude=-23.55, longitude=-46.63, status="online")
    assert "Only inside Depot or Yard Depot or Yard ✓ yes" in tried(page, rule, device="Van 1", kind="ignition_on")
    assert "Choose the geofence" in tried(page, rule, device="Van 1", kind="geofence_enter")


def test_the_last_days_are_counted_and_one_of_them_tried(page, fleet, operator, device, make_device):
    rule = make_rule(fleet, [operator], kinds=["overspeed"], min_speed_kph=80, cooldown_minutes=60)
    now = timezone.now()

    def event(hours_ago, speed, of=device):
        at = now - timedelta(hours=hours_ago)
        found = Event.objects.create(device=of, kind="overspeed", occurred_at=at, data={"speed_kph": speed})
        Event.objects.filter(pk=found.pk).update(created_at=at)
        return found

    # Too long ago, too slow, of another device, within the cooldown; two that match.
    event(8 * 24, 100), event(50, 60), event(40, 100, of=make_device()), event(29.5, 100)
    first, second = event(30, 100), event(3, 120)
    text = tried(page, rule, device="Van 1", kind="ignition_on")
    assert "Of 4 events of the rule's kinds in the last 7 days, it would have matched 2." in text
    answer = page.get(reverse("admin:notifications_app_rule_dry_run", args=[rule.pk]), {"event": second.pk})
    assert [one.event.pk for one in answer.context["past"].listed] == [second.pk, first.pk]
    assert "120 km/h ✓ yes" in plain(answer)


def test_nothing_is_written_not_even_about_a_template_that_fails(page, speeding):
    MessageTemplate.objects.create(kind="speed", language="en", subject="{{ nonsense }}")
    clear_cache()
    before = database_state()
    asked = {"device": "Van 1", "kind": "overspeed", "speed_kph": "101", "at": "2026-11-26T02:00"}
    assert "Van 1 is driving 101 km/h" in tried(page, speeding, **asked)
    plain(page.get(reverse(ALL_RULES), asked))
    assert changed_tables(before, database_state()) == []
    clear_cache()


def test_a_rule_that_is_off_is_tried_as_if_it_were_on(page, fleet, operator, device):
    rule = make_rule(fleet, [operator], kinds=["ignition_on"], is_active=False)
    text = tried(page, rule, device="Van 1", kind="ignition_on")
    assert "The rule is switched off" in text
    assert "1 person is notified at once" in text


def test_all_rules_lead_to_the_dry_run_of_each(page, speeding, device):
    text = page.get(reverse(ALL_RULES), {"device": "Van 1", "kind": "overspeed"}).content.decode()
    assert f"{reverse('admin:notifications_app_rule_dry_run', args=[speeding.pk])}?device=Van+1" in text


def test_the_page_speaks_portuguese(page, speeding):
    page.cookies["django_language"] = "pt-br"
    text = tried(page, speeding, device="Van 1", kind="overspeed", speed_kph="70")
    assert "A regra não corresponde a este evento." in text


@pytest.mark.parametrize("text", [*NONSENSE, "nan", "inf", "1e999", "9999-12-31T23:59"])
def test_nonsense_is_answered_with_sentences(page, speeding, text):
    good = {"device": "Van 1", "kind": "overspeed"}
    for name in ("device", "kind", "geofence", "at", "alarm", "speed_kph", "minutes", "battery_percent", "event"):
        tried(page, speeding, **{**good, name: text})
        plain(page.get(reverse(ALL_RULES), {**good, name: text}))
        answer = page.get(reverse("admin:notifications_app_rule_dry_run_check"), {**good, name: text})
        assert answer.status_code == 200
    answer = page.get(reverse("admin:notifications_app_rule_pick", args=["device"]), {"q": text})
    # What no database can hold is no word to search for, and the other one is a part of van-1.
    assert bool(answer.json()["results"]) == (text in ("\x00", "-1"))


def test_rows_of_others_do_not_exist(make_user, speeding, device, fleet):
    depot = make_geofence(fleet)
    event = Event.objects.create(device=device, kind="overspeed", occurred_at=timezone.now())
    changer = pages_of(give(make_user(is_staff=True), "notifications_app.change_rule"))
    for asked in ({"device": f"#{device.pk}"}, {"device": "Van 1"}):
        text = tried(changer, speeding, kind="overspeed", **asked)
        assert "The rule" not in text.split("Nothing is written")[1].replace("The rule's own", "")
    assert "There is no such event." in tried(changer, speeding, event=event.pk)
    assert changer.get(reverse("admin:notifications_app_rule_pick", args=["device"]), {"q": "Van"}).json() == {
        "results": []
    }
    sees_devices = pages_of(give(make_user(is_staff=True), "notifications_app.change_rule", "tasks_app.view_device"))
    text = tried(sees_devices, speeding, device="Van 1", kind="ignition_on", geofence=f"#{depot.pk}")
    assert "There is no such geofence." in text
    elsewhere = make_geofence(Fleet.objects.create(name="Elsewhere"), "Far")
    both = pages_of(
        give(
            make_user(is_staff=True),
            "notifications_app.change_rule",
            "tasks_app.view_device",
            "tasks_app.view_geofence",
        )
    )
    text = tried(both, speeding, device="Van 1", kind="ignition_on", geofence=f"#{elsewhere.pk}")
    assert "This geofence belongs to another fleet than the device." in text


def test_it_is_for_those_who_may_change_rules(make_user, speeding):
    looker = pages_of(give(make_user(is_staff=True), "notifications_app.view_rule"))
    addresses = [
        reverse("admin:notifications_app_rule_dry_run", args=[speeding.pk]),
        reverse("admin:notifications_app_rule_dry_run_check"),
        reverse("admin:notifications_app_rule_pick", args=["device"]),
        reverse(ALL_RULES),
    ]
    assert {looker.get(address).status_code for address in addresses} <= {403, 302}


def test_what_there_is_not_is_not_found(page):
    assert page.get(reverse("admin:notifications_app_rule_dry_run", args=[10**9])).status_code == 404
    assert page.get(reverse("admin:notifications_app_rule_pick", args=["user"])).status_code == 404
