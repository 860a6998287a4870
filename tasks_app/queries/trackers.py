"""Reads of the trackers that are connected to gateways, and of what these saw last. All of it lies in Redis.

`<p>` is `{<prefix>:trackers}`. A node is one gateway process; one without a heartbeat for NODE_GONE_SECONDS counts as gone,
and its sessions as none. The fence of a session is higher than that of every session before it.

<p>:nodes          ZSET    node -> time of its last heartbeat (ms, by Redis)
<p>:owners         HASH    unique id -> "<fence> <transport> <node>" of the device's session
<p>:node:<node>    HASH    unique id -> "<fence> <description as JSON>" of the sessions of a node
<p>:inbox:<node>   LIST    "<command|superseded> <fence> <command's primary key> <unique id>": notes for a node
<p>:fence          STRING  the highest fence
<p>:unknown        HASH    identifier that no device has -> JSON, the newest MAX_UNKNOWN; <p>:unknown:at has their times
<p>:raw:<unique id>  LIST  the last frames of a device, as JSON, kept for an hour
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import msgspec

from tasks_app.engine.config import engine_config
from tasks_app.engine.metrics import Buckets, read_metrics
from tasks_app.utils.redis_client import redis_client

NODE_GONE_SECONDS = 8.0
MAX_UNKNOWN = 1000
_METRICS = "tracker_gateway_"


@dataclass(frozen=True, slots=True)
class ConnectedTracker:
    """The session of a device; `device_id` is its unique id."""

    device_id: str
    device_pk: int
    protocol: str
    transport: str
    node: str
    since: datetime
    last_seen_at: datetime
    address: str
    bytes_received: int
    bytes_sent: int
    frames: int
    fence: int


@dataclass(frozen=True, slots=True)
class UnknownTracker:
    """An identifier that connected and that no device has."""

    identifier: str
    protocol: str
    address: str
    first_seen_at: datetime
    last_seen_at: datetime
    count: int


class RawFrame(msgspec.Struct, frozen=True):
    """Bytes that a device sent (direction "in") or was sent ("out"); `note` says what was wrong with them, or their kind."""

    at: datetime
    direction: str
    data: bytes
    note: str = ""


class SessionDescription(msgspec.Struct, frozen=True, array_like=True):
    """A session as its node writes it down."""

    device_pk: int
    protocol: str
    transport: str
    since: datetime
    last_seen_at: datetime
    address: str
    bytes_received: int
    bytes_sent: int
    frames: int


_description = msgspec.json.Decoder(SessionDescription)
_raw_frame = msgspec.json.Decoder(RawFrame)


def tracker_key(*parts: str) -> str:
    """Return a Redis key of this module."""
    return ":".join((f"{{{engine_config().prefix}:trackers}}", *parts))


def connected_trackers(unique_ids: Iterable[str] | None = None) -> list[ConnectedTracker]:
    """Return the sessions of living nodes, by unique id; of these devices only where they are named."""
    wanted = None if unique_ids is None else list(unique_ids)
    if wanted == []:
        return []
    found = [one for node in living_nodes() for one in _sessions_of(node, wanted)]
    return sorted(found, key=lambda one: one.device_id)


def session_of(unique_id: str) -> ConnectedTracker | None:
    """Return the session of a device; None for one that is not connected."""
    owner = cast(bytes | None, redis_client().hget(tracker_key("owners"), unique_id))
    if owner is None:
        return None
    fence, _transport, node = owner.decode().split(" ", 2)
    if node not in living_nodes():
        return None
    return next((one for one in _sessions_of(node, [unique_id]) if one.fence == int(fence)), None)


def living_nodes() -> list[str]:
    """Return the gateway processes that have a heartbeat."""
    seconds, microseconds = redis_client().time()
    since_ms = seconds * 1000 + microseconds // 1000 - round(NODE_GONE_SECONDS * 1000)
    return [node.decode() for node in redis_client().zrangebyscore(tracker_key("nodes"), f"({since_ms}", "+inf")]


def unknown_trackers() -> list[UnknownTracker]:
    """Return the identifiers that connected and that no device has, the last seen first."""
    rows = cast(dict[bytes, bytes], redis_client().hgetall(tracker_key("unknown")))
    found = [_unknown(identifier.decode(), msgspec.json.decode(row)) for identifier, row in rows.items()]
    return sorted(found, key=lambda one: one.last_seen_at, reverse=True)


def raw_frames(unique_id: str) -> list[RawFrame]:
    """Return the last frames of a device, oldest first."""
    return [_raw_frame.decode(one) for one in redis_client().lrange(tracker_key("raw", unique_id), 0, -1)]


def protocol_counters() -> dict[str, dict[str, dict[str, int]]]:
    """Return the counters of all gateways: by protocol, by the metric's name in short ("frames"), by its second label."""
    found: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for reading in read_metrics():
        if reading.metric.name.startswith(_METRICS):
            name = reading.metric.name.removeprefix(_METRICS).removesuffix("_total")
            for (protocol, *others), value in reading.series.items():
                if not isinstance(value, Buckets):
                    found[protocol][name]["".join(others)] = int(value)
    return {protocol: dict(counters) for protocol, counters in found.items()}


def _sessions_of(node: str, unique_ids: list[str] | None) -> list[ConnectedTracker]:
    key = tracker_key("node", node)
    if unique_ids is None:
        rows = cast(dict[bytes, bytes], redis_client().hgetall(key))
        return [_session(unique_id.decode(), node, row) for unique_id, row in rows.items()]
    values = redis_client().hmget(key, unique_ids)
    return [_session(one, node, row) for one, row in zip(unique_ids, values, strict=True) if row is not None]


def _session(unique_id: str, node: str, row: bytes) -> ConnectedTracker:
    fence, _, text = row.partition(b" ")
    one = _description.decode(text)
    return ConnectedTracker(
        device_id=unique_id,
        device_pk=one.device_pk,
        protocol=one.protocol,
        transport=one.transport,
        node=node,
        since=one.since,
        last_seen_at=one.last_seen_at,
        address=one.address,
        bytes_received=one.bytes_received,
        bytes_sent=one.bytes_sent,
        frames=one.frames,
        fence=int(fence),
    )


def _unknown(identifier: str, row: dict[str, Any]) -> UnknownTracker:
    return UnknownTracker(
        identifier=identifier,
        protocol=row["protocol"],
        address=row["address"],
        first_seen_at=datetime.fromtimestamp(row["first_seen_ms"] / 1000, UTC),
        last_seen_at=datetime.fromtimestamp(row["last_seen_ms"] / 1000, UTC),
        count=int(row["count"]),
    )
