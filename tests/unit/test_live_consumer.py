"""A connection whose access changes while messages are sent to it."""

from __future__ import annotations

import asyncio
import json

from tasks_app.queries.live import DeviceInfo, DeviceNow
from tasks_app.websockets import consumer as module
from tasks_app.websockets.consumer import LiveConsumer
from tasks_app.websockets.identity import Access
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
