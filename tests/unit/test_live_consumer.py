"""A connection whose access changes while messages are sent to it."""

from __future__ import annotations

import asyncio
import json

import pytest

from tasks_app.queries.live import DeviceInfo, DeviceNow
from tasks_app.services.broadcast import fleet_group
from tasks_app.websockets import consumer as module
from tasks_app.websockets import hub as hub_module
from tasks_app.websockets.consumer import LiveConsumer
from tasks_app.websockets.hub import Hub
from tasks_app.websockets.identity import Access, Credential
from tasks_app.websockets.messages import NOT_AUTHENTICATED, update_messages
from tasks_app.websockets.views import FleetView


def fleet_view(fleet_id: int, devices: range) -> FleetView:
    view = FleetView()
    infos = (DeviceInfo(n, fleet_id, f"van-{n}", "Van", "van", True) for n in devices)
    view.reread([(info, DeviceNow(info.id, (1, 1), b"{}")) for info in infos], [])
    return view


def test_what_is_left_of_a_lost_fleet_is_not_sent(monkeypatch):
    monkeypatch.setattr(module, "COALESCE_SECONDS", 0.0)
    sent: list[dict] = []

    async def send_while_access_changes() -> None:
        connection = LiveConsumer()
        connection.hub.views = {1: fleet_view(1, range(1200)), 2: fleet_view(2, range(5000, 5003))}
        connection.access, connection.is_open = Access(9, {1: "North", 2: "South"}), True
        done = asyncio.Event()

        async def send(text: str) -> None:
            sent.append(json.loads(text))
            if len(sent) == 1:
                connection.admit(Access(9, {2: "South"}))
            else:
                done.set()

        connection.send = send
        telling = asyncio.create_task(connection._send_updates())
        await asyncio.wait_for(done.wait(), 5)
        telling.cancel()

    asyncio.run(send_while_access_changes())
    first, second = sent
    assert first["more"]
    assert {device["fleet_id"] for device in first["devices"]} == {1}
    assert second["type"] == "snapshot"
    assert [fleet["name"] for fleet in second["fleets"]] == ["South"]
    assert {device["fleet_id"] for device in second["devices"]} == {2}


def test_a_device_that_went_to_another_fleet_of_its_viewer_is_there_and_not_gone():
    async def sent_after_the_move() -> list[dict]:
        connection = LiveConsumer()
        north, south = fleet_view(1, range(1, 4)), fleet_view(2, range(5, 6))
        connection.hub.views = {1: north, 2: south}
        connection.access = Access(9, {1: "North", 2: "South"})
        connection._snapshot()
        moved = DeviceInfo(3, 2, "van-3", "Van", "van", True), DeviceNow(3, (1, 1), b"{}")
        stays = DeviceInfo(5, 2, "van-5", "Van", "van", True), DeviceNow(5, (1, 1), b"{}")
        # What the fleets hold is not always read at the same time.
        south.reread([stays, moved], [])
        updates = [connection._collect()]
        north.reread([(DeviceInfo(1, 1, "van-1", "Van", "van", True), DeviceNow(1, (1, 1), b"{}"))], [])
        updates.append(connection._collect())
        return [json.loads(next(update_messages("update", one, None))) for one in updates]

    first, second = asyncio.run(sent_after_the_move())
    assert [(one["id"], one["fleet_id"]) for one in first["devices"]] == [(3, 2)]
    assert [(one["id"], one["fleet_id"]) for one in second["devices"]] == [(3, 2)]
    assert second["removed"] == [2]


class Viewer:
    """A connection, as the hub sees it."""

    watches_fleets = True

    def __init__(self, user_id: int, fleets: dict[int, str]) -> None:
        self.id, self.credential, self.access = (
            str(user_id),
            Credential("session", str(user_id)),
            Access(user_id, fleets),
        )
        self.code: int | None = None

    def admit(self, access: Access) -> None:
        self.access = access

    def end(self, code: int) -> None:
        self.code = code


def test_what_was_taken_is_gone_though_what_was_given_cannot_be_fetched(monkeypatch):
    gains, loses, gone = Viewer(1, {}), Viewer(2, {1: "North", 2: "South"}), Viewer(3, {1: "North"})
    found = {gains.credential: Access(1, {9: "New"}), loses.credential: Access(2, {2: "South"})}

    async def access_of(_viewers: list) -> dict:
        return found

    async def nothing_to_watch(_fleets: object) -> None:
        raise ConnectionError("Redis is away")

    async def check() -> None:
        hub = Hub()
        hub.connections = {gains, loses, gone}
        hub._watch = nothing_to_watch
        with pytest.raises(ConnectionError):
            await hub._check_access([gains, loses, gone])

    monkeypatch.setattr(hub_module, "_access_of", access_of)
    asyncio.run(check())
    assert (gains.access.fleets, loses.access.fleets, gone.code) == ({}, {2: "South"}, NOT_AUTHENTICATED)


def test_a_check_that_took_long_gives_nothing_back_that_another_one_took(monkeypatch):
    viewer = Viewer(1, {1: "North"})
    answers = [Access(1, {1: "North", 2: "South"}), Access(1, {})]

    async def access_of(_viewers: list) -> dict:
        return {viewer.credential: answers.pop(0)}

    async def check() -> None:
        hub = Hub()
        hub.connections = {viewer}
        waits, goes_on = asyncio.Event(), asyncio.Event()

        async def watch(fleets: dict) -> None:
            if fleets:
                waits.set()
                await goes_on.wait()

        hub._watch = watch
        first = asyncio.create_task(hub._check_access([viewer]))
        await waits.wait()
        await hub._check_access([viewer])
        goes_on.set()
        await first

    monkeypatch.setattr(hub_module, "_access_of", access_of)
    asyncio.run(check())
    assert viewer.access.fleets == {}


class Layer:
    """A channel layer that keeps which groups it was asked to join, and carries nothing."""

    def __init__(self) -> None:
        self.groups: list[str] = []

    async def new_channel(self) -> str:
        return "own"

    async def group_add(self, group: str, _channel: str) -> None:
        self.groups.append(group)
        await asyncio.sleep(0)

    async def receive(self, _channel: str) -> None:
        await asyncio.Event().wait()

    async def flush(self) -> None:
        self.groups.clear()


def test_a_fleet_that_was_opened_for_someone_who_left_at_once_is_listened_to_for_the_next(monkeypatch):
    async def nothing(_fleets: list[int]) -> tuple[dict, dict, dict, dict]:
        return {1: []}, {1: []}, {1: []}, {1: None}

    async def come_again() -> list[str]:
        hub = Hub()
        layer = hub._layer = Layer()
        first, second = Viewer(1, {1: "North"}), Viewer(2, {1: "North"})
        coming = asyncio.create_task(hub.join(first))
        await asyncio.sleep(0)
        hub.leave(first)
        await hub._mind()
        await coming
        await hub.join(second)
        hub._watchdog.cancel()
        hub._receiver.cancel()
        return layer.groups

    monkeypatch.setattr(hub_module, "_load", nothing)
    assert fleet_group(1) in asyncio.run(come_again())
