"""Requests for commands: what is refused, what is made, and by whom."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tasks_app.models import AuditEntry, Command, FleetMembership, FleetRole
from tasks_app.services.commands import CommandRefused, cancel_command, confirm_command, request_commands
from tests.support.commands import a_fix, ask, long_ago, manager_of, state_of
from tests.support.rights import give

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("way")]


@pytest.fixture
def second_person(settings) -> None:
    settings.COMMANDS = {**settings.COMMANDS, "NEED_SECOND_PERSON": True}


def refusal(call, *args, **kwargs) -> CommandRefused:
    with pytest.raises(CommandRefused) as caught:
        call(*args, **kwargs)
    assert caught.value.sentence
    return caught.value


def test_a_command_is_a_row_before_anything_is_sent(device, operator):
    command = ask(device, operator, "position_interval", parameters={"interval_seconds": 30}, reason="Slow today")
    assert (command.state, command.parameters, command.requested_by) == ("queued", {"interval_seconds": 30}, operator)
    assert command.expires_at - command.created_at < timedelta(seconds=601)
    entry = AuditEntry.objects.get(verb="request_command")
    assert (entry.user_id, entry.object_id, entry.reason) == (operator.pk, str(command.pk), "Slow today")


@pytest.mark.parametrize(
    ("options", "code", "fields"),
    [
        ({"type": "launch"}, "invalid", {"type"}),
        ({"type": "position_interval"}, "invalid", {"parameters.interval_seconds"}),
        (
            {"type": "position_interval", "parameters": {"interval_seconds": 1}},
            "invalid",
            {"parameters.interval_seconds"},
        ),
        ({"parameters": {"x": 1}}, "invalid", {"parameters.x"}),
        ({"parameters": [1]}, "invalid", {"parameters"}),
        ({"expires_in_seconds": 0}, "invalid", {"expires_in_seconds"}),
        ({"expires_in_seconds": 10**9}, "invalid", {"expires_in_seconds"}),
        ({"type": "engine_stop", "expires_in_seconds": 301}, "invalid", {"expires_in_seconds"}),
        ({"priority": 101}, "invalid", {"priority"}),
        ({"priority": "high"}, "invalid", {"priority"}),
        ({"reason": "x" * 301}, "invalid", {"reason"}),
        ({"idempotency_key": "k" * 65}, "invalid", {"idempotency_key"}),
        ({"way": "pigeon"}, "not_offered", {"way"}),
        ({"not_before": "tomorrow"}, "invalid", {"not_before"}),
        ({"type": "engine_stop", "typed_name": "Van 2"}, "invalid", {"typed_name"}),
        ({"type": "engine_stop", "is_override": True}, "invalid", {"reason"}),
    ],
)
def test_what_is_wrong_is_refused_beside_its_field(device, manager, options, code, fields):
    a_fix(device)
    found = refusal(ask, device, manager, **options)
    assert (found.code, set(found.errors)) == (code, fields)
    assert not Command.objects.exists()


def test_a_command_is_not_due_more_than_a_year_ahead(device, manager):
    found = refusal(ask, device, manager, not_before=timezone.now() + timedelta(days=400))
    assert set(found.errors) == {"not_before"}


@pytest.mark.parametrize(
    ("role", "type_name", "is_allowed"),
    [
        (FleetRole.VIEWER, "position_request", False),
        (FleetRole.OPERATOR, "position_request", True),
        (FleetRole.OPERATOR, "engine_stop", False),
        (FleetRole.OPERATOR, "engine_resume", True),
        (FleetRole.OPERATOR, "custom", False),
        (FleetRole.MANAGER, "engine_stop", True),
    ],
)
def test_each_role_sends_what_it_may(device, make_user, fleet, role, type_name, is_allowed):
    user = make_user()
    FleetMembership.objects.create(user=user, fleet=fleet, role=role)
    a_fix(device)
    parameters = {"text": "x"} if type_name == "custom" else {}
    if is_allowed:
        assert ask(device, user, type_name, parameters=parameters).pk
    else:
        assert refusal(ask, device, user, type_name, parameters=parameters).code == "not_permitted"


def test_a_device_of_another_fleet_is_not_commanded(foreign, manager):
    assert refusal(ask, foreign, manager).code == "not_permitted"


@pytest.mark.parametrize(
    ("fix", "code"),
    [
        (None, "unsafe"),
        ({"speed_kph": 80}, "unsafe"),
        ({"speed_kph": 20}, "unsafe"),
        ({"speed_kph": 0, "age_seconds": 61}, "unsafe"),
        ({"speed_kph": None}, "unsafe"),
        ({"speed_kph": 19}, None),
    ],
)
def test_the_engine_of_a_moving_vehicle_is_not_stopped(device, manager, fix, code):
    if fix is not None:
        a_fix(device, **fix)
    if code is None:
        assert ask(device, manager, "engine_stop").pk
    else:
        assert refusal(ask, device, manager, "engine_stop").code == code
        assert not Command.objects.exists()


def test_a_person_with_the_right_stops_it_all_the_same_and_says_why(device, manager, make_user, fleet):
    a_fix(device, speed_kph=80)
    command = ask(device, manager, "engine_stop", is_override=True, reason="Stolen, the police asked")
    assert (command.is_override, command.reason) == (True, "Stolen, the police asked")


def test_staff_who_may_send_dangerous_commands_need_another_permission_to_override(device, make_user):
    names = ["tasks_app.add_command", "tasks_app.send_dangerous_command"]
    user = give(make_user(is_staff=True), *names)
    a_fix(device, speed_kph=80)
    found = refusal(ask, device, user, "engine_stop", is_override=True, reason="x")
    assert (found.code, set(found.errors)) == ("not_permitted", {"is_override"})
    user = give(user, *names, "tasks_app.override_command_safety")
    assert ask(device, user, "engine_stop", is_override=True, reason="x").pk


def test_an_inactive_device_gets_no_command(make_device, manager):
    assert refusal(ask, make_device(is_active=False), manager).code == "not_offered"


def test_a_type_that_the_device_cannot_be_sent_is_refused(device, manager, way):
    way.known = frozenset({"reboot"})
    assert refusal(ask, device, manager).code == "not_offered"


# --- A second person ---


def test_a_dangerous_command_awaits_another_person(second_person, device, manager, make_user, fleet):
    a_fix(device)
    command = ask(device, manager, "engine_stop", typed_name="")
    assert command.state == "awaiting_confirmation"
    assert refusal(confirm_command, command, manager).code == "own"
    other = manager_of(make_user, fleet, "joao")
    confirmed = confirm_command(command, other)
    assert (confirmed.state, confirmed.confirmed_by) == ("queued", other)
    assert refusal(confirm_command, command, other).code == "too_late"
    assert set(AuditEntry.objects.values_list("verb", "user_id")) == {
        ("request_command", manager.pk),
        ("confirm_command", other.pk),
    }


def test_a_vehicle_that_drives_meanwhile_is_not_confirmed(second_person, device, manager, make_user, fleet):
    a_fix(device)
    command = ask(device, manager, "engine_stop")
    a_fix(device, speed_kph=60)
    assert refusal(confirm_command, command, manager_of(make_user, fleet, "joao")).code == "unsafe"


def test_nothing_is_confirmed_after_its_expiry(second_person, device, manager, make_user, fleet):
    a_fix(device)
    command = ask(device, manager, "engine_stop")
    long_ago(command, expires_at=1)
    assert refusal(confirm_command, command, manager_of(make_user, fleet, "joao")).code == "too_late"


def test_an_operator_does_not_confirm(second_person, device, manager, operator):
    a_fix(device)
    assert refusal(confirm_command, ask(device, manager, "engine_stop"), operator).code == "not_permitted"


def test_a_harmless_command_needs_nobody_else(second_person, device, operator):
    assert ask(device, operator, typed_name="").state == "queued"


# --- Order, repetition, cancelling ---


def test_a_newer_opposite_supersedes_the_queued_one_and_says_so(device, manager):
    a_fix(device)
    stop = ask(device, manager, "engine_stop")
    resume = ask(device, manager, "engine_resume")
    assert state_of(stop) == ("cancelled", f"superseded: {resume.pk}")
    assert state_of(resume) == ("queued", "")


def test_an_unconfirmed_opposite_supersedes_nothing_yet(second_person, device, manager, make_user, fleet):
    a_fix(device)
    resume = ask(device, manager, "engine_resume")
    stop = ask(device, manager, "engine_stop")
    assert state_of(resume)[0] == "queued"
    confirm_command(stop, manager_of(make_user, fleet, "joao"))
    assert state_of(resume) == ("cancelled", f"superseded: {stop.pk}")


def test_the_opposite_of_another_device_is_left_alone(device, make_device, manager):
    other = make_device()
    a_fix(other)
    stop = ask(other, manager, "engine_stop")
    ask(device, manager, "engine_resume")
    assert state_of(stop)[0] == "queued"


def test_the_same_key_makes_one_command(device, manager):
    first = ask(device, manager, "reboot", idempotency_key="k1")
    assert ask(device, manager, "reboot", idempotency_key="k1").pk == first.pk
    assert Command.objects.count() == AuditEntry.objects.filter(verb="request_command").count() == 1
    assert ask(device, manager, "reboot", idempotency_key="k2").pk != first.pk


@pytest.mark.parametrize(
    "options",
    [
        {"type": "status_request"},
        {"parameters": {"interval_seconds": 60}},
        {"priority": 1},
        {"way": "session"},
        {"reason": "else"},
        {"expires_in_seconds": 60},
    ],
)
def test_the_same_key_with_another_request_is_a_conflict(device, manager, options):
    given = {"type": "position_interval", "parameters": {"interval_seconds": 30}, "expires_in_seconds": 600}
    ask(device, manager, idempotency_key="k1", **given)
    assert refusal(ask, device, manager, idempotency_key="k1", **{**given, **options}).code == "conflict"


def test_keys_of_two_people_have_nothing_to_do_with_each_other(device, manager, operator):
    mine, other = (ask(device, user, "reboot", idempotency_key="k1") for user in (manager, operator))
    assert mine.pk != other.pk


def test_a_queued_command_is_cancelled_with_the_reason(device, operator):
    command = cancel_command(ask(device, operator), operator, "Not needed")
    assert (command.state, command.state_reason) == ("cancelled", "cancelled: Not needed")
    assert AuditEntry.objects.get(verb="cancel_command").reason == "Not needed"
    assert refusal(cancel_command, command, operator).code == "too_late"


@pytest.mark.parametrize("state", ["sending", "sent", "acknowledged", "done", "expired"])
def test_what_was_sent_is_not_cancelled(device, operator, state):
    command = ask(device, operator)
    Command.objects.update(state=state)
    assert refusal(cancel_command, command, operator).code == "too_late"


def test_a_stranger_cancels_nothing(device, operator, charlie):
    assert refusal(cancel_command, ask(device, operator), charlie).code == "not_permitted"


# --- Groups ---


def group(devices, user, **options):
    return request_commands(devices, **{"type": "position_request", "parameters": {}, "user": user, **options})


def test_each_device_of_a_group_has_its_own_outcome(device, make_device, foreign, manager):
    inactive = make_device(is_active=False)
    result = group([device, inactive, foreign, make_device()], manager)
    assert (result.accepted, dict(result.refused)) == (2, {"not_offered": 1, "not_permitted": 1})
    assert set(Command.objects.values_list("batch", flat=True)) == {result.batch}
    assert Command.objects.count() == 2


def test_a_dry_run_counts_and_makes_nothing(device, make_device, manager):
    a_fix(device)
    result = group([device, make_device()], manager, type="engine_stop", dry_run=True)
    assert (result.accepted, dict(result.refused), result.typed_wanted) == (1, {"unsafe": 1}, "2")
    assert not Command.objects.exists()
    assert not AuditEntry.objects.exists()


def test_a_dangerous_group_is_confirmed_by_the_number_of_its_devices(device, make_device, manager):
    devices = [device, make_device()]
    for one in devices:
        a_fix(one)
    found = refusal(group, devices, manager, type="engine_stop", typed_name=device.name)
    assert set(found.errors) == {"typed_name"}
    assert group(devices, manager, type="engine_stop", typed_name="2").accepted == 2


def test_a_group_has_a_cap(device, make_device, manager, settings):
    settings.COMMANDS = {**settings.COMMANDS, "MAX_DEVICES": 1}
    assert refusal(group, [device, make_device()], manager).code == "too_many"
    assert group([device, device], manager).accepted == 1
    assert refusal(group, [], manager).code == "invalid"


def test_a_group_under_a_key_is_made_once(device, make_device, manager):
    devices = [device, make_device()]
    first = group(devices, manager, idempotency_key="k1")
    again = group(devices, manager, idempotency_key="k1")
    assert [row.command.pk for row in again.rows] == [row.command.pk for row in first.rows]
    assert again.batch == first.batch
    assert refusal(group, [device], manager, idempotency_key="k1").code == "conflict"
    assert refusal(group, devices, manager, idempotency_key="k1", type="reboot").code == "conflict"


@pytest.mark.parametrize(("type_name", "opposite"), [("arm", "disarm"), ("engine_stop", "engine_resume")])
def test_a_group_takes_few_queries_however_many_devices_it_has(
    type_name, opposite, device, make_device, manager, django_assert_max_num_queries
):
    devices = [device, *[make_device() for _number in range(39)]]
    for one in devices:
        a_fix(one)
    for one in devices[:3]:
        ask(one, manager, opposite)
    # Two of them for each that is superseded.
    with django_assert_max_num_queries(20):
        result = group(devices, manager, type=type_name, reason="Night", typed_name="40")
    assert result.accepted == 40
    made = Command.objects.filter(batch=result.batch)
    assert made.filter(state="queued", reason="Night").count() == 40
    assert Command.objects.filter(type=opposite, state="cancelled").count() == 3
    entries = AuditEntry.objects.filter(verb="request_command", reason="Night")
    assert {entry.object_id for entry in entries} == {str(one.pk) for one in made}
    assert {entry.user_id for entry in entries} == {manager.pk}


def test_one_device_of_a_group_that_drives_costs_the_others_nothing(device, make_device, manager):
    driving = make_device()
    a_fix(device)
    a_fix(driving, speed_kph=60)
    result = group([device, driving, make_device()], manager, type="engine_stop", typed_name="3")
    assert [row.refusal and row.refusal.sentence for row in result.rows] == [
        None, "The vehicle drives too fast.", "The vehicle's place and speed are not known.",
    ]  # fmt: skip


def test_placeholders_of_a_saved_command_are_those_of_each_device(device, make_device, manager):
    other = make_device()
    given = {"type": "custom", "parameters": {"text": "NAME,{unique_id}#"}, "is_template": True, "typed_name": "2"}
    group([device, other], manager, **given)
    texts = Command.objects.order_by("device_id").values_list("parameters__text", flat=True)
    assert list(texts) == [f"NAME,{device.unique_id}#", f"NAME,{other.unique_id}#"]
