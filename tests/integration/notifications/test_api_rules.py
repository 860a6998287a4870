"""Rules through the API: who may keep them, what they may name, what they say, and who would hear of an event."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from notifications_app.models import EmailOptOut, NotificationPreference, Rule
from tasks_app.models import Device, Event, EventKind, Fleet, FleetMembership, FleetRole
from tests.support.notifications import make_geofence, make_rule

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(make_user, fleet):
    user = make_user(username="mia", first_name="Mia", last_name="Reis")
    FleetMembership.objects.create(user=user, fleet=fleet, role=FleetRole.MANAGER)
    return user


@pytest.fixture
def managing(manager) -> APIClient:
    client = APIClient()
    client.force_authenticate(manager)
    return client


@pytest.fixture
def body(fleet, operator) -> dict:
    return {
        "fleet_id": fleet.pk,
        "name": "Night",
        "event_kinds": ["geofence_exit"],
        "channels": ["email"],
        "user_ids": [operator.pk],
    }


NIGHT = {"days": [0, 1, 2, 3, 4, 5, 6], "from": "22:00", "to": "06:00"}


def test_a_manager_makes_changes_and_deletes_a_rule_that_says_what_it_does(managing, body, fleet, device, operator):
    depot, yard = make_geofence(fleet), make_geofence(fleet, "Yard")
    made = managing.post("/api/rules", {**body, "geofence_ids": [depot.pk], "windows": [NIGHT]}, format="json")
    assert made.status_code == 201, made.content
    rule = made.json()
    sentence = (
        "Notify ana by e-mail when any vehicle of Depot North leaves Depot at night from 22:00 to 06:00 (Sao Paulo)"
    )
    assert rule["sentence"] == sentence
    assert managing.get(f"/api/rules/{rule['id']}").json() == rule
    change = {
        "device_ids": [device.pk],
        "geofence_ids": [],
        "within_geofence_ids": [yard.pk],
        "event_kinds": ["overspeed"],
        "roles": ["manager"],
        "min_speed_kph": 80,
        "min_duration_minutes": 2,
        "windows": [],
        "cooldown_minutes": 30,
        "digest_daily_at": "18:00",
        "escalation_steps": [{"after_minutes": 10, "user_ids": [operator.pk]}],
    }
    changed = managing.patch(f"/api/rules/{rule['id']}", change, format="json")
    assert changed.status_code == 200, changed.content
    assert changed.json()["sentence"] == (
        "Notify ana and every manager by e-mail when Van 1 is too fast above 80 km/h inside Yard for at least 2 min; "
        "at most every 30 min per vehicle; in a digest daily at 18:00; ana if nobody acknowledges within 10 min"
    )
    assert {name: changed.json()[name] for name in change} == change
    assert managing.delete(f"/api/rules/{rule['id']}").status_code == 204
    assert not Rule.objects.exists()


def test_a_rule_whose_devices_were_all_moved_to_another_fleet_says_that_it_matches_nothing(
    managing, fleet, device, make_device, operator
):
    rule = make_rule(fleet, [operator], kinds=["overspeed"], devices=[device, make_device()])
    warning = f"it matches nothing: none of its vehicles is in {fleet.name} any more"

    def sentence() -> str:
        return managing.get(f"/api/rules/{rule.pk}").json()["sentence"]

    sold = Fleet.objects.create(name="Sold")
    Device.objects.filter(pk=device.pk).update(fleet=sold)
    assert warning not in sentence()
    Device.objects.update(fleet=sold)
    assert sentence().endswith(f"; {warning}")


def test_a_sentence_is_in_the_readers_language_and_names_no_more_than_three(managing, fleet, make_user, device):
    users = [make_user(username=name) for name in ("bia", "caio", "davi", "eva", "felipe")]
    for user in users:
        FleetMembership.objects.create(user=user, fleet=fleet)
    rule = make_rule(fleet, users, kinds=["alarm", "device_offline"], channels=["in_app", "email"], alarms=["sos"])
    sentence = managing.get(f"/api/rules/{rule.pk}").json()["sentence"]
    assert sentence == (
        "Notify bia, caio, davi and 2 more in the application and by e-mail when any vehicle of Depot North raises the alarm "
        "SOS or falls silent"
    )


def test_those_who_see_the_fleet_look_at_its_rules_and_others_find_nothing(api, managing, charlie, fleet, operator):
    rule = make_rule(fleet, [operator])
    everywhere = make_rule(None, [operator])
    assert [row["id"] for row in api.get("/api/rules").json()["results"]] == [rule.pk]
    assert api.patch(f"/api/rules/{rule.pk}", {"name": "x"}, format="json").status_code == 403
    assert api.delete(f"/api/rules/{rule.pk}").status_code == 403
    stranger = APIClient()
    stranger.force_authenticate(charlie)
    assert stranger.get("/api/rules").json()["results"] == []
    for method in ("get", "patch", "delete"):
        assert getattr(stranger, method)(f"/api/rules/{rule.pk}", {}, format="json").status_code == 404
        assert getattr(managing, method)(f"/api/rules/{everywhere.pk}", {}, format="json").status_code == 404


def test_rules_about_every_fleet_are_for_staff(managing, staff_api, body):
    everywhere = {**body, "fleet_id": None}
    assert managing.post("/api/rules", everywhere, format="json").status_code == 403
    made = staff_api.post("/api/rules", everywhere, format="json")
    assert made.status_code == 201, made.content
    assert "when any vehicle leaves a geofence" in made.json()["sentence"]


@pytest.fixture
def elsewhere(charlie) -> dict[str, int]:
    fleet = Fleet.objects.create(name="Depot South")
    device = Device.objects.create(fleet=fleet, unique_id="far-1", name="Far 1")
    return {"fleet": fleet.pk, "device": device.pk, "geofence": make_geofence(fleet).pk, "user": charlie.pk}


@pytest.mark.parametrize(
    ("field", "of"),
    [("device_ids", "device"), ("geofence_ids", "geofence"), ("within_geofence_ids", "geofence"), ("user_ids", "user")],
)
def test_a_rule_names_nothing_of_other_fleets_nor_what_does_not_exist(managing, body, elsewhere, field, of):
    for number in (elsewhere[of], 2**60):
        answer = managing.post("/api/rules", {**body, field: [number]}, format="json")
        assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
        assert answer.json()["fields"][field] == [f"Not in the rule's fleet: {number}."]
    assert managing.post("/api/rules", {**body, "fleet_id": elsewhere["fleet"]}, format="json").status_code == 404
    assert not Rule.objects.exists()


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"event_kinds": []}, "event_kinds"),
        ({"event_kinds": ["moon"]}, "event_kinds"),
        ({"event_kinds": ["alarm", "alarm"]}, "event_kinds"),
        ({"channels": ["pigeon"]}, "channels"),
        ({"channels": []}, "channels"),
        ({"user_ids": []}, "user_ids"),
        ({"user_ids": ["1"]}, "user_ids"),
        ({"user_ids": {"a": 1}}, "user_ids"),
        ({"roles": ["king"]}, "roles"),
        ({"min_speed_kph": -1}, "min_speed_kph"),
        ({"min_speed_kph": "80"}, "min_speed_kph"),
        ({"min_duration_minutes": 1e9}, "min_duration_minutes"),
        ({"cooldown_minutes": -1}, "cooldown_minutes"),
        ({"cooldown_minutes": 2**40}, "cooldown_minutes"),
        ({"digest_every_minutes": 0}, "digest_every_minutes"),
        ({"digest_daily_at": "25:00"}, "digest_daily_at"),
        ({"digest_daily_at": 7}, "digest_daily_at"),
        ({"digest_every_minutes": 5, "digest_daily_at": "07:00"}, "non_field_errors"),
        ({"windows": [{"days": [9], "from": "22:00", "to": "06:00"}]}, "windows"),
        ({"windows": "always"}, "windows"),
        ({"windows": {}}, "windows"),
        ({"windows": ""}, "windows"),
        ({"alarms": ["x" * 41]}, "alarms"),
        ({"name": ""}, "name"),
        ({"name": "x\x00"}, "name"),
        ({"escalation_steps": [{"after_minutes": 0, "user_ids": [1]}]}, "escalation_steps"),
        ({"escalation_steps": [{"after_minutes": 5, "user_ids": []}]}, "escalation_steps"),
        ({"colour": 1}, "colour"),
    ],
)
def test_it_names_what_is_wrong_with_a_rule(managing, body, fields, wrong):
    answer = managing.post("/api/rules", {**body, **fields}, format="json")
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [wrong]), answer.content
    assert not Rule.objects.exists()


def verdicts(answer) -> list[tuple[str, str, str, str]]:
    assert answer.status_code == 200, answer.content
    return [(one["user"], one["rule"], one["outcome"], one["reason"]) for one in answer.json()["results"]]


def test_a_dry_run_says_who_would_hear_of_an_event_and_why_the_others_would_not(
    managing, manager, fleet, operator, device, make_user
):
    bia = make_user(username="bia")
    FleetMembership.objects.create(user=bia, fleet=fleet)
    NotificationPreference.objects.create(user=manager, digest_every_minutes=30)
    make_rule(fleet, [operator, manager], kinds=["alarm", "overspeed"], name="All")
    make_rule(fleet, [bia], kinds=["alarm"], alarms=["tow"], name="Tow")
    make_rule(fleet, [bia], kinds=["alarm"], is_active=False, name="Off")
    asked = {"device_id": device.pk, "kind": "alarm", "alarm": "sos"}
    answer = managing.post("/api/rules/dry-run", asked, format="json")
    notified = {("ana", "All", "notify", "notified"), ("Mia Reis", "All", "notify", "notified")}
    assert set(verdicts(answer)[:2]) == notified
    assert verdicts(answer)[2:] == [
        ("", "Tow", "no", "other_alarm"),
        ("", "Off", "no", "rule_off"),
        ("bia", "", "no", "not_named"),
    ]
    assert answer.json()["results"][2]["detail"] == "The rule is about other alarms."
    slow = managing.post("/api/rules/dry-run", {"device_id": device.pk, "kind": "overspeed"}, format="json")
    assert verdicts(slow)[:2] == [("ana", "All", "notify", "notified"), ("Mia Reis", "All", "hold", "digest")]


def test_a_dry_run_names_no_email_to_whoever_unsubscribed_from_the_rule(managing, fleet, operator, device):
    rule = make_rule(fleet, [operator], channels=["email", "in_app"])
    EmailOptOut.objects.create(user=operator, rule=rule)
    answer = managing.post("/api/rules/dry-run", {"device_id": device.pk, "kind": "overspeed"}, format="json")
    assert answer.json()["results"][0]["channels"] == ["in_app"]


def test_a_dry_run_of_an_event_of_last_week_judges_it_as_when_it_was_recorded(managing, fleet, operator, device):
    make_rule(fleet, [operator], name="All")
    event = Event.objects.create(device=device, kind=EventKind.OVERSPEED, occurred_at=timezone.now())
    week_ago = timezone.now() - timedelta(days=7)
    Event.objects.update(occurred_at=week_ago, created_at=week_ago + timedelta(seconds=5))
    answer = managing.post("/api/rules/dry-run", {"event_id": event.pk}, format="json")
    assert verdicts(answer)[0] == ("ana", "All", "notify", "notified")


def test_a_dry_run_is_for_managers_of_the_devices_fleet(api, charlie, device):
    asked = {"device_id": device.pk, "kind": "alarm"}
    assert api.post("/api/rules/dry-run", asked, format="json").status_code == 403
    stranger = APIClient()
    stranger.force_authenticate(charlie)
    event = Event.objects.create(device=device, kind=EventKind.OVERSPEED, occurred_at=timezone.now())
    assert stranger.post("/api/rules/dry-run", asked, format="json").status_code == 404
    assert stranger.post("/api/rules/dry-run", {"event_id": event.pk}, format="json").status_code == 404


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({}, {"device_id", "kind"}),
        ({"device_id": 1}, {"kind"}),
        ({"event_id": 1, "kind": "alarm"}, {"event_id"}),
        ({"device_id": 1, "kind": "moon"}, {"kind"}),
        ({"device_id": 1, "kind": "alarm", "latitude": 1}, {"latitude"}),
        ({"device_id": 1, "kind": "alarm", "latitude": 91, "longitude": 0}, {"latitude"}),
    ],
)
def test_it_names_what_is_wrong_with_a_dry_run(managing, asked, wrong):
    answer = managing.post("/api/rules/dry-run", asked, format="json")
    assert (answer.status_code, set(answer.json()["fields"])) == (400, wrong)


def test_people_read_and_change_their_own_preferences_only(api, operator, staff):
    assert api.get("/api/preferences").json()["time_zone"] == ""
    assert not NotificationPreference.objects.exists()
    values = {
        "language": "pt-br",
        "time_zone": "America/Sao_Paulo",
        "quiet_from": "22:00",
        "quiet_to": "06:30",
        "digest_every_minutes": 15,
        "daily_summary": True,
        "daily_summary_at": "06:45",
    }
    changed = api.patch("/api/preferences", values, format="json")
    assert changed.status_code == 200, changed.content
    assert {name: changed.json()[name] for name in values} == values
    assert NotificationPreference.objects.get().user == operator


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"time_zone": "Mars/Olympus_Mons"}, "time_zone"),
        ({"language": "tlh"}, "language"),
        ({"quiet_from": "22:00"}, "non_field_errors"),
        ({"digest_every_minutes": 5, "digest_daily_at": "07:00"}, "non_field_errors"),
        ({"daily_summary_at": None}, "daily_summary_at"),
        ({"daily_summary": "yes"}, "daily_summary"),
        ({"user": 1}, "user"),
    ],
)
def test_it_names_what_is_wrong_with_preferences(api, values, wrong):
    answer = api.patch("/api/preferences", values, format="json")
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [wrong]), answer.content
