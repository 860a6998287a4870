"""Commands through a Traccar server: sent at once or not at all, and answered by what it forwards."""

from __future__ import annotations

import socket

import pytest

from tasks_app.models import CommandAttempt, Event
from tasks_app.queries.commands import types_of
from tests.support.ingest import TOKEN as FORWARD_TOKEN
from tests.support.ingest import TRACCAR, drain_buffers, forwarded_position, minutes_before_now, send_json
from tests.support.jobs import run_pending_jobs
from tests.support.sent_commands import ask_for, attempts_of, give_access, send_now, stand_still, state_of
from tests.support.traccar_server import TraccarDevice, TraccarServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def tracker(traccar, device) -> TraccarDevice:
    """The device as Traccar has it."""
    give_access(device, ways=["traccar"])
    traccar.devices = [TraccarDevice(6, "van-2"), TraccarDevice(7, "van-1")]
    return traccar.devices[1]


def test_a_command_is_written_by_traccar_to_the_device_of_this_identifier(traccar, tracker, device, staff):
    stand_still(device)
    command = ask_for(device, staff, "engine_stop")
    assert send_now(device)["way"] == "traccar"
    assert traccar.written == [{"deviceId": 7, "type": "engineStop", "attributes": {"noQueue": True}}]
    assert (state_of(command), attempts_of(command)) == ("sent", [("traccar", "")])
    assert CommandAttempt.objects.get().address == f"127.0.0.1:{traccar.port}"


def test_a_device_that_is_away_is_tried_again_and_nothing_is_left_in_traccar_s_queue(traccar, tracker, device, staff):
    tracker.is_online = False
    command = ask_for(device, staff)
    send_now(device)
    assert state_of(command) == "queued"
    tracker.is_online = True
    send_now(device)
    assert state_of(command) == "sent"
    assert (len(traccar.written), traccar.queued) == (1, [])
    assert [error.partition(":")[0] for _way, error in attempts_of(command)] == ["not_written", ""]


REFUSALS = {
    "an unknown device": (lambda server: server.devices.pop(), "sees no device"),
    "another token": (lambda server: server.proxy_status.update(GET=401), "401"),
    "a type its protocol lacks": (lambda server: setattr(server.devices[1], "types", ()), "not supported"),
    "a proxy's page for the device": (lambda server: server.proxy_status.update(GET=502), "502"),
    "a proxy's refusal": (lambda server: server.proxy_status.update(POST=403), "403"),
    "a redirect": (lambda server: server.proxy_status.update(POST=302), "302"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_says_why_and_is_tried_again(case, traccar, tracker, device, staff):
    change, words = REFUSALS[case]
    change(traccar)
    command = ask_for(device, staff)
    send_now(device)
    assert state_of(command) == "queued"
    assert words in attempts_of(command)[0][1]
    assert traccar.written == traccar.queued == []


def keep_in_queue(server: TraccarServer) -> None:
    server.devices[1].is_online, server.knows_no_queue = False, False


UNKNOWN = {
    "an old server's queue": keep_in_queue,
    "a proxy that waited too long": lambda server: server.proxy_status.update(POST=504),
    "a connection that broke after the writing": lambda server: setattr(server, "hangs_up", True),
}  # fmt: skip


@pytest.mark.parametrize("case", UNKNOWN)
@pytest.mark.parametrize("type_name", ["engine_stop", "engine_resume"])
def test_of_what_may_have_been_written_only_the_harmless_is_sent_again(
    case, type_name, traccar, tracker, device, staff
):
    UNKNOWN[case](traccar)
    stand_still(device)
    command = ask_for(device, staff, type_name)
    send_now(device)
    assert attempts_of(command)[0][1].startswith("unknown")
    assert state_of(command) == ("unconfirmed" if type_name == "engine_stop" else "queued")


def test_a_server_that_is_away_wrote_nothing(settings, tracker, device, staff):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        settings.TRACCAR_SERVER = {**settings.TRACCAR_SERVER, "URL": f"http://127.0.0.1:{free.getsockname()[1]}"}
        command = ask_for(device, staff)
        send_now(device)
    assert state_of(command) == "queued"
    assert "not_written" in attempts_of(command)[0][1]


@pytest.mark.parametrize(
    ("ways", "protocol", "attributes", "has_way"),
    [
        ([], "", {"protocol": "gt06"}, True),
        ([], "", {}, False),
        ([], "gt06", {"protocol": "gt06"}, False),
        (["traccar"], "gt06", {}, True),
        (["session"], "gt06", {"protocol": "gt06"}, False),
    ],
)
def test_the_way_is_that_of_devices_whose_chain_or_newest_fix_says_so(
    ways, protocol, attributes, has_way, traccar, device
):
    give_access(device, ways=ways, protocol=protocol)
    stand_still(device, **attributes)
    assert ("disarm" in types_of(device, "traccar")) is has_way


def test_without_a_server_in_the_settings_there_is_no_such_way(device):
    give_access(device, ways=["traccar"])
    assert types_of(device) == frozenset()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("has_place", [True, False])
def test_the_result_that_traccar_forwards_answers_the_command(has_place, traccar, tracker, device, staff, server):
    tracker.types = ("getVersion",)
    command = ask_for(device, staff, "version_request")
    run_pending_jobs("notifications")
    assert state_of(command) == "sent"
    at = minutes_before_now()
    message = forwarded_position(fixTime=at.isoformat(), deviceTime=at.isoformat(), attributes={"result": "ver 1.2"})
    if not has_place:
        message = {
            "device": message["device"],
            "event": {"type": "commandResult", "eventTime": at.isoformat(), "attributes": {"result": "ver 1.2"}},
        }
    for _ in range(2):
        assert send_json(TRACCAR, message, FORWARD_TOKEN).status_code == 200
        drain_buffers()
        run_pending_jobs("notifications")
    assert (state_of(command), command.answer) == ("done", "ver 1.2")
    (event,) = Event.objects.filter(kind="command_result")
    assert event.data.items() >= {"result": "ver 1.2", "command_id": command.pk, "state": "done"}.items()


@pytest.mark.django_db(transaction=True)
def test_a_result_of_before_the_command_is_no_answer_to_it(traccar, tracker, device, staff, server):
    command = ask_for(device, staff)
    run_pending_jobs("notifications")
    at = minutes_before_now(10)
    message = forwarded_position(fixTime=at.isoformat(), deviceTime=at.isoformat(), attributes={"result": "OK"})
    assert send_json(TRACCAR, message, FORWARD_TOKEN).status_code == 200
    drain_buffers()
    run_pending_jobs("notifications")
    assert state_of(command) == "sent"
    assert Event.objects.filter(kind="command_result").count() == 1
