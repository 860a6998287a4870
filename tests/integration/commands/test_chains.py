"""Chains of ways: the first that can take a command, then the next; an SMS that wakes the tracker; safety on all of them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from django.test import Client
from django.utils import timezone

from tasks_app.ingest.trackers.base import TrackerSession
from tasks_app.ingest.trackers.registry import PROTOCOLS
from tasks_app.models import CommandWay, DeviceState
from tasks_app.queries.commands import types_of, ways_of
from tasks_app.services.commands import CommandRefused, send_attempt
from tasks_app.services.commands.ways import session, wake_up
from tasks_app.services.commands.ways.registry import WAYS
from tasks_app.utils.redis_client import redis_client
from tests.support import receiver as answers
from tests.support.sent_commands import ask_for, attempts_of, give_access, send_now, stand_still, state_of
from tests.support.traccar_server import TraccarDevice

pytestmark = pytest.mark.django_db
PHONE = "+5511999990000"


@pytest.fixture
def connection_of_tracker(monkeypatch) -> list:
    """The sessions of trackers; those that a command was handed to."""
    sessions: list = []
    handed: list = []
    for module in (session, wake_up):
        monkeypatch.setattr(module, "session_of", lambda _unique_id: sessions[0] if sessions else None)
    monkeypatch.setattr(session, "hand_command", lambda _session, pk: handed.append(pk))
    return [sessions, handed]


def test_a_way_that_wrote_nothing_is_followed_by_the_next(device, traccar, sms_settings, receiver, staff):
    give_access(device, ways=["traccar", "sms"], protocol="coban", phone_number=PHONE)
    traccar.devices = [TraccarDevice(7, "van-1", is_online=False)]
    command = ask_for(device, staff)
    assert send_now(device)["way"] == "traccar"
    assert send_now(device)["way"] == "sms"
    assert [way for way, _error in attempts_of(command)] == ["traccar", "sms"]
    assert state_of(command) == "sent"
    assert json.loads(receiver.received[0].body)["text"] == "getver"


def test_a_way_that_cannot_express_a_command_is_passed_over(device, traccar, sms_settings, receiver, staff):
    give_access(device, ways=["traccar", "sms"], protocol="coban", phone_number=PHONE)
    traccar.devices = [TraccarDevice(7, "van-1")]
    command = ask_for(device, staff, "overspeed_alarm", parameters={"speed_kph": 80})
    assert send_now(device)["way"] == "sms"
    assert (state_of(command), traccar.requests) == ("sent", [])


def test_a_way_that_cannot_express_these_parameters_is_followed_by_the_next(
    device, sms_settings, receiver, staff, connection_of_tracker
):
    give_access(device, ways=["session", "sms"], protocol="coban", phone_number=PHONE)
    sessions, handed = connection_of_tracker
    sessions.append(SimpleNamespace(node="one"))
    command = ask_for(device, staff, "position_interval", parameters={"interval_seconds": 90})
    assert send_now(device)["way"] == "session"
    session_of_tracker = TrackerSession(device_id=device.unique_id)
    outcome = send_attempt(
        handed.pop(),
        way="session",
        address="",
        encode=lambda outgoing: PROTOCOLS["coban"].encode(outgoing, session_of_tracker),
        write=lambda _encoded, _expires_at: pytest.fail("nothing is to be written"),
    )
    assert (outcome.result, state_of(command)) == ("again", "queued")
    assert send_now(device)["way"] == "sms"
    assert (state_of(command), handed) == ("sent", [])
    assert "090s" in json.loads(receiver.received[0].body)["text"]


# --- The SMS that wakes ---


@pytest.fixture
def sleeper(device, sms_settings):
    """The device, a tracker that sleeps: an SMS makes it connect."""
    sms_settings["WAKE_UP_TEXTS"] = {"teltonika": "web_connect", "*": "WHERE#"}
    give_access(device, ways=["wake_up", "session", "sms"], protocol="teltonika", phone_number=PHONE)
    return device


def test_a_sleeping_tracker_is_woken_once_and_its_connection_gets_the_command(
    sleeper, receiver, staff, connection_of_tracker
):
    sessions, handed = connection_of_tracker
    command = ask_for(sleeper, staff, "arm" if "arm" in types_of(sleeper) else "reboot")
    for _ in range(2):
        assert send_now(sleeper)["way"] == "wake_up"
    assert [json.loads(one.body)["text"] for one in receiver.received] == ["  web_connect"]
    assert (state_of(command), command.state_reason, attempts_of(command)) == ("queued", "waking", [])
    sessions.append(SimpleNamespace(node="n"))
    assert send_now(sleeper)["way"] == "session"
    assert (handed, len(receiver.received)) == ([command.pk], 1)


def test_a_tracker_that_does_not_wake_is_waited_for_no_longer_than_said(
    sleeper, receiver, staff, connection_of_tracker
):
    command = ask_for(sleeper, staff, "reboot")
    send_now(sleeper)
    woken_at = timezone.now().timestamp() - wake_up.WAIT_SECONDS - 1
    redis_client().set(wake_up._key(sleeper.pk), woken_at, ex=60)
    assert send_now(sleeper)["way"] == "sms"
    assert [json.loads(one.body)["text"] for one in receiver.received] == ["  web_connect", "  cpureset"]
    assert state_of(command) == "sent"


def test_a_connected_tracker_is_not_woken(sleeper, receiver, staff, connection_of_tracker):
    connection_of_tracker[0].append(SimpleNamespace(node="n"))
    ask_for(sleeper, staff, "reboot")
    assert send_now(sleeper)["way"] == "session"
    assert receiver.received == []


def test_a_provider_in_trouble_leaves_the_command_waiting(sleeper, receiver, staff, connection_of_tracker):
    receiver.answer = answers.status(503)
    command = ask_for(sleeper, staff, "reboot")
    assert send_now(sleeper)["way"] == "wake_up"
    assert state_of(command) == "queued"


@pytest.mark.parametrize(
    "values", [{"ways": ["session"]}, {"ways": ["wake_up"]}, {"phone_number": ""}, {"ways": []}, {"protocol": ""}]
)
def test_only_a_chain_that_says_so_wakes_anything(values, sleeper, staff):
    give_access(sleeper, **values)
    assert not WAYS["wake_up"].types(sleeper)


def test_waking_is_no_way_that_a_command_may_ask_for(sleeper, staff):
    assert ways_of(sleeper) == ["session", "sms"]
    with pytest.raises(CommandRefused) as caught:
        ask_for(sleeper, staff, "reboot", way="wake_up")
    assert caught.value.code == "not_offered"


# --- Safety on every way ---


def test_every_way_that_sends_commands_is_registered():
    assert set(WAYS) - {"wake_up"} == set(CommandWay.values)


@pytest.fixture
def everywhere(device, key, traccar, sms_settings, receiver, connection_of_tracker):
    """The device, which every way reaches; returns whether anything was written to it."""
    sms_settings["WAKE_UP_TEXTS"] = {"*": "WHERE#"}
    give_access(device, ways=list(WAYS), protocol="teltonika", phone_number=PHONE)
    traccar.devices = [TraccarDevice(7, "van-1")]
    connection_of_tracker[0].append(SimpleNamespace(node="n"))

    def written() -> object:
        fetched = Client().get("/ingest/commands", headers={"X-Device-Key": key}).json()["commands"]
        by_sms = [one.body for one in receiver.received if b"setdigout" in one.body]
        return [*fetched, *traccar.written, *by_sms]

    return SimpleNamespace(device=device, written=written)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("speed_kph", [20.0, 60.0, None])
def test_the_stop_of_a_moving_vehicle_is_refused_on_every_way(way, speed_kph, everywhere, staff):
    give_access(everywhere.device, ways=[way] if way != "wake_up" else ["wake_up", "session"])
    stand_still(everywhere.device, speed_kph)
    with pytest.raises(CommandRefused) as caught:
        ask_for(everywhere.device, staff, "engine_stop")
    assert caught.value.code == "unsafe"
    assert everywhere.written() == []


@pytest.mark.parametrize("way", WAYS)
def test_the_stop_of_a_vehicle_that_drove_off_meanwhile_is_written_on_no_way(way, everywhere, staff, key):
    device = everywhere.device
    give_access(device, ways=[way] if way != "wake_up" else ["wake_up", "session"])
    stand_still(device)
    command = ask_for(device, staff, "engine_stop")
    DeviceState.objects.update(speed_kph=60.0)
    send_now(device)
    assert everywhere.written() == []
    assert state_of(command) in ("failed", "queued")
    assert not command.attempts.exclude(sent_at=None).exists()
