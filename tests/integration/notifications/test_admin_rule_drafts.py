"""A rule in its form in the admin: what is wrong, the sentence and the map, while it is typed and where it is stored."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from notifications_app.models import EscalationStep, Rule
from tasks_app.models import DeviceState, Event, Fleet
from tests.support.notifications import make_geofence, make_rule
from tests.support.rights import changed_tables, database_state, give, pages_of

pytestmark = pytest.mark.django_db
NO_STEPS = {"escalation_steps-TOTAL_FORMS": "0", "escalation_steps-INITIAL_FORMS": "0"}
NONSENSE = [
    "x" * 10_000,
    "🚚🚐",
    "\u202eevil\u202c مرحبا",
    "</script><script>alert(1)</script>",
    "\x00",
    "-1",
    "99999999999999999999",
]


def check(page, rule=None, *, known_map="", **fields):
    """Return the answer to the input of the form so far."""
    address = reverse("admin:notifications_app_rule_check", args=[rule.pk] if rule else [])
    answer = page.post(f"{address}?map={known_map}", {**NO_STEPS, **fields})
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.fixture
def typed(fleet, operator):
    return {
        "name": "Night",
        "fleet": fleet.pk,
        "is_active": "on",
        "event_kinds": ["geofence_enter"],
        "channels": ["email", "webhook"],
        "users": [operator.pk],
        "cooldown_minutes": "10",
    }


def test_it_says_in_words_what_the_rule_will_do(page, typed, device, fleet, staff):
    depot = make_geofence(fleet)
    typed |= {"devices": [device.pk], "geofences": [depot.pk]}
    typed |= {
        "windows-rows": "1",
        "windows-0-days": ["0", "1", "2"],
        "windows-0-from": "18:00",
        "windows-0-to": "06:00",
    }
    typed |= {"escalation_steps-TOTAL_FORMS": "1", "escalation_steps-0-after_minutes": "5"}
    typed["escalation_steps-0-users"] = [staff.pk]
    answer = check(page, **typed)
    assert answer["sentence"] == (
        "Notify ana by e-mail and by webhook when Van 1 enters Depot on the nights of Monday to Wednesday from 18:00 to 06:00 "
        "(Sao Paulo); at most every 10 min per vehicle; staff if nobody acknowledges within 5 min"
    )
    assert (answer["errors"], answer["missing"]) == ({}, {})
    assert not Rule.objects.exists()
    assert not EscalationStep.objects.exists()


def test_it_speaks_portuguese(page, typed, staff):
    page.cookies["django_language"] = "pt-br"
    assert check(page, **typed)["sentence"].startswith("Notificar ana por e-mail e por webhook quando")


def test_what_is_still_missing_is_named_apart_from_what_is_wrong(page, fleet):
    answer = check(page)
    assert set(answer["missing"]) >= {"name", "event_kinds", "channels", "users"}
    assert answer["errors"] == {}
    assert answer["sentence"] == "Notify nobody through no channel when (no kind of event is chosen)"


def test_a_wrong_field_is_said_beside_it_and_no_sentence_pretends(page, typed, make_device):
    elsewhere = make_device(fleet=Fleet.objects.create(name="Elsewhere"))
    answer = check(page, **{**typed, "devices": [elsewhere.pk], "min_speed_kph": "fast"})
    assert answer["errors"] == {
        "devices": ["Choose only from the rule's fleet."],
        "min_speed_kph": ["Enter a number."],
    }
    assert (answer["sentence"], answer["map"]) == ("", None)


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_in_every_field_is_answered_with_sentences(page, typed, text):
    before = database_state()
    for name in (*typed, "alarms", "devices", "geofences", "within_geofences", "roles", "min_speed_kph",
                 "windows-rows", "digest_daily_at", "escalation_steps-TOTAL_FORMS"):  # fmt: skip
        check(page, **{**typed, name: text})
    check(page, known_map=text, **{**typed, "escalation_steps-TOTAL_FORMS": "1", "escalation_steps-0-users": text})
    assert changed_tables(before, database_state()) == []


def test_the_map_has_what_is_chosen_or_all_of_the_fleet(page, typed, device, make_device, fleet):
    depot, other = make_geofence(fleet), make_device(name="Van 2")
    make_device(fleet=Fleet.objects.create(name="Elsewhere"))
    DeviceState.objects.create(device=device, latitude=-23.5, longitude=-46.6, status="online")
    whole = check(page, **typed)["map"]
    assert {one["id"] for one in whole["devices"]} == {device.pk, other.pk}
    assert [one["name"] for one in whole["geofences"]] == ["Depot"]
    chosen = check(page, **{**typed, "devices": [device.pk], "event_kinds": ["alarm"]})["map"]
    assert [one["state"]["latitude"] for one in chosen["devices"]] == [-23.5]
    assert chosen["geofences"] == []
    inside = check(page, **{**typed, "event_kinds": ["alarm"], "within_geofences": [depot.pk]})["map"]
    assert inside["geofences"][0]["area"] == depot.area


def test_the_map_is_not_sent_again_where_it_is_known(page, typed):
    first = check(page, **typed)["map"]
    assert check(page, known_map=first["key"], **typed)["map"] is None


def test_the_page_of_a_stored_rule_shows_its_sentence_and_map_without_scripts(page, fleet, operator, device):
    rule = make_rule(fleet, [operator], kinds=["overspeed"], channels=["email"], devices=[device])
    text = page.get(reverse("admin:notifications_app_rule_change", args=[rule.pk])).content.decode()
    assert "Notify ana by e-mail when Van 1 is too fast" in text
    assert "<b data-device-count>1</b>" in text
    assert 'name="_try"' in text
    assert f'data-form-check="{reverse("admin:notifications_app_rule_check", args=[rule.pk])}"' in text


def test_fleets_are_suggested_in_their_order(page, fleet):
    Fleet.objects.create(name="Another depot")
    asked = {"term": "depot", "app_label": "notifications_app", "model_name": "rule", "field_name": "fleet"}
    found = page.get(reverse("admin:autocomplete"), asked).json()["results"]
    assert [one["text"] for one in found] == ["Another depot", "Depot North"]


def test_only_those_who_may_add_or_change_rules_get_an_answer(make_user, fleet, operator, typed):
    rule = make_rule(fleet, [operator])
    of_rule, of_new = (reverse("admin:notifications_app_rule_check", args=args) for args in ([rule.pk], []))
    looker = pages_of(give(make_user(is_staff=True), "notifications_app.view_rule"))
    assert [looker.post(url, {**NO_STEPS, **typed}).status_code for url in (of_rule, of_new)] == [403, 403]
    page = looker.get(reverse("admin:notifications_app_rule_change", args=[rule.pk]))
    assert "Notify ana" in page.content.decode()
    assert 'data-form-check=""' in page.content.decode()
    changer = pages_of(give(make_user(is_staff=True), "notifications_app.change_rule"))
    assert [changer.post(url, {**NO_STEPS, **typed}).status_code for url in (of_rule, of_new)] == [200, 403]
    missing = reverse("admin:notifications_app_rule_check", args=[10**9])
    assert changer.post(missing, NO_STEPS).status_code == 404
    assert changer.get(of_rule).status_code == 405


def test_rows_that_a_person_may_not_see_have_no_names(make_user, fleet, operator, typed, device):
    rule = make_rule(fleet, [operator])
    changer = pages_of(give(make_user(is_staff=True), "notifications_app.change_rule"))
    answer = check(changer, rule, **{**typed, "devices": [device.pk]})
    assert f"when #{device.pk} enters" in answer["sentence"]
    assert answer["map"]["devices"] == []


ADD = "/admin/notifications_app/rule/add/"
SPEEDING = {"device": "Van 1", "kind": "overspeed", "speed_kph": "101"}


def sent(page, rule=None, **fields):
    """Return the answer to the form of a rule, sent with these fields."""
    address = reverse("admin:notifications_app_rule_change", args=[rule.pk]) if rule else ADD
    return page.post(address, {**NO_STEPS, **fields})


@pytest.fixture
def speeding(typed):
    return {**typed, "event_kinds": ["overspeed"], "min_speed_kph": "80", "windows-rows": "0"}


def test_a_dry_run_tries_what_is_typed_and_stores_nothing(page, speeding, fleet, operator, device):
    rule = make_rule(fleet, [operator], kinds=["overspeed"], channels=["email"], min_speed_kph=80, name="Night")
    before = database_state()
    met = sent(page, rule, **speeding, **SPEEDING, _try="1")
    assert "The rule matches: 1 person is notified at once." in met.content.decode()
    text = sent(page, rule, **{**speeding, "min_speed_kph": "120"}, **SPEEDING, _try="1").content.decode()
    assert "The rule does not match this event." in text
    assert "120 km/h" in text
    # A rule that was never saved, with a step that would be stored beside it.
    steps = {"escalation_steps-TOTAL_FORMS": "1", "escalation_steps-0-after_minutes": "5"}
    new = sent(
        page,
        **{**speeding, "name": "New"},
        **steps,
        **{"escalation_steps-0-users": [operator.pk]},
        **SPEEDING,
        _try="1",
    )
    assert "The rule matches: 1 person is notified at once." in new.content.decode()
    assert "ana if nobody acknowledges within 5 min" in new.content.decode()
    assert changed_tables(before, database_state()) == []


def test_a_dry_run_begins_with_the_form_of_an_event_and_tries_earlier_ones(page, speeding, device):
    first = sent(page, **speeding, _try="1")
    assert "Describe an event" in first.content.decode()
    assert first.context["form"].is_bound is False
    event = Event.objects.create(device=device, kind="overspeed", occurred_at=timezone.now(), data={"speed_kph": 99})
    text = sent(page, **speeding, event=event.pk, _try="1").content.decode()
    assert "The rule matches" in text
    assert f'name="event" value="{event.pk}"' in text


def test_what_is_wrong_with_a_rule_is_said_as_when_it_is_saved(page, speeding):
    for button in ("_try", "_save"):
        answer = sent(page, **{**speeding, "name": "", "min_speed_kph": "fast"}, **SPEEDING, **{button: "1"})
        assert answer.context["errors"]
        assert set(answer.context["adminform"].form.errors) == {"name", "min_speed_kph"}
    assert not Rule.objects.exists()


def test_the_way_back_has_all_that_was_typed(page, speeding, fleet, operator):
    rule = make_rule(fleet, [operator], kinds=["alarm"], channels=["email"], name="Old")
    answer = sent(page, rule, **{**speeding, "cooldown_minutes": "17"}, **SPEEDING, _try="1", _edit="1")
    text = answer.content.decode()
    assert answer.context["adminform"].form["name"].value() == "Night"
    assert 'value="17"' in text
    assert 'name="speed_kph" value="101"' in text
    assert not answer.context["errors"]
    rule.refresh_from_db()
    assert (rule.name, rule.cooldown_minutes) == ("Old", 0)


def test_only_those_who_may_save_a_rule_may_try_it(make_user, fleet, operator, speeding):
    rule = make_rule(fleet, [operator])
    looker = pages_of(give(make_user(is_staff=True), "notifications_app.view_rule"))
    adder = pages_of(give(make_user(is_staff=True), "notifications_app.add_rule"))
    assert [sent(looker, one, **speeding, _try="1").status_code for one in (rule, None)] == [403, 403]
    assert [sent(adder, one, **speeding, _try="1").status_code for one in (rule, None)] == [403, 403]
    assert 'name="_try"' not in adder.get(ADD).content.decode()


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_in_a_dry_run_is_answered_with_sentences(page, speeding, device, text):
    before = database_state()
    for name in (*SPEEDING, "event", "name", "devices", "alarms"):
        assert sent(page, **{**speeding, **SPEEDING, name: text}, _try="1").status_code == 200
    assert changed_tables(before, database_state()) == []
