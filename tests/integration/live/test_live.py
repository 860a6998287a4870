"""Live positions and events over a real WebSocket: who hears what, how often, and until when."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.sessions.models import Session
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tasks_app.ingest.fix import Fix
from tasks_app.models import Device, DeviceState, Event, EventKind, Fleet, FleetMembership
from tasks_app.queries.access import visible_fleets
from tasks_app.services import broadcast
from tasks_app.services.accounts.tokens import issue_token
from tasks_app.services.positions.store import store_fixes
from tasks_app.websockets.identity import Access, Credential, current_access, token_credential
from tests.support.cluster import allowed
from tests.support.web import running_web, session_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def web(django_db_setup, tmp_path_factory):
    """One web server for most tests of this module."""
    with running_web(tmp_path_factory.mktemp("web")) as server:
        yield server


@pytest.fixture
def foreign(make_user):
    """Another fleet, its only member and its device."""
    fleet = Fleet.objects.create(name="Depot South")
    user = make_user(username="bruno")
    FleetMembership.objects.create(user=user, fleet=fleet, role="viewer")
    return user, Device.objects.create(fleet=fleet, unique_id="truck-9", name="Truck 9")


def fix(device, seconds=0.0, **fields):
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
    values = {"latitude": -23.5, "longitude": -46.63, "speed_kph": 40.0, **fields}
    return Fix(device.unique_id, at, **values)


def store(*fixes):
    store_fixes(fixes, datetime.now(UTC))


def ids(message):
    return sorted(device["id"] for device in message["devices"])


def token_of(user):
    return issue_token(user=user, now=datetime.now(UTC))[0]


def test_it_tells_where_everything_is_and_then_what_moves(web, operator, device, make_device):
    other = make_device()
    store(fix(device, -60, latitude=-23.51))
    with web.live(session=session_of(operator)) as live:
        snapshot = live.next()
        assert snapshot["type"] == "snapshot"
        assert snapshot["fleets"] == [{"id": device.fleet_id, "name": "Depot North"}]
        received = {one["id"]: one for one in snapshot["devices"]}
        assert received.keys() == {device.pk, other.pk}
        assert received[device.pk] | {"state": None} == {
            "id": device.pk,
            "fleet_id": device.fleet_id,
            "unique_id": "van-1",
            "name": "Van 1",
            "kind": "car",
            "is_active": True,
            "state": None,
        }
        assert received[device.pk]["state"]["latitude"] == -23.51
        assert received[device.pk]["state"]["status"] == "online"
        assert received[other.pk]["state"]["status"] == "unknown"
        assert received[other.pk]["state"]["fix_time"] is None
        store(fix(device, 0, latitude=-23.52))
        update = live.until_device(device, latitude=-23.52)
        assert update["type"] == "update"
        assert ids(update) == [device.pk]
        assert update["devices"][0].keys() == {"id", "state"}


def test_an_event_is_told_in_the_snapshot_and_when_it_happens(web, operator, device):
    Event.objects.create(device=device, kind=EventKind.DEVICE_OFFLINE, occurred_at=datetime.now(UTC), data={"a": 1})
    DeviceState.objects.create(device=device, status="offline")
    with web.live(session=session_of(operator)) as live:
        [offline] = live.next()["events"]
        assert (offline["kind"], offline["device_id"], offline["data"]) == ("device_offline", device.pk, {"a": 1})
        store(fix(device))
        [online] = live.until(lambda message: message.get("events"))["events"]
        assert online["kind"] == "device_online"
        assert online["id"] == Event.objects.get(kind=EventKind.DEVICE_ONLINE).pk


def test_a_device_is_told_of_at_most_once_a_second_and_the_newest_wins(web, operator, device):
    with web.live(session=session_of(operator)) as live:
        live.next()
        began = time.monotonic()
        for number in range(1, 31):
            store(fix(device, number / 10, latitude=-23.5 + number / 1000))
        live.until_device(device, latitude=-23.5 + 30 / 1000)
        took = time.monotonic() - began
        assert sum(len(message.get("devices", [])) for message in live.messages[1:]) <= took + 2
        assert all(len(set(ids(one))) == len(one["devices"]) for one in live.messages if "devices" in one)


def test_events_are_never_coalesced(web, operator, device):
    with web.live(session=session_of(operator)) as live:
        live.next()
        now = datetime.now(UTC)
        events = [Event(device=device, kind=EventKind.OVERSPEED, occurred_at=now, data={"n": n}) for n in range(50)]
        for event in Event.objects.bulk_create(events):
            broadcast.announce([], [event])
        live.until(lambda message: any(event["data"]["n"] == 49 for event in message.get("events", [])))
        received = [event["data"]["n"] for message in live.messages for event in message.get("events", [])]
        assert received == list(range(50))


def test_nobody_hears_of_another_fleet(web, operator, device, foreign):
    bruno, truck = foreign
    with web.live(session=session_of(operator)) as ana, web.live(token=token_of(bruno), origin=None) as other:
        assert ids(ana.next()) == [device.pk]
        assert ids(other.until(lambda message: message["type"] == "snapshot")) == [truck.pk]
        store(fix(truck), fix(device))
        ana.until_device(device, speed_kph=40.0)
        other.until_device(truck, speed_kph=40.0)
        assert "Truck 9" not in str(ana.messages)
        assert {id_ for message in ana.messages for id_ in ids({"devices": [], **message})} == {device.pk}
        assert {id_ for message in other.messages for id_ in ids({"devices": [], **message})} == {truck.pk}


def test_a_member_of_nothing_hears_nothing_and_staff_hear_all(web, charlie, staff, device, foreign):
    with web.live(session=session_of(charlie)) as nobody, web.live(session=session_of(staff)) as everybody:
        assert nobody.next() == {"type": "snapshot", "fleets": []}
        assert ids(everybody.next()) == sorted([device.pk, foreign[1].pk])


def test_access_that_changes_takes_effect_at_once(web, operator, device, foreign):
    _bruno, truck = foreign
    with web.live(session=session_of(operator)) as live:
        live.next()
        FleetMembership.objects.create(user=operator, fleet=truck.fleet, role="viewer")
        gained = live.until(lambda message: "fleets" in message)
        assert [fleet["name"] for fleet in gained["fleets"]] == ["Depot North", "Depot South"]
        if not gained.get("devices"):
            gained = live.until_device(truck)
        assert gained["devices"][0]["name"] == "Truck 9"
        FleetMembership.objects.filter(user=operator, fleet=device.fleet).delete()
        lost = live.until(lambda message: "fleets" in message)
        assert [fleet["name"] for fleet in lost["fleets"]] == ["Depot South"]
        seen = len(live.messages)
        store(fix(device), fix(truck))
        live.until_device(truck, speed_kph=40.0)
        assert all(ids({"devices": [], **message}) in ([], [truck.pk]) for message in live.messages[seen:])


@pytest.mark.parametrize(
    "ending",
    [
        lambda user: Session.objects.all().delete(),
        lambda user: type(user).objects.filter(pk=user.pk).update(is_active=False),
        lambda user: (user.set_password("another horse battery"), user.save()),
        lambda user: user.delete(),
    ],
    ids=["logged out", "deactivated", "password changed", "deleted"],
)
def test_it_closes_within_seconds_of(ending, web, operator, device):
    with web.live(session=session_of(operator)) as live:
        live.next()
        ending(operator)
        assert live.close_code(5) == 4401


def test_it_closes_when_the_token_is_revoked(web, operator, device):
    with web.live(token=token_of(operator), origin=None) as live:
        live.until(lambda message: message["type"] == "snapshot")
        operator.auth_token_set.all().delete()
        assert live.close_code(5) == 4401


def test_a_session_without_an_origin_is_not_enough(web, operator):
    with web.live(session=session_of(operator), origin=None) as live:
        assert live.next()["type"] == "authenticate"
        assert live.close_code(5) == 4401


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://[", "file://"])
def test_a_foreign_page_is_refused(origin, web, operator):
    with pytest.raises(InvalidStatus) as refused:
        web.live(session=session_of(operator), origin=origin)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "authenticate", "token": "0" * 64}, 4401),
        ({"type": "authenticate", "token": "\u0000\u00e9"}, 4401),
        ({"type": "authenticate"}, 4401),
        ({"type": "ping"}, 4401),
        ("not json", 4401),
        ("[" * 4000, 4401),
        (b"\x00\xff", 4400),
        ("x" * 5000, 1009),
        ("x" * 100_000, 1009),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_stranger_is_closed(message, code, web):
    with web.live(origin=None) as live:
        assert live.next()["type"] == "authenticate"
        live.send(message)
        assert live.close_code(5) == code


def test_it_answers_a_ping_and_closes_on_nonsense(web, operator):
    with web.live(session=session_of(operator)) as live:
        live.next()
        live.send({"type": "ping"})
        assert live.until(lambda message: message["type"] == "pong")
        live.send({"type": "subscribe", "fleet_id": 1})
        assert live.close_code(5) == 4400


def test_it_closes_on_a_flood(web, operator):
    with web.live(session=session_of(operator)) as live:
        live.next()
        # The server may close before the last of them is sent.
        with suppress(ConnectionClosed):
            for _ in range(12):
                live.send({"type": "ping"})
        assert live.close_code(5) == 4429


@pytest.mark.parametrize(
    ("part", "headers", "status"), [("x" * 9000, {}, 414), ("", {f"X-{n}": "" for n in range(200)}, 431)]
)
def test_a_handshake_that_is_too_large_is_answered(web, part, headers, status):
    with (
        pytest.raises(InvalidStatus) as refused,
        web.live(path=f"/ws/live/?{part}", open_timeout=allowed(5), more_headers=headers),
    ):
        pass
    assert refused.value.response.status_code == status


def test_an_unknown_address_is_refused(web):
    address = web.url.replace("http", "ws") + "/ws/nothing/"
    with pytest.raises(InvalidStatus) as refused, connect(address, proxy=None):
        pass
    assert refused.value.response.status_code == 403


def test_one_user_holds_so_many_connections_and_no_more(transactional_db, tmp_path, operator):
    with running_web(tmp_path, LIVE_MAX_CONNECTIONS_PER_USER="2") as web:
        session = session_of(operator)
        with web.live(session=session) as first, web.live(session=session) as second:
            assert (first.next()["type"], second.next()["type"]) == ("snapshot", "snapshot")
            with web.live(session=session) as third:
                assert third.close_code(5) == 4429
        with web.live(session=session) as fourth:
            assert fourth.next()["type"] == "snapshot"


def test_a_device_that_is_new_renamed_or_gone_is_told(transactional_db, tmp_path, operator, device, make_device):
    with running_web(tmp_path, LIVE_REREAD_SECONDS="1") as web, web.live(session=session_of(operator)) as live:
        live.next()
        new = make_device(name="Brand new")
        store(fix(new))
        received = live.until_device(new, speed_kph=40.0)
        assert next(one["name"] for one in received["devices"] if one["id"] == new.pk) == "Brand new"
        Device.objects.filter(pk=new.pk).update(name="Not so new")
        renamed = live.until_device(new)
        assert renamed["devices"][0]["name"] == "Not so new"
        Device.objects.filter(pk=new.pk).delete()
        assert live.until(lambda message: message.get("removed"))["removed"] == [new.pk]


def test_a_thousand_devices_come_in_several_messages(web, operator, fleet):
    Device.objects.bulk_create(Device(fleet=fleet, unique_id=f"many-{n}", name=f"Many {n}") for n in range(1200))
    with web.live(session=session_of(operator)) as live:
        messages = [live.next()]
        while messages[-1].get("more"):
            messages.append(live.next())
        assert [message["type"] for message in messages] == ["snapshot"] * 3
        assert len({one["id"] for message in messages for one in message["devices"]}) == 1200


def test_announcing_to_nobody_asks_redis_once_and_encodes_nothing(operator, device, monkeypatch):
    store(fix(device))
    monkeypatch.setattr(broadcast, "device_now", None)
    broadcast.announce([DeviceState.objects.get(device=device)], [], {device.pk: device.fleet_id})


def test_access_is_asked_for_all_at_once_and_is_what_each_may_see(
    operator, charlie, staff, foreign, make_user, django_assert_num_queries
):
    gone = make_user(username="gone")
    users = [operator, charlie, staff, foreign[0], gone]
    sessions = {user: Credential("session", session_of(user)) for user in users}
    tokens = {user: token_credential(token_of(user)) for user in (operator, staff)}
    type(gone).objects.filter(pk=gone.pk).update(is_active=False)
    asked = [*sessions.values(), *tokens.values(), Credential("session", "0" * 32), Credential("token", "x")]
    with django_assert_num_queries(5):
        found = current_access(asked)
    for user in users[:-1]:
        visible = dict(visible_fleets(user).values_list("id", "name"))
        assert found.pop(sessions[user]) == Access(user.pk, visible, frozenset(visible))
        if user in tokens:
            assert found.pop(tokens[user]) == Access(user.pk, visible, frozenset(visible))
    assert found == {}
