"""The pages of commands, at / and in the admin: by role, with a form per type, and what was sent is not called done."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from django.urls import reverse

from tasks_app.models import Command, Device, DeviceAccess, FleetMembership, FleetRole, SavedCommand
from tests.support.commands import a_fix, ask, send
from tests.support.rights import give, pages_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("way")]
SENDER = ("tasks_app.view_command", "tasks_app.add_command", "tasks_app.view_device")


@pytest.fixture
def viewer(make_user, fleet):
    user = make_user()
    FleetMembership.objects.create(user=user, fleet=fleet, role=FleetRole.VIEWER)
    return user


@pytest.fixture
def second_person(settings) -> None:
    settings.COMMANDS = {**settings.COMMANDS, "NEED_SECOND_PERSON": True}


def shown(user, name: str, *arguments, **query) -> str:
    answer = pages_of(user).get(reverse(name, args=arguments), query)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def list_of(user, device) -> str:
    return shown(user, "pages:device_commands", device.pk)


# --- At / ---


def test_a_viewer_sees_commands_an_operator_harmless_types_a_manager_dangerous_ones(device, viewer, operator, manager):
    command = ask(device, manager, "reboot")
    for user, sees in ((viewer, ""), (operator, "position_request"), (manager, "engine_stop")):
        page = list_of(user, device)
        assert reverse("pages:command", args=[command.pk]) in page
        assert ("/commands/position_request/" in page) == bool(sees)
        assert ("/commands/engine_stop/" in page) == (sees == "engine_stop")


def test_a_command_is_sent_by_the_form_of_its_type_and_its_errors_stand_beside_the_fields(device, operator):
    address = reverse("pages:device_command_send", args=[device.pk, "position_interval"])
    client = pages_of(operator)
    page = client.get(address).content.decode()
    assert 'name="parameter-interval_seconds"' in page
    assert 'max="86400"' in page
    wrong = client.post(address, {"parameter-interval_seconds": "1", "expires_in_seconds": "600"})
    assert wrong.status_code == 200
    assert wrong.context["form"].errors["parameter-interval_seconds"]
    folded = client.post(address, {"parameter-interval_seconds": "30", "expires_in_seconds": "1"}).content.decode()
    assert re.search(r'name="expires_in_seconds"[^>]* autofocus', folded)
    assert not Command.objects.exists()
    key = wrong.context["form"]["idempotency_key"].value() or "once"
    data = {"parameter-interval_seconds": "30", "expires_in_seconds": "600", "idempotency_key": key}
    answers = [client.post(address, data) for _click in range(2)]
    command = Command.objects.get()
    assert [one.headers["Location"] for one in answers] == [reverse("pages:command", args=[command.pk])] * 2
    assert (command.parameters, command.requested_by) == ({"interval_seconds": 30}, operator)


def test_a_dangerous_command_needs_the_typed_name_and_says_why_a_vehicle_is_not_stopped(device, manager):
    address = reverse("pages:device_command_send", args=[device.pk, "engine_stop"])
    client, data = pages_of(manager), {"expires_in_seconds": "60"}
    a_fix(device, speed_kph=0.0)
    assert client.post(address, data).context["form"].errors["typed_name"]
    a_fix(device, speed_kph=80.0)
    moving = client.post(address, {**data, "typed_name": device.name})
    assert moving.context["form"].errors["is_override"]
    said = {**data, "typed_name": device.name, "is_override": "on", "reason": "Asked for by the police"}
    assert client.post(address, said).status_code == 302
    assert Command.objects.get().is_override


def test_what_was_sent_is_not_shown_as_done(device, operator, wire):
    command = ask(device, operator)
    assert "is-plain" in list_of(operator, device)
    send(command, wire)
    page = list_of(operator, device)
    assert '<span class="tk-pill is-info">Sent, not answered</span>' in page
    assert "is-success" not in page
    one = shown(operator, "pages:command", command.pk)
    assert "Its bytes left. Whether the device got it, and did it, is not known yet." in one
    assert wire.written[0].data.hex(" ")[:20] in one
    Command.objects.filter(pk=command.pk).update(state="done")
    assert '<span class="tk-pill is-success">Done</span>' in list_of(operator, device)


def test_a_command_is_cancelled_with_a_reason_and_no_more_once_it_was_sent(device, operator, wire):
    command = ask(device, operator)
    address = reverse("pages:command_cancel", args=[command.pk])
    client = pages_of(operator)
    assert client.post(address, {}).context["form"].errors["reason"]
    assert client.post(address, {"reason": "Not needed"}).status_code == 302
    command.refresh_from_db()
    assert command.state == "cancelled"
    sent = ask(device, operator)
    send(sent, wire)
    late = client.post(reverse("pages:command_cancel", args=[sent.pk]), {"reason": "Late"})
    assert late.context["form"].non_field_errors()


def test_another_person_confirms_on_the_page(device, manager, make_user, fleet, second_person):
    page = shown(manager, "pages:device_command_send", device.pk, "power_off")
    assert 'name="typed_name"' not in page
    command = ask(device, manager, "power_off", typed_name="")
    address = reverse("pages:command_confirm", args=[command.pk])
    assert address not in shown(manager, "pages:command", command.pk)
    assert pages_of(manager).post(address).context["form"].non_field_errors()
    other = make_user()
    FleetMembership.objects.create(user=other, fleet=fleet, role=FleetRole.MANAGER)
    assert address in shown(other, "pages:command", command.pk)
    assert pages_of(other).post(address).status_code == 302
    command.refresh_from_db()
    assert (command.state, command.confirmed_by) == ("queued", other)


def test_a_saved_command_fills_in_the_form(device, manager, fleet):
    saved = SavedCommand.objects.create(
        fleet=fleet, name="Say hello", type="custom", parameters={"text": "HELLO,{unique_id}#"}
    )
    assert "Say hello" in list_of(manager, device)
    address = reverse("pages:device_command_send", args=[device.pk, "custom"]) + f"?saved={saved.pk}"
    client = pages_of(manager)
    assert "HELLO,{unique_id}#" in client.get(address).content.decode()
    data = {"parameter-text": "HELLO,{unique_id}#", "expires_in_seconds": "600", "typed_name": device.name}
    assert client.post(address, data).status_code == 302
    assert Command.objects.get().parameters == {"text": f"HELLO,{device.unique_id}#"}


def test_managers_set_how_a_device_is_reached(device, manager):
    address = reverse("pages:device_settings", args=[device.pk])
    client = pages_of(manager)
    form = client.get(address).context["form"]
    data = {name: form[name].value() or "" for name in form.fields if name != "is_active"}
    data |= {"is_active": "on", "access-protocol": "gt06", "access-ways_0": "sms", "access-ways_1": "session"}
    wrong = client.post(address, {**data, "access-allowed_networks": "here"})
    assert set(wrong.context["access_form"].errors) == {"phone_number", "allowed_networks"}
    right = {**data, "access-phone_number": "+5511999990000", "access-allowed_networks": "203.0.113.0/24\n\n10.0.0.7"}
    assert client.post(address, right).status_code == 302
    access = DeviceAccess.objects.get(device=device)
    assert (access.protocol, access.ways) == ("gt06", ["sms", "session"])
    assert access.allowed_networks == ["203.0.113.0/24", "10.0.0.7"]


def test_a_password_is_entered_kept_and_forgotten_on_the_page_of_a_device_and_never_shown(device, manager):
    address = reverse("pages:device_settings", args=[device.pk])
    client = pages_of(manager)
    form = client.get(address).context["form"]
    data = {name: form[name].value() or "" for name in form.fields if name != "is_active"}
    data |= {"is_active": "on", "access-protocol": "gt06", "access-relay_variant": "dyd_password"}
    wrong = client.post(address, {**data, "access-new_password": "a#b,", "access-relay_variant": "64_65"})
    assert set(wrong.context["access_form"].errors) == {"new_password", "relay_variant"}
    assert "a#b," not in wrong.content.decode()
    for entered, kept in (
        ({"access-new_password": "4711x"}, "4711x"),
        ({}, "4711x"),
        ({"access-forget_password": "on"}, ""),
    ):
        assert client.post(address, {**data, **entered}).status_code == 302
        access = DeviceAccess.objects.get(device=device)
        assert (access.password, access.relay_variant) == (kept, "dyd_password")
        assert "4711x" not in client.get(address).content.decode()


# --- In the admin ---


def test_staff_send_a_command_from_the_devices_page(device, make_user):
    sender = give(make_user(is_staff=True), *SENDER)
    assert "Send a command" in shown(sender, "admin:tasks_app_device_change", device.pk)
    choose = shown(sender, "admin:tasks_app_command_send", devices=device.pk)
    assert "/send/position_request/" in choose
    assert "/send/engine_stop/" not in choose
    address = reverse("admin:tasks_app_command_send_type", args=["position_request"]) + f"?devices={device.pk}"
    sent = pages_of(sender).post(address, {"expires_in_seconds": "600"})
    command = Command.objects.get()
    assert sent.headers["Location"] == reverse("admin:tasks_app_command_change", args=[command.pk])


def test_a_command_to_many_devices_is_checked_first(device, fleet, staff):
    others = [Device.objects.create(fleet=fleet, unique_id=f"o{n}", name=f"Other {n}") for n in range(2)]
    off = Device.objects.create(fleet=fleet, unique_id="off", name="Off duty", is_active=False)
    query = "&".join(f"devices={one.pk}" for one in (device, *others, off))
    address = reverse("admin:tasks_app_command_send_type", args=["power_off"]) + f"?{query}"
    client, data = pages_of(staff), {"expires_in_seconds": "600", "typed_name": "4"}
    first = client.get(address).content.decode()
    assert "Check first" in first
    assert 'name="reason"' in next(part for part in first.split("<") if "autofocus" in part)
    assert 'value="send"' not in first
    checked = client.post(address, {**data, "step": "check"}).content.decode()
    assert "Commands to 3 devices would be sent." in checked
    assert "section" in next(part for part in checked.split("<") if "autofocus" in part)
    assert "Off duty" in checked
    assert not Command.objects.exists()
    untyped = client.post(address, {**data, "typed_name": "3", "step": "send"})
    assert untyped.context["form"].errors["typed_name"]
    sent = client.post(address, {**data, "step": "send"})
    batches = set(Command.objects.values_list("batch", flat=True))
    assert Command.objects.count() == 3
    assert len(batches) == 1
    assert sent.headers["Location"].endswith(f"?batch={batches.pop()}")
    listed = client.get(sent.headers["Location"])
    assert listed.context["cl"].result_count == 3
    assert "Switch off · 3 devices" in listed.content.decode()
    assert client.get(f"{sent.headers['Location']}&state__exact=done").context["cl"].result_count == 0


def test_a_command_leads_to_those_sent_with_it(device, fleet, staff):
    batch, other = uuid4(), Device.objects.create(fleet=fleet, unique_id="o", name="Other")
    alone, first = ask(device, staff), ask(device, staff, "reboot", batch=batch)
    ask(other, staff, "reboot", batch=batch)
    Command.objects.filter(device=other).update(state="done")
    address = f"{reverse('admin:tasks_app_command_changelist')}?batch={batch}"
    page = shown(staff, "admin:tasks_app_command_change", first.pk)
    assert f'<a class="tk-link" href="{address}">One of 2 commands sent together</a>' in page
    assert f'href="{address}&amp;state__exact=done"' in page
    assert "sent together" not in shown(staff, "admin:tasks_app_command_change", alone.pk)
    whole = pages_of(staff).get(reverse("admin:tasks_app_command_changelist"))
    assert whole.context["cl"].result_count == 3
    assert "sent together" not in whole.content.decode()


@pytest.mark.parametrize("batch", ["nonsense", "5f0f0b0e-0000-4000-8000-000000000000", "</script><b>"])
def test_a_batch_that_there_is_not_is_an_empty_list_that_says_so(device, staff, batch):
    ask(device, staff)
    answer = pages_of(staff).get(reverse("admin:tasks_app_command_changelist"), {"batch": batch})
    assert answer.context["cl"].result_count == 0
    assert "there is no such batch" in answer.content.decode()


def test_selected_devices_are_taken_along_to_the_page_that_asks_what_to_send(device, staff):
    address = reverse("admin:tasks_app_device_changelist")
    answer = pages_of(staff).post(address, {"action": "send_command", "_selected_action": [device.pk]})
    assert answer.headers["Location"] == reverse("admin:tasks_app_command_send") + f"?devices={device.pk}"


def test_staff_cancel_and_see_attempts_and_those_without_the_right_only_look(device, operator, make_user, wire):
    looker = give(make_user(is_staff=True), "tasks_app.view_command")
    command = ask(device, operator)
    send(command, wire)
    page = shown(looker, "admin:tasks_app_command_change", command.pk)
    assert "Sent, not answered" in page
    assert wire.written[0].data.hex(" ")[:20] in page
    waiting = ask(device, operator)
    cancel = reverse("admin:tasks_app_command_cancel", args=[waiting.pk])
    assert cancel not in shown(looker, "admin:tasks_app_command_change", waiting.pk)
    assert pages_of(looker).post(cancel, {"reason": "Mine"}).status_code == 403
    canceller = give(make_user(is_staff=True), "tasks_app.view_command", "tasks_app.cancel_command")
    assert pages_of(canceller).post(cancel, {"reason": "Not needed"}).status_code == 302
    waiting.refresh_from_db()
    assert (waiting.state, waiting.state_reason) == ("cancelled", "cancelled: Not needed")


def test_saved_commands_have_a_form_of_their_type(staff, fleet):
    client, address = pages_of(staff), reverse("admin:tasks_app_savedcommand_add")
    assert f"{address}?type=output" in client.get(address).content.decode()
    data = {"name": "Siren", "fleet": fleet.pk, "parameter-output": "9", "parameter-is_on": "true"}
    wrong = client.post(f"{address}?type=output", data)
    assert wrong.status_code == 200
    assert "parameter-output" in wrong.context["adminform"].form.errors
    assert client.post(f"{address}?type=output", {**data, "parameter-output": "2"}).status_code == 302
    saved = SavedCommand.objects.get()
    assert (saved.type, saved.parameters) == ("output", {"output": 2, "is_on": True})
    change = reverse("admin:tasks_app_savedcommand_change", args=[saved.pk])
    assert 'name="parameter-output"' in client.get(change).content.decode()
    assert client.post(change, {**data, "parameter-output": "3", "parameter-is_on": "false"}).status_code == 302
    saved.refresh_from_db()
    assert saved.parameters == {"output": 3, "is_on": False}


def test_the_devices_page_in_the_admin_has_how_it_is_reached(device, staff):
    client, address = pages_of(staff), reverse("admin:tasks_app_device_change", args=[device.pk])
    page = client.get(address)
    management = [one.formset.management_form for one in page.context["inline_admin_formsets"]]
    data = {}
    for one in (page.context["adminform"].form, *management):
        found = {name: one[name].value() for name in one.fields}
        data |= {one.add_prefix(name): value for name, value in found.items() if value is not None}
    data |= {"access-0-protocol": "gt06", "access-0-ways_0": "session", "access-0-allowed_networks": "10.0.0.0/8"}
    data |= {"access-0-relay_variant": "dyd", "access-0-new_password": "4711x"}
    answer = client.post(address, data)
    assert answer.status_code == 302, answer.context["errors"]
    access = DeviceAccess.objects.get(device=device)
    assert (access.protocol, access.ways, access.allowed_networks) == ("gt06", ["session"], ["10.0.0.0/8"])
    assert (access.relay_variant, access.password) == ("dyd", "4711x")
    assert "4711x" not in client.get(address).content.decode()
