"""Publishing changes to live viewers: one message per watched fleet and batch over the Redis channel layer.

The message of a fleet's group, as the channel layer carries it:
    {"type": "live.batch", "fleet_id": 1, "devices": [[device id, [age, age], JSON of its state], ...],
     "events": [[event id, JSON of the event], ...], "commands": [[command id, version, JSON of it], ...]}
`queries.live` says what the JSON holds; "commands" is left out where none changed. With "is_outdated" the rows of the fleet's
devices or geofences changed, and the receiver reads them from the database.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction
from redis.exceptions import RedisError

from tasks_app.models import Command, Event
from tasks_app.queries.live import command_now, device_now, fleets_of_devices, recent_event
from tasks_app.utils.redis_client import redis_client

logger = logging.getLogger(__name__)


def fleet_group(fleet_id: int) -> str:
    """Channel group of a fleet's viewers; the server decides on membership."""
    return f"fleet.{fleet_id}"


def announce(states: Iterable[Any], events: Iterable[Event], fleet_of: Mapping[int, int] | None = None) -> None:
    """Publish these states (DeviceState or the pipeline's State) and events to live viewers. Call it after the commit.

    `fleet_of` maps device ids to fleets where the caller knows them. Two round trips to Redis, the second only where
    there are listeners. A Redis that is away is logged, never raised: viewers read again from the database by themselves.
    """
    states, events = list(states), list(events)
    if not states and not events:
        return
    try:
        _announce(states, events, fleet_of)
    except RedisError as error:
        logger.warning("Live viewers were not sent %d states, %d events: %s", len(states), len(events), error)


def _announce(states: list[Any], events: list[Event], fleet_of: Mapping[int, int] | None) -> None:
    if fleet_of is None:
        fleet_of = fleets_of_devices({one.device_id for one in (*states, *events)})
    listened = _listened(set(fleet_of.values()))
    if not listened:
        return
    batches: dict[int, dict[str, Any]] = {
        fleet_id: {"type": "live.batch", "fleet_id": fleet_id, "devices": [], "events": []} for fleet_id in listened
    }
    for state in states:
        if (batch := batches.get(fleet_of.get(state.device_id, 0))) is not None:
            now = device_now(state)
            batch["devices"].append((now.device_id, now.age, now.state))
    for event in events:
        if (batch := batches.get(fleet_of.get(event.device_id, 0))) is not None:
            recent = recent_event(event)
            batch["events"].append((recent.event_id, recent.event))
    _publish(batch for batch in batches.values() if batch["devices"] or batch["events"])


def announce_commands(commands: Iterable[Command]) -> None:
    """Publish these commands as they are to live viewers. Call it after the commit; a Redis that is away is logged."""
    commands = list(commands)
    try:
        fleet_of = fleets_of_devices({one.device_id for one in commands})
        listened = set(_listened(set(fleet_of.values())))
        batches: dict[int, dict[str, Any]] = {}
        for one in commands:
            if (fleet_id := fleet_of.get(one.device_id)) in listened:
                empty = {"type": "live.batch", "fleet_id": fleet_id, "devices": [], "events": [], "commands": []}
                now = command_now(one)
                batch = batches.setdefault(fleet_id, empty)
                batch["commands"].append((now.command_id, now.version, now.command))
        _publish(batches.values())
    except RedisError as error:
        logger.warning("Live viewers were not sent %d commands: %s", len(commands), error)


@dataclass(frozen=True, slots=True)
class _RowsChanged:
    """The notice that the rows of a fleet changed, to be published after the commit."""

    fleet_id: int

    def __call__(self) -> None:
        try:
            empty = {"type": "live.batch", "devices": [], "events": [], "is_outdated": True}
            _publish({**empty, "fleet_id": one} for one in _listened({self.fleet_id}))
        except RedisError as error:
            logger.warning("Live viewers did not hear of changed rows of fleet %s: %s", self.fleet_id, error)


def announce_rows(fleet_id: int) -> None:
    """Tell live viewers after the commit that a device or geofence of this fleet was made, changed or deleted.

    Once for a transaction, which may import a thousand. Where that once was undone with a savepoint, viewers read it a
    little later.
    """
    notice = _RowsChanged(fleet_id)
    if all(kept[1] != notice for kept in transaction.get_connection().run_on_commit):
        transaction.on_commit(notice, robust=True)


def _listened(fleet_ids: set[int]) -> list[int]:
    """Fleets with live viewers; nothing is encoded for the others."""
    by_channel = {group_channel(fleet_group(fleet_id)).encode(): fleet_id for fleet_id in fleet_ids}
    if not by_channel:
        return []
    return [by_channel[channel] for channel, listeners in redis_client().pubsub_numsub(*by_channel) if listeners]


def _publish(batches: Iterable[dict[str, Any]]) -> None:
    """Do the work of the layer's `group_send`, without an event loop and a new connection for each call."""
    layer = get_channel_layer()
    pipeline = redis_client().pipeline(transaction=False)
    for batch in batches:
        pipeline.publish(group_channel(fleet_group(batch["fleet_id"])), layer.serialize(batch))
    pipeline.execute()


def group_channel(group: str) -> str:
    """The name under which the channel layer carries a group."""
    layer: Any = settings.CHANNEL_LAYERS["default"]
    return f"{layer['CONFIG']['prefix']}__group__{group}"
