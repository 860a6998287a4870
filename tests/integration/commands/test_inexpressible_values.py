"""Values that no way to a device can express: refused at every entrance when they are asked for, and nothing is stored."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from tasks_app.engine import PermanentError, get_task
from tasks_app.models import AuditEntry, Command, Device, Event, EventKind, Fleet, SavedCommand
from tasks_app.services.commands import CommandRefused, request_commands
from tests.support.commands import manager_of
from tests.support.notifications import make_rule, record_events
from tests.support.rights import api_of, give, pages_of
from tests.support.sent_commands import ask_for, give_access

pytestmark = pytest.mark.django_db
PHONE = "+5511999990000"
A_DAY = {"interval_seconds": 86_400}
SENTENCE = "These trackers take intervals of at most 18000 seconds."
SENDER = ("tasks_app.view_command", "tasks_app.add_command", "tasks_app.view_device")


@pytest.fixture
def gt06(device):
    give_access(device, protocol="gt06")
    return device


@pytest.fixture
def nothing_made():
    yield
    assert not Command.objects.exists()
    assert not AuditEntry.objects.filter(verb="request_command").exists()


def refusal(device, user, type="position_interval", **options) -> CommandRefused:
    with pytest.raises(CommandRefused) as caught:
        ask_for(device, user, type, **options)
    return caught.value


# --- Entrances ---


def test_the_api_answers_400_beside_the_parameter(gt06, operator, nothing_made):
    body = {"device_id": gt06.pk, "type": "position_interval", "parameters": A_DAY}
    answer = api_of(operator).post("/api/commands", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "not_encodable")
    assert (answer.json()["detail"], answer.json()["fields"]) == (
        SENTENCE,
        {"parameters.interval_seconds": [SENTENCE]},
    )


def test_the_form_of_the_page_says_it_beside_the_field(gt06, operator, nothing_made):
    address = reverse("pages:device_command_send", args=[gt06.pk, "position_interval"])
    data = {"parameter-interval_seconds": "86400", "expires_in_seconds": "600"}
    page = pages_of(operator).post(address, data)
    assert (page.status_code, page.context["form"].errors) == (200, {"parameter-interval_seconds": [SENTENCE]})


def test_the_admin_says_it_beside_the_field_and_of_many_devices_which(gt06, make_device, make_user, nothing_made):
    other = make_device()
    give_access(other, protocol="h02")
    client = pages_of(give(make_user(is_staff=True), *SENDER))
    address = reverse("admin:tasks_app_command_send_type", args=["position_interval"])
    data = {"parameter-interval_seconds": "86400", "expires_in_seconds": "600"}
    one = client.post(f"{address}?devices={gt06.pk}", data)
    assert one.context["form"].errors == {"parameter-interval_seconds": [SENTENCE]}
    many = client.post(f"{address}?devices={gt06.pk}&devices={other.pk}", {**data, "step": "check"})
    assert many.context["dry_run"]["refused"] == [(f"{SENTENCE} (1)", gt06.name)]


def test_of_many_devices_those_that_cannot_take_it_are_named(gt06, make_device, operator):
    other = make_device()
    give_access(other, protocol="h02")
    body = {"device_ids": [gt06.pk, other.pk], "type": "position_interval", "parameters": A_DAY}
    answer = api_of(operator).post("/api/commands/bulk", body, format="json")
    assert (answer.status_code, answer.json()["refused_by_code"]) == (201, {"not_encodable": 1})
    rows = {row["device_id"]: row for row in answer.json()["results"]}
    assert (rows[gt06.pk]["command_id"], rows[gt06.pk]["detail"]) == (None, SENTENCE)
    assert list(Command.objects.values_list("pk", "device")) == [(rows[other.pk]["command_id"], other.pk)]


def test_the_shell_fails_with_the_sentence(gt06, nothing_made):
    with pytest.raises(CommandError, match=f"interval_seconds: {SENTENCE}"):
        call_command("commands", "send", gt06.unique_id, "position_interval", "--parameter", "interval_seconds=86400")


def test_a_job_fails_with_the_sentence(gt06, nothing_made):
    with pytest.raises(PermanentError, match=SENTENCE):
        get_task("send_command")(device_id=gt06.pk, type="position_interval", parameters=A_DAY)


def test_a_saved_command_is_kept_for_the_devices_that_can_take_it(gt06, fleet, make_user, make_device):
    manager = manager_of(make_user, fleet)
    kept = {"fleet_id": fleet.pk, "name": "Daily", "type": "position_interval", "parameters": A_DAY}
    made = api_of(manager).post("/api/commands/saved", kept, format="json")
    assert made.status_code == 201, made.json()
    other = make_device()
    give_access(other, protocol="h02")
    for device, status in ((gt06, 400), (other, 201)):
        body = {"device_id": device.pk, "saved_command_id": made.json()["id"]}
        assert api_of(manager).post("/api/commands", body, format="json").status_code == status
    for device, is_offered in ((gt06, False), (other, True)):
        page = pages_of(manager).get(reverse("pages:device_commands", args=[device.pk])).content.decode()
        assert (f"?saved={made.json()['id']}" in page) is is_offered


def test_a_rule_says_of_which_device_its_command_was_refused(gt06, fleet, operator, nothing_made):
    Fleet.objects.update(rule_commands="harmless")
    daily = SavedCommand.objects.create(fleet=fleet, name="Daily", type="position_interval", parameters=A_DAY)
    make_rule(fleet, [operator], kinds=["alarm"], command=daily)
    record_events(gt06, EventKind.ALARM)
    (event,) = Event.objects.filter(kind=EventKind.COMMAND_RESULT)
    assert SENTENCE in event.data["result"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"parameters": A_DAY}, f"parameters: interval_seconds: {SENTENCE}"),
        (
            {"parameters": {"interval_seconds": 0}},
            "parameters: interval_seconds: Must be a whole number from 5 to 86400.",
        ),
        ({"parameters": {}}, "parameters: interval_seconds: Required."),
        ({"parameters": {"interval_seconds": 60}, "expires_in_seconds": 1}, "expires_in_seconds: "),
        ({"type": "factory_reset"}, "typed_name: Type Van 1 to confirm."),
        ({"parameters": {"interval_seconds": 60}}, ""),
    ],
    ids=str,
)
def test_a_schedule_whose_every_run_would_fail_is_not_saved(arguments, words, gt06, staff):
    api = api_of(staff)
    kwargs = {"device_id": gt06.pk, "type": "position_interval", **arguments}
    body = {"name": "Nightly", "task": "send_command", "type": "cron", "cron": "0 3 * * *", "kwargs": kwargs}
    answer = api.post("/api/tasks/schedules", body, format="json")
    assert answer.status_code == (400 if words else 201), answer.json()
    if words:
        assert words in answer.json()["fields"]["kwargs"][0]


def test_a_schedule_for_a_device_that_was_never_connected_is_saved(device, staff):
    kwargs = {"device_id": device.pk, "type": "position_interval", "parameters": A_DAY}
    body = {"name": "Nightly", "task": "send_command", "type": "cron", "cron": "0 3 * * *", "kwargs": kwargs}
    assert api_of(staff).post("/api/tasks/schedules", body, format="json").status_code == 201


# --- Ways ---


def test_one_way_that_can_express_it_is_enough(device, staff, sms_settings):
    give_access(device, ways=["session", "sms"], protocol="coban", phone_number=PHONE)
    asked = {"type": "position_interval", "parameters": {"interval_seconds": 90}}
    assert ask_for(device, staff, **asked).pk
    by_session = refusal(device, staff, way="session", parameters={"interval_seconds": 90})
    assert (by_session.code, set(by_session.errors)) == ("not_encodable", {"parameters.interval_seconds"})
    give_access(device, phone_number="")
    assert refusal(device, staff, parameters={"interval_seconds": 90}).sentence == by_session.sentence


def test_a_traccar_server_or_an_unknown_form_of_asking_takes_it(device, staff, traccar, key):
    for ways in (["session", "traccar"], ["session", "poll"]):
        give_access(device, ways=ways, protocol="gt06")
        assert ask_for(device, staff, "position_interval", parameters=A_DAY).pk


def test_an_sms_that_is_too_long_is_refused_beside_its_text(device, staff, sms_settings, nothing_made):
    give_access(device, ways=["sms"], protocol="gt06", phone_number=PHONE)
    found = refusal(device, staff, "custom", parameters={"text": "x" * 161})
    assert found.errors == {"parameters.text": "An SMS to a tracker has at most 160 characters of ASCII."}


def test_a_device_of_unknown_protocol_is_refused_as_before(device, staff, nothing_made):
    assert refusal(device, staff, parameters=A_DAY).code == "not_offered"


def test_a_text_that_fits_all_devices_but_one_costs_the_others_nothing(gt06, make_device, staff):
    other = make_device(name="Van São João")
    long_named = make_device(name="x" * 100)
    for one in (other, long_named):
        give_access(one, protocol="gt06")
    text = {"text": "{name}" * 6}
    asked = {"type": "custom", "parameters": text, "is_template": True, "typed_name": "3", "user": staff}
    result = request_commands(Device.objects.all(), **asked)
    refused = {row.device.pk: row.refusal.code for row in result.rows if row.refusal}
    assert refused == {other.pk: "not_encodable", long_named.pk: "not_encodable"}
    assert list(Command.objects.values_list("device", flat=True)) == [gt06.pk]
    with pytest.raises(CommandRefused, match="no such parameter"):
        request_commands(Device.objects.all(), **{**asked, "parameters": {**text, "colour": "red"}})
