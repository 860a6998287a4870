"""/api/commands: asked for, listed, cancelled and confirmed by those who may, with errors that say what is wrong."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from tasks_app.models import (
    AuditEntry,
    Command,
    CommandAttempt,
    Device,
    DeviceAccess,
    FleetMembership,
    FleetRole,
    SavedCommand,
)
from tasks_app.services.accounts import issue_token
from tasks_app.services.trackers import Connected, note_connections
from tests.support.commands import a_fix, ask, send
from tests.support.rights import api_of, give, pages_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("way")]


@pytest.fixture
def api(operator):
    return api_of(operator)


@pytest.fixture
def viewer(make_user, fleet) -> User:
    user = make_user()
    FleetMembership.objects.create(user=user, fleet=fleet, role=FleetRole.VIEWER)
    return user


def token_api(user, *scopes: str) -> APIClient:
    token, _expiry = issue_token(user=user, now=timezone.now(), scopes=list(scopes))
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return client


@pytest.fixture
def second_person(settings) -> None:
    settings.COMMANDS = {**settings.COMMANDS, "NEED_SECOND_PERSON": True}


def post(api, device, type="position_request", **more):
    return api.post("/api/commands", {"device_id": device.pk, "type": type, **more}, format="json")


def test_a_command_is_asked_for_and_read_with_its_state(api, device, operator):
    answer = post(
        api, device, "position_interval", parameters={"interval_seconds": 30}, reason="Slow today", priority=5
    )
    assert answer.status_code == 201, answer.json()
    found = api.get(f"/api/commands/{answer.json()['id']}").json()
    assert found["state"] == "queued"
    assert (found["type"], found["parameters"]) == ("position_interval", {"interval_seconds": 30})
    assert (found["requested_by_id"], found["reason"], found["priority"]) == (operator.pk, "Slow today", 5)
    assert found["attempts"] == []
    assert found["expires_at"].endswith("Z")
    assert AuditEntry.objects.get(verb="request_command").username == operator.username


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"type": "fly"}, "type"),
        ({"type": "position_interval"}, "parameters.interval_seconds"),
        ({"type": "position_interval", "parameters": {"interval_seconds": 1}}, "parameters.interval_seconds"),
        ({"type": "position_interval", "parameters": {"interval_seconds": True}}, "parameters.interval_seconds"),
        ({"type": "position_request", "parameters": {"x": 1}}, "parameters.x"),
        ({"type": "position_request", "parameters": [1]}, "parameters"),
        ({"type": "position_request", "expires_in_seconds": 14}, "expires_in_seconds"),
        ({"type": "position_request", "expires_in_seconds": 10**9}, "expires_in_seconds"),
        ({"type": "position_request", "priority": 101}, "priority"),
        ({"type": "position_request", "way": "pigeon"}, "way"),
        ({"type": "position_request", "not_before": "2026-11-30T10:00:00"}, "not_before"),
        ({"type": "position_request", "colour": "red"}, "colour"),
        ({"type": "position_request", "idempotency_key": "x" * 65}, "idempotency_key"),
        ({"type": "position_request", "saved_command_id": 1}, "type"),
        ({"saved_command_id": 999_999}, "saved_command_id"),
        ({"parameters": {}}, "type"),
        ({"type": "position_request", "is_override": True}, "reason"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_beside_its_field(body, field, api, device):
    answer = api.post("/api/commands", {"device_id": device.pk, **body}, format="json")
    assert answer.status_code == 400, answer.json()
    assert field in answer.json()["fields"], answer.json()
    assert not Command.objects.exists()


def test_a_dangerous_type_is_for_managers_and_needs_the_devices_name(api, device, manager):
    assert post(api, device, "reboot").status_code == 201
    refused = post(api, device, "factory_reset", typed_name=device.name)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_permitted")
    of_manager = api_of(manager)
    untyped = post(of_manager, device, "factory_reset", typed_name="Another")
    assert (untyped.status_code, list(untyped.json()["fields"])) == (400, ["typed_name"])
    assert post(of_manager, device, "factory_reset", typed_name=device.name).status_code == 201


def test_a_moving_vehicle_is_not_stopped_unless_overridden_with_a_reason(device, manager):
    api = api_of(manager)
    a_fix(device, speed_kph=50.0)
    refused = post(api, device, "engine_stop", typed_name=device.name)
    assert (refused.status_code, refused.json()["code"]) == (409, "unsafe")
    assert "is_override" in refused.json()["fields"]
    assert refused.json()["state"]
    bare = post(api, device, "engine_stop", typed_name=device.name, is_override=True)
    assert (bare.status_code, list(bare.json()["fields"])) == (400, ["reason"])
    said = post(api, device, "engine_stop", typed_name=device.name, is_override=True, reason="Police asked")
    assert said.status_code == 201
    assert said.json()["is_override"] is True


def test_a_key_of_the_row_makes_one_command_for_ever_and_refuses_another_request(api, device):
    first = post(api, device, idempotency_key="k1")
    again = post(api, device, idempotency_key="k1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    other = post(api, device, "reboot", idempotency_key="k1")
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


def test_an_idempotency_key_of_the_request_is_answered_as_the_first_time(api, device):
    bodies = [
        api.post(
            "/api/commands",
            {"device_id": device.pk, "type": "position_request"},
            format="json",
            headers={"Idempotency-Key": "abc"},
        )
        for _attempt in range(2)
    ]
    assert [one.status_code for one in bodies] == [201, 201]
    assert bodies[1].headers["Idempotency-Replayed"] == "true"
    assert bodies[0].json() == bodies[1].json()
    assert Command.objects.count() == 1


def test_it_lists_by_device_fleet_type_state_person_batch_and_time(api, device, operator, manager, fleet):
    batch = uuid4()
    other = Device.objects.create(fleet=fleet, unique_id="o", name="Other")
    mine = ask(device, operator, "reboot")
    theirs = ask(other, manager)
    Command.objects.filter(pk=theirs.pk).update(state="done", batch=batch)

    def found(**filters):
        answer = api.get("/api/commands", filters)
        assert answer.status_code == 200, answer.json()
        return [row["id"] for row in answer.json()["results"]]

    assert found() == [theirs.pk, mine.pk]
    assert found(device=device.pk) == [mine.pk]
    assert found(fleet=fleet.pk + 1) == []
    assert found(type="reboot") == [mine.pk]
    assert found(state="done") == [theirs.pk]
    assert found(requested_by=operator.pk) == [mine.pk]
    assert found(batch=str(batch)) == [theirs.pk]
    assert found(created_after=mine.created_at.isoformat()) == [theirs.pk]
    assert api.get("/api/commands", {"batch": "no"}).status_code == 400
    assert api.get("/api/commands", {"state": "gone"}).status_code == 400


def test_a_queued_command_is_cancelled_and_a_sent_one_is_a_conflict_with_its_state(api, device, operator, wire):
    queued = ask(device, operator)
    answer = api.post(f"/api/commands/{queued.pk}/cancel", {"reason": "Not needed"}, format="json")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert "Not needed" in answer.json()["state_text"]
    sent = ask(device, operator)
    send(sent, wire)
    late = api.post(f"/api/commands/{sent.pk}/cancel", {}, format="json")
    assert (late.status_code, late.json()["code"], late.json()["state"]) == (409, "too_late", "sent")


def test_another_person_confirms_and_nobody_their_own(device, manager, make_user, fleet, second_person):
    asked = post(api_of(manager), device, "power_off").json()
    assert asked["state"] == "awaiting_confirmation"
    own = api_of(manager).post(f"/api/commands/{asked['id']}/confirm")
    assert (own.status_code, own.json()["code"]) == (403, "own")
    other = make_user()
    FleetMembership.objects.create(user=other, fleet=fleet, role=FleetRole.MANAGER)
    done = api_of(other).post(f"/api/commands/{asked['id']}/confirm")
    assert (done.status_code, done.json()["state"], done.json()["confirmed_by_id"]) == (200, "queued", other.pk)
    again = api_of(other).post(f"/api/commands/{asked['id']}/confirm")
    assert (again.status_code, again.json()["state"]) == (409, "queued")


def test_attempts_show_bytes_and_only_those_who_send_see_the_address(device, operator, viewer, wire):
    command = ask(device, operator, "position_request")
    send(command, wire, address="+5511999990000")
    (attempt,) = api_of(operator).get(f"/api/commands/{command.pk}").json()["attempts"]
    assert attempt["data_hex"] == wire.written[0].data.hex()
    assert (attempt["text"], attempt["address"]) == (wire.written[0].text, "+5511999990000")
    (seen,) = api_of(viewer).get(f"/api/commands/{command.pk}").json()["attempts"]
    assert seen["address"] == ""


def test_only_what_the_device_and_the_person_can_is_offered(api, device, way, manager):
    way.known = frozenset({"position_interval", "engine_stop"})
    (offered,) = api.get(f"/api/devices/{device.pk}/command-types").json()["results"]
    assert offered["type"] == "position_interval"
    assert offered["ways"] == ["session"]
    assert (offered["min_expiry_seconds"], offered["max_expiry_seconds"]) == (15, 604800)
    (parameter,) = offered["parameters"]
    assert parameter["name"] == "interval_seconds"
    assert (parameter["kind"], parameter["minimum"], parameter["maximum"]) == ("integer", 5, 86400)
    of_manager = api_of(manager).get(f"/api/devices/{device.pk}/command-types").json()["results"]
    assert [one["type"] for one in of_manager] == ["position_interval", "engine_stop"]
    unknown = post(api, device, "reboot")
    assert (unknown.status_code, unknown.json()["code"]) == (400, "not_offered")


def test_many_devices_are_asked_with_a_dry_run_first(api, device, fleet, way):
    off = Device.objects.create(fleet=fleet, unique_id="off", name="Off", is_active=False)
    body = {"device_ids": [device.pk, off.pk], "type": "position_request"}
    dry = api.post("/api/commands/bulk", {**body, "dry_run": True}, format="json")
    assert dry.status_code == 200
    assert (dry.json()["accepted"], dry.json()["refused"], dry.json()["batch"]) == (1, 1, None)
    assert not Command.objects.exists()
    made = api.post("/api/commands/bulk", body, format="json")
    assert made.status_code == 201
    rows = {row["device_id"]: row for row in made.json()["results"]}
    assert rows[off.pk]["code"] == "not_offered"
    assert rows[off.pk]["command_id"] is None
    command = Command.objects.get()
    assert (command.pk, str(command.batch)) == (rows[device.pk]["command_id"], made.json()["batch"])


def test_a_device_of_another_fleet_makes_the_group_a_404(api, device, foreign):
    answer = api.post(
        "/api/commands/bulk", {"device_ids": [device.pk, foreign.pk], "type": "position_request"}, format="json"
    )
    assert answer.status_code == 404
    assert not Command.objects.exists()


def test_saved_commands_are_kept_by_managers_and_sent_with_the_devices_own_values(device, manager, operator, fleet):
    kept = {"fleet_id": fleet.pk, "name": "Hello", "type": "custom", "parameters": {"text": "ID {unique_id}"}}
    assert api_of(operator).post("/api/commands/saved", kept, format="json").status_code == 403
    made = api_of(manager).post("/api/commands/saved", kept, format="json")
    assert made.status_code == 201, made.json()
    saved_id = made.json()["id"]
    assert [one["id"] for one in api_of(operator).get("/api/commands/saved").json()["results"]] == [saved_id]
    wrong = api_of(manager).patch(f"/api/commands/saved/{saved_id}", {"parameters": {}}, format="json")
    assert (wrong.status_code, list(wrong.json()["fields"])) == (400, ["parameters"])
    body = {"device_id": device.pk, "saved_command_id": saved_id, "typed_name": device.name}
    sent = api_of(manager).post("/api/commands", body, format="json")
    assert sent.status_code == 201, sent.json()
    assert sent.json()["parameters"] == {"text": f"ID {device.unique_id}"}
    assert api_of(manager).delete(f"/api/commands/saved/{saved_id}").status_code == 204


def test_a_dangerous_command_is_saved_by_those_who_may_send_it(make_user, fleet):
    """A rule may send it by itself, no matter who changed it last."""
    keeper = give(make_user(is_staff=True), "tasks_app.add_savedcommand", "tasks_app.change_savedcommand")
    stop = {"name": "Stop", "fleet_id": fleet.pk, "type": "engine_stop"}
    assert api_of(keeper).post("/api/commands/saved", stop, format="json").status_code == 403
    made = api_of(keeper).post("/api/commands/saved", {**stop, "type": "reboot"}, format="json")
    path = f"/api/commands/saved/{made.json()['id']}"
    assert api_of(keeper).patch(path, {"type": "engine_stop"}, format="json").status_code == 403
    page = reverse("admin:tasks_app_savedcommand_add") + "?type=engine_stop"
    assert pages_of(keeper).post(page, {"name": "Stop", "fleet": fleet.pk}).status_code == 200
    assert list(SavedCommand.objects.values_list("type", flat=True)) == ["reboot"]
    names = ("add_savedcommand", "change_savedcommand", "view_fleet", "add_command", "send_dangerous_command")
    trusted = give(keeper, *(f"tasks_app.{name}" for name in names))
    assert api_of(trusted).patch(path, {"type": "engine_stop"}, format="json").status_code == 200
    assert pages_of(trusted).post(page, {"name": "Stop at once", "fleet": fleet.pk}).status_code == 302


def test_a_saved_command_of_all_fleets_is_made_by_staff_only(manager, make_user, operator):
    kept = {"name": "Everywhere", "type": "position_request"}
    assert api_of(manager).post("/api/commands/saved", kept, format="json").status_code == 403
    keeper = give(make_user(is_staff=True), "tasks_app.add_savedcommand")
    assert api_of(keeper).post("/api/commands/saved", kept, format="json").status_code == 201
    assert [one["name"] for one in api_of(operator).get("/api/commands/saved").json()["results"]] == ["Everywhere"]


def test_a_token_needs_the_scope_to_operate(device, operator):
    token = token_api(operator, "read", "write")
    refused = token.post("/api/commands", {"device_id": device.pk, "type": "reboot"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    assert token.get("/api/commands").status_code == 200
    assert post(token_api(operator, "operate"), device).status_code == 201


def test_how_a_device_is_reached_is_set_by_its_managers(device, manager, operator):
    address = f"/api/devices/{device.pk}/access"
    assert api_of(operator).get(address).status_code == 403
    api = api_of(manager)
    assert api.get(address).json()["ways"] == []
    kept = {"protocol": "gt06", "ways": ["sms", "session"], "phone_number": "+5511999990000", "zone_minutes": -180}
    assert api.patch(address, {**kept, "allowed_networks": ["203.0.113.0/24"]}, format="json").status_code == 200
    assert api.get(address).json()["ways"] == ["sms", "session"]
    for wrong in (
        {"ways": ["session", "session"]}, {"ways": ["pigeon"]}, {"phone_number": "11 99999"}, {"protocol": "morse"},
        {"allowed_networks": ["300.1.1.1/8"]}, {"zone_minutes": 9999},
    ):  # fmt: skip
        answer = api.patch(address, wrong, format="json")
        assert (answer.status_code, list(answer.json()["fields"])) == (400, list(wrong)), answer.json()


def test_the_form_of_a_relay_is_one_of_the_device_s_protocol(device, manager):
    api, address = api_of(manager), f"/api/devices/{device.pk}/access"
    assert api.patch(address, {"protocol": "gt06", "relay_variant": "dyd"}, format="json").status_code == 200
    assert api.get(address).json()["relay_variant"] == "dyd"
    for wrong in ({"relay_variant": "64_65"}, {"relay_variant": "morse"}, {"protocol": "h02"}):
        answer = api.patch(address, wrong, format="json")
        assert (answer.status_code, list(answer.json()["fields"])) == (400, ["relay_variant"]), answer.json()
    note_connections([Connected(device.pk, "gt06", timezone.now())])
    assert api.get(address).json()["relay_variant"] == "dyd"
    # Another tracker was put into the vehicle.
    note_connections([Connected(device.pk, "jt808", timezone.now())])
    assert api.get(address).json()["relay_variant"] == ""


def test_a_tracker_s_password_is_stored_encrypted_and_shown_nowhere(device, manager, settings):
    api, address = api_of(manager), f"/api/devices/{device.pk}/access"
    assert api.get(address).json()["has_password"] is False
    answer = api.patch(address, {"password": "fleet s3cr3t"}, format="json")
    assert (answer.status_code, answer.json()["has_password"]) == (200, True)
    access = DeviceAccess.objects.get(device=device)
    assert access.password == "fleet s3cr3t"
    shown = [
        answer.json(),
        api.get(address).json(),
        *AuditEntry.objects.values(),
        access.encrypted_password,
        repr(access),
    ]
    assert "s3cr3t" not in repr(shown)
    assert access.encrypted_password not in repr(list(AuditEntry.objects.values()))
    assert any("encrypted_password" in entry.changes for entry in AuditEntry.objects.all())
    for wrong in ("abc", "a,b#cd", "two  spaces", "x" * 41, "nível1"):
        answer = api.patch(address, {"password": wrong}, format="json")
        assert (answer.status_code, list(answer.json()["fields"])) == (400, ["password"])
    settings.ENCRYPTION_KEYS = ["a-new-key-of-fifty-characters-0123456789abcdefghij", *settings.ENCRYPTION_KEYS]
    call_command("rotate_secrets")
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]
    assert DeviceAccess.objects.get(device=device).password == "fleet s3cr3t"
    assert api.patch(address, {"password": ""}, format="json").json()["has_password"] is False


def test_an_attempt_without_a_sender_shows_that_it_was_begun_and_no_more(api, device, operator):
    command = ask(device, operator)
    CommandAttempt.objects.create(
        command=command, number=1, way="session", data=b"\x78\x78", started_at=command.created_at
    )
    (attempt,) = api.get(f"/api/commands/{command.pk}").json()["attempts"]
    assert (attempt["sent_at"], attempt["answer"], attempt["error"], attempt["data_hex"]) == (None, "", "", "7878")
