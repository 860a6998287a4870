"""Rules in the admin: the form, the sentence, switching on and off, and the page that tries a rule out."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifications_app.models import Rule
from tasks_app.models import Event, EventKind, SavedCommand
from tests.support.notifications import make_geofence, make_rule

pytestmark = pytest.mark.django_db


def add(page, fleet, **fields):
    steps = {"escalation_steps-TOTAL_FORMS": "0", "escalation_steps-INITIAL_FORMS": "0"}
    data = {
        "name": "Night",
        "fleet": fleet.pk,
        "is_active": "on",
        "event_kinds": ["geofence_exit"],
        "channels": ["in_app"],
        "cooldown_minutes": "0",
        **steps,
        **fields,
    }
    return page.post(reverse("admin:notifications_app_rule_add"), data)


def test_it_stores_a_rule_with_everything_and_says_it_in_words(page, fleet, operator, staff):
    depot = make_geofence(fleet)
    answer = add(
        page,
        fleet,
        users=[operator.pk],
        roles=["manager"],
        geofences=[depot.pk],
        within_geofences=[depot.pk],
        alarms="sos, tow",
        min_speed_kph="80",
        cooldown_minutes="30",
        **{
            "windows-rows": "2",
            "windows-1-days": ["0", "4"],
            "windows-1-from": "22:00",
            "windows-1-to": "06:00",
            "escalation_steps-TOTAL_FORMS": "1",
            "escalation_steps-0-after_minutes": "10",
            "escalation_steps-0-users": [staff.pk],
        },
    )
    assert answer.status_code == 302, answer.context["errors"]
    rule = Rule.objects.get()
    assert (rule.alarms, rule.roles, rule.min_speed_kph) == (["sos", "tow"], ["manager"], 80)
    assert rule.windows == [{"days": [0, 4], "from": "22:00", "to": "06:00"}]
    listed = page.get(reverse("admin:notifications_app_rule_changelist")).content.decode()
    assert (
        "Notify ana and every manager in the application when any vehicle of Depot North leaves Depot above 80 km/h"
        in listed
    )
    assert "staff if nobody acknowledges within 10 min" in listed
    changed = page.get(reverse("admin:notifications_app_rule_change", args=[rule.pk]))
    assert changed.status_code == 200


def test_a_command_without_a_kind_of_event_is_said_beside_the_field(page, fleet, staff):
    command = SavedCommand.objects.create(fleet=fleet, name="Ask", type="position_request")
    for kinds in ([], ["no-such-kind"]):
        answer = add(page, fleet, users=[staff.pk], command=command.pk, event_kinds=kinds)
        assert answer.status_code == 200
        assert "event_kinds" in answer.context["adminform"].form.errors
    assert not Rule.objects.exists()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Name at least one person or role."),
        ({"roles": ["manager"], "windows-rows": "1", "windows-0-from": "22:00"}, "Window 1: choose at least one day."),
        ({"roles": ["manager"], "windows-rows": "1", "windows-0-days": ["1"]}, "Window 1: give both times."),
        ({"roles": ["manager"], "digest_every_minutes": "5", "digest_daily_at": "07:00"}, "Choose one"),
        ({"roles": ["manager"], "min_speed_kph": "nan"}, "Enter a number"),
        ({"roles": ["manager"], "event_kinds": []}, "This field is required"),
    ],
)
def test_it_refuses_what_makes_no_sense_and_says_so(page, fleet, fields, said):
    answer = add(page, fleet, **fields)
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not Rule.objects.exists()


def test_it_refuses_people_who_may_not_see_the_fleet(page, fleet, charlie):
    assert "Choose only people who may see the fleet." in add(page, fleet, users=[charlie.pk]).content.decode()


def test_rules_are_switched_off_and_on_together(page, fleet, operator):
    rules = [make_rule(fleet, [operator]) for _ in range(2)]
    url = reverse("admin:notifications_app_rule_changelist")
    chosen = {"_selected_action": [rule.pk for rule in rules]}
    assert page.post(url, {"action": "switch_off", **chosen}).status_code == 302
    assert not Rule.objects.filter(is_active=True).exists()
    page.post(url, {"action": "switch_on", **chosen})
    assert Rule.objects.filter(is_active=True).count() == 2


def test_a_page_says_who_would_hear_of_an_event(page, fleet, operator, device):
    make_rule(fleet, [operator], kinds=["overspeed"], name="Speeding")
    event = Event.objects.create(device=device, kind=EventKind.OVERSPEED, occurred_at=timezone.now())
    url = reverse("admin:notifications_app_rule_try_out")
    assert page.get(url).status_code == 200
    stored = page.get(url, {"event": event.pk}).content.decode()
    assert "Notified at once" in stored
    described = page.get(url, {"device": device.unique_id, "kind": "alarm", "alarm": "sos"}).content.decode()
    assert "The rule is about other kinds of events." in described
    assert "No rule that matches this event names this person." in described
    assert "Nothing is called “nope”" in page.get(url, {"device": "nope"}).content.decode()
    assert "There is no such event." in page.get(url, {"event": 2**62}).content.decode()
    for nonsense in ({"event": "x"}, {"event": 2**70}, {"speed_kph": "nan", "device": device.unique_id}):
        assert page.get(url, nonsense).status_code == 200


def test_the_page_is_for_those_who_may_change_rules(make_user):
    client = Client()
    client.force_login(make_user(is_staff=True))
    assert client.get(reverse("admin:notifications_app_rule_try_out")).status_code in (302, 403)
