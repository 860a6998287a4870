"""Commands to devices that ask by HTTP: in answers to their positions, and at /ingest/commands."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client

from tasks_app.api.intake import together
from tasks_app.models import Command, DeviceState, Event, Position
from tasks_app.queries.commands import types_of
from tasks_app.services.commands import cancel_command
from tasks_app.services.commands.ways import poll
from tasks_app.services.devices.credentials import issue_key
from tests.support.ingest import OSMAND, client_9, drain_buffers, parameters, send_form, send_json, send_query
from tests.support.sent_commands import ask_for, attempts_of, give_access, send_now, stand_still, state_of

pytestmark = pytest.mark.django_db
COMMANDS, OWNTRACKS = "/ingest/commands", "/ingest/owntracks"


@pytest.fixture(autouse=True)
def always_looked_up(monkeypatch) -> None:
    """Web processes look what waits at every message, not once a second."""
    monkeypatch.setattr(poll, "LOOK_SECONDS", 0.0)


@pytest.fixture
def asking(device, key):
    """The device, whose chain says that it asks."""
    give_access(device, ways=["poll"])
    return device


def waiting_command(device, staff, type: str = "custom", **options) -> Command:
    command = ask_for(device, staff, type, **options)
    assert send_now(device)["way"] == "poll"
    return command


def fetch(key: str) -> list[dict]:
    answer = Client().get(COMMANDS, headers={"X-Device-Key": key})
    assert answer.status_code == 200, answer.content
    return answer.json()["commands"]


def say(key: str, **outcome) -> tuple[int, dict]:
    answer = send_json(COMMANDS, outcome, key)
    return answer.status_code, answer.json()


def send_owntracks(key: str, **members):
    given = base64.b64encode(f"ana:{key}".encode()).decode()
    body = {
        "_type": "location",
        "lat": -23.5,
        "lon": -46.6,
        "tst": 1772352000,
        "topic": "owntracks/ana/van-1",
        **members,
    }
    return Client().post(
        OWNTRACKS, json.dumps(body), content_type="application/json", headers={"Authorization": f"Basic {given}"}
    )


# --- OsmAnd ---


@pytest.mark.parametrize("send", [send_query, send_form])
def test_the_answer_to_a_position_is_the_text_of_one_command_once(send, asking, key, staff):
    command = waiting_command(asking, staff)
    assert state_of(command) == "queued"
    answer = send(key)
    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, b"getver", "text/plain; charset=utf-8")
    assert (state_of(command), attempts_of(command)) == ("sent", [("poll", "")])
    assert send(key).content == b""
    drain_buffers()
    assert Position.objects.count() == 1


def test_an_identifier_alone_gets_no_command(unsigned, device, staff):
    device.ingest_key_hash = "0" * 64
    device.save()
    give_access(device, ways=["poll"])
    command = waiting_command(device, staff)
    device.ingest_key_hash = ""
    device.save()
    assert send_query().content == b""
    assert Client().get(COMMANDS).status_code == 401
    assert state_of(command) == "queued"


def test_a_key_of_another_device_gets_nothing_of_this_one(asking, key, staff, make_device):
    other = issue_key(device=make_device())
    command = waiting_command(asking, staff)
    assert fetch(other) == []
    assert send_query(other).status_code == 403
    assert say(other, id=f"{command.pk}-1", state="done")[0] == 404
    assert state_of(command) == "queued"


def test_traccar_client_9_reads_no_answer_and_gets_none(asking, key, staff):
    command = waiting_command(asking, staff)
    assert send_json(OSMAND, client_9(), key).content == b""
    assert state_of(command) == "queued"
    assert send_query(key).content == b"getver"


def test_what_osmand_cannot_express_goes_on_to_the_next_way(asking, key, staff):
    command = waiting_command(asking, staff, "reboot")
    assert send_query(key).content == b""
    assert (state_of(command), types_of(asking)) == ("queued", {"custom"})
    assert send_now(asking) == {"waiting": 1}


def test_an_expired_or_cancelled_command_is_not_given(asking, key, staff):
    gone = waiting_command(asking, staff)
    cancel_command(gone, staff)
    assert send_query(key).content == b""
    late = waiting_command(asking, staff)
    Command.objects.filter(pk=late.pk).update(expires_at=late.created_at)
    assert send_query(key).content == b""
    assert (state_of(gone), state_of(late)) == ("cancelled", "expired")


# --- OwnTracks ---


def test_owntracks_gets_its_command_in_the_list_it_is_answered(asking, key, staff):
    command = waiting_command(asking, staff, "position_request")
    assert send_owntracks(key).json() == [{"_type": "cmd", "action": "reportLocation"}]
    assert send_owntracks(key).json() == []
    assert state_of(command) == "sent"
    assert types_of(asking) == poll.OWNTRACKS_TYPES


def test_a_place_that_owntracks_reports_on_request_answers_the_command(asking, key, staff):
    command = waiting_command(asking, staff, "position_request")
    send_owntracks(key, t="r")
    assert state_of(command) == "sent"
    send_owntracks(key, t="u", tst=1772352001)
    assert state_of(command) == "sent"
    send_owntracks(key, t="r", tst=1772352002)
    assert (state_of(command), command.answer) == ("done", "Position reported.")
    send_owntracks(key, t="r", tst=1772352003)
    assert Event.objects.filter(kind="command_result").count() == 1


# --- /ingest/commands ---


def test_a_device_asks_carries_out_and_says_what_became_of_it(asking, key, staff):
    command = waiting_command(asking, staff, "output", parameters={"output": 1, "is_on": True})
    [fetched] = fetch(key)
    assert (fetched["type"], fetched["parameters"]) == ("output", {"output": 1, "is_on": True})
    assert fetched["expires_at"].endswith("Z")
    assert (fetch(key), state_of(command)) == ([], "sent")
    for _ in range(2):
        assert say(key, id=fetched["id"], state="done", text="relay on") == (
            200,
            {"id": fetched["id"], "state": "done"},
        )
    assert (state_of(command), command.answer) == ("done", "relay on")
    assert Event.objects.filter(kind="command_result").count() == 1


def test_a_failure_is_one(asking, key, staff):
    command = waiting_command(asking, staff)
    [fetched] = fetch(key)
    assert say(key, id=fetched["id"], state="failed", text="no relay")[1]["state"] == "failed"
    assert (state_of(command), command.answer) == ("failed", "no relay")


def test_the_next_command_waits_for_the_outcome_of_the_one_before(asking, key, staff):
    waiting_command(asking, staff)
    second = ask_for(asking, staff, "arm")
    [first] = fetch(key)
    assert "outstanding" in send_now(asking)
    assert fetch(key) == []
    say(key, id=first["id"], state="done")
    send_now(asking)
    assert [one["type"] for one in fetch(key)] == ["arm"]
    assert state_of(second) == "sent"


def test_a_device_that_asks_there_gets_nothing_in_answers_to_positions(asking, key, staff):
    assert fetch(key) == []
    command = waiting_command(asking, staff)
    assert send_query(key).content == b""
    assert send_owntracks(key).json() == []
    assert [one["type"] for one in fetch(key)] == ["custom"]
    assert state_of(command) == "sent"


def test_a_device_that_once_asked_has_the_way_without_a_chain_of_its_own(device, key):
    assert types_of(device) == frozenset()
    fetch(key)
    device.refresh_from_db()
    assert "engine_stop" in types_of(device)


BAD_OUTCOMES = {
    "no id": {"state": "done"},
    "no state": {"id": "1-1"},
    "another state": {"id": "1-1", "state": "sent"},
    "a number": 7,
    "a list": [],
    "too much text": {"id": "1-1", "state": "done", "text": "x" * 1001},
    "a NUL": {"id": "1-1", "state": "done", "text": "\x00"},
    "a lone surrogate": b'{"id": "1-1", "state": "done", "text": "\\ud800"}',
    "no JSON": b"{",
}


@pytest.mark.parametrize("case", BAD_OUTCOMES)
def test_a_bad_outcome_is_answered_400(case, asking, key):
    answer = send_json(COMMANDS, BAD_OUTCOMES[case], key)
    assert answer.status_code == 400, answer.content
    assert answer.json()["detail"]


@pytest.mark.parametrize("token", ["", "7", "1-1", "../", "9" * 64])
def test_an_outcome_of_no_command_is_answered_404(token, asking, key):
    assert say(key, id=token, state="done")[0] in (400, 404)
    assert not Event.objects.exists()


@pytest.mark.parametrize("method", ["get", "post"])
def test_it_is_for_active_devices_with_their_key(method, asking, key):
    assert getattr(Client(), method)(COMMANDS).status_code == 401
    assert getattr(Client(), method)(COMMANDS, headers={"X-Device-Key": "wrong"}).status_code == 401
    asking.is_active = False
    asking.save()
    assert getattr(Client(), method)(COMMANDS, headers={"X-Device-Key": key}).status_code == 403


def test_asking_in_vain_costs_one_query(asking, key, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert fetch(key) == []


def test_a_position_of_a_device_that_waits_for_nothing_asks_for_no_command(
    asking, key, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr(poll, "fetch_command", None)
    with django_assert_num_queries(1):
        assert send_query(key).content == b""


# --- Safety and faults ---


def test_a_vehicle_that_drove_off_meanwhile_is_not_stopped(asking, key, staff):
    stand_still(asking)
    command = waiting_command(asking, staff, "engine_stop")
    DeviceState.objects.update(speed_kph=60)
    assert fetch(key) == []
    assert state_of(command) == "failed"


@pytest.mark.django_db(transaction=True)
def test_of_requests_at_once_one_gets_the_command(asking, key, staff):
    command = waiting_command(asking, staff)

    def ask() -> bytes:
        try:
            return send_query(key).content
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _number: ask(), range(8)))
    assert sorted(answers) == [*[b""] * 7, b"getver"]
    assert attempts_of(command) == [("poll", "")]


def test_a_gathered_message_is_left_to_its_view_only_while_a_command_waits(asking, key, staff, rf):
    def gathered() -> list:
        query = {"key": key, **{name: str(value) for name, value in parameters().items()}}
        return together.take_in_together([rf.get(OSMAND, query)])

    assert gathered()[0].status_code == 200
    waiting_command(asking, staff)
    assert gathered() == [None]
    assert send_query(key).content == b"getver"
    assert gathered()[0].status_code == 200
