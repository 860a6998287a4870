"""/ws/commands/: the states of commands, live, for those who may see them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tasks_app.models import Command
from tests.support.web import running_web, session_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def web(django_db_setup, tmp_path_factory):
    with running_web(tmp_path_factory.mktemp("web")) as server:
        yield server


def make_command(device, user) -> Command:
    return Command.objects.create(
        device=device, type="position_request", requested_by=user, expires_at=timezone.now() + timedelta(minutes=5)
    )


def states(message: dict) -> list[tuple[int, str]]:
    return [(one["id"], one["state"]) for one in message.get("commands", [])]


def test_a_command_is_followed_until_it_has_ended(web, device, operator):
    command = make_command(device, operator)
    live = web.live(session=session_of(operator), path=f"/ws/commands/?command_id={command.pk}")
    assert states(live.next()) == [(command.pk, "queued")]
    Command.objects.update(state="sent", sent_at=timezone.now())
    assert states(live.next()) == [(command.pk, "sent")]
    Command.objects.update(state="done", state_reason="answered", answer="OK", ended_at=timezone.now())
    (ended,) = live.next()["commands"]
    assert (ended["state"], ended["answer"], ended["state_text"]) == ("done", "OK", "The device answered.")
    assert live.close_code() == 1000


def test_the_commands_of_a_device_come_as_they_are_asked_for(web, device, operator):
    live = web.live(session=session_of(operator), path=f"/ws/commands/?device_id={device.pk}")
    assert live.next()["commands"] == []
    command = make_command(device, operator)
    assert states(live.next()) == [(command.pk, "queued")]


def test_nobody_sees_commands_of_others(web, device, operator, charlie):
    command = make_command(device, operator)
    live = web.live(session=session_of(charlie), path=f"/ws/commands/?command_id={command.pk}")
    (found,) = live.next()["commands"]
    assert (found["state"], found["type"], found["device_id"]) == ("not_found", "", 0)
    of_device = web.live(session=session_of(charlie), path=f"/ws/commands/?device_id={device.pk}")
    assert of_device.next()["commands"] == []


@pytest.mark.parametrize(
    "query",
    [
        *("", "command_id=x", "device_id=", "device_id=1&device_id=2", "device_id=1&command_id=2", "colour=red"),
        "&".join(f"command_id={number}" for number in range(1, 53)),
    ],
    ids=["nothing", "no number", "empty", "two devices", "both", "unknown", "too many"],
)
def test_an_address_that_asks_for_nothing_or_too_much_is_closed(query, web, operator):
    assert web.live(session=session_of(operator), path=f"/ws/commands/?{query}").close_code() == 4400
