"""manage.py commands: list, send, cancel, confirm."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from tasks_app.models import Command, FleetMembership, FleetRole
from tests.support.commands import ask, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("way")]


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("commands", *arguments, stdout=out)
    return out.getvalue()


def test_it_sends_a_command_with_parameters_and_lists_it(device):
    line = run("send", device.unique_id, "position_interval", "--parameter", "interval_seconds=30", "--reason", "Test")
    assert "Queued" in line
    command = Command.objects.get()
    assert (command.parameters, command.requested_by, command.reason) == ({"interval_seconds": 30}, None, "Test")
    (listed,) = json.loads(run("list", "--device", f"#{device.pk}", "--state", "queued", "--json"))
    assert (listed["id"], listed["state"]) == (command.pk, "queued")
    assert "Interval of positions" in run("list")
    assert run("list", "--type", "reboot").strip() == "No commands here."


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["position_interval", "--parameter", "interval_seconds=1"], "interval_seconds"),
        (["position_interval", "--parameter", "30"], "NAME=VALUE"),
        (["position_request", "--expires", "1"], "from 15 to"),
        (["factory_reset"], "to confirm"),
        (["position_request", "--user", "nobody"], "nobody"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_and_nothing_is_made(arguments, text, device):
    with pytest.raises(CommandError, match=text):
        run("send", device.unique_id, *arguments)
    assert not Command.objects.exists()


def test_arguments_that_are_no_utf_8_are_kept_as_escapes_or_refused(device):
    run("send", device.unique_id, "reboot", "--reason", "a\udcff")
    assert Command.objects.get().reason == r"a\udcff"
    key = ["--key", "k\udcff"]
    for wrong in (
        [device.unique_id, "reboot", *key],
        [device.unique_id + "\udcff", "reboot"],
        [device.unique_id, "custom", "--parameter", "text=\udcff"],
    ):
        with pytest.raises(CommandError):
            run("send", *wrong)
    assert Command.objects.count() == 1


def test_an_account_has_its_own_rights_there(device, operator, foreign):
    assert "Queued" in run("send", device.unique_id, "reboot", "--user", operator.username)
    with pytest.raises(CommandError, match="may not send"):
        run("send", device.unique_id, "factory_reset", "--confirm", device.name, "--user", operator.username)
    with pytest.raises(CommandError, match="no device"):
        run("send", foreign.unique_id, "reboot", "--user", operator.username)


def test_it_cancels_what_was_not_sent_and_says_which_was(device, operator, wire):
    sent = ask(device, operator)
    send(sent, wire)
    waiting = ask(device, operator)
    with pytest.raises(CommandError, match=f"{sent.pk}  The command was sent"):
        run("cancel", str(waiting.pk), str(sent.pk), "--reason", "Over")
    waiting.refresh_from_db()
    assert waiting.state == "cancelled"
    assert "Over" in waiting.state_reason


def test_a_person_confirms_there_whom_the_option_names(device, manager, make_user, fleet, settings):
    settings.COMMANDS = {**settings.COMMANDS, "NEED_SECOND_PERSON": True}
    command = ask(device, manager, "power_off")
    with pytest.raises(CommandError, match="--user"):
        run("confirm", str(command.pk))
    with pytest.raises(CommandError, match="Another person"):
        run("confirm", str(command.pk), "--user", manager.username)
    other = make_user()
    FleetMembership.objects.create(user=other, fleet=fleet, role=FleetRole.MANAGER)
    assert "Queued" in run("confirm", str(command.pk), "--user", other.username)
