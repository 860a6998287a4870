"""Sessions of trackers in Redis: opened, kept and closed by gateways. The keys are described in `queries.trackers`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
from redis import RedisError

from tasks_app.queries.trackers import NODE_GONE_SECONDS, ConnectedTracker, SessionDescription, tracker_key
from tasks_app.redis_scripts import run_script, run_scripts
from tasks_app.utils.redis_client import redis_client

NODE_GONE_MS = round(NODE_GONE_SECONDS * 1000)
# A node that was silent for so long is removed with its sessions; it comes back whole if it was only frozen.
REMOVE_NODE_AFTER_MS = 60_000
NODE_KEYS_SECONDS = 24 * 3600
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class SessionOpening:
    """A connection that identified itself. One that `yields` leaves a living TCP connection of the device its session."""

    unique_id: str
    description: SessionDescription
    yields: bool = False


@dataclass(frozen=True, slots=True)
class HeldSession:
    """A session that a node believes to hold."""

    unique_id: str
    fence: int
    description: SessionDescription


@dataclass(frozen=True, slots=True)
class NodeNote:
    """A note for a node: a command of this primary key for a session, or that a newer connection superseded one."""

    kind: str
    unique_id: str
    fence: int
    command_pk: int = 0


def open_sessions(node: str, openings: Sequence[SessionOpening]) -> list[int | RedisError]:
    """Open sessions in one round trip; return the fence of each, 0 where it yielded, or the error of Redis."""
    keys = (tracker_key("nodes"), tracker_key("owners"), tracker_key("fence"))
    arguments = [
        [
            tracker_key(),
            node,
            one.unique_id,
            one.description.transport,
            _encode(one.description),
            NODE_GONE_MS,
            int(one.yields),
        ]
        for one in openings
    ]
    calls = [("open_tracker_session", keys, one) for one in arguments]
    answers = run_scripts(redis_client(), calls, raise_errors=False)
    return [answer if isinstance(answer, RedisError) else int(answer or 0) for answer in answers]


def hold_sessions(node: str, sessions: Sequence[HeldSession]) -> set[str]:
    """Write down sessions as they are now; return the unique ids of those that a newer connection has."""
    if not sessions:
        return set()
    arguments: list[object] = [node]
    for one in sessions:
        arguments += (one.unique_id, one.fence, one.description.transport, _encode(one.description))
    keys = (tracker_key("owners"), tracker_key("node", node))
    return {found.decode() for found in run_script(redis_client(), "hold_tracker_sessions", keys, arguments)}


def close_sessions(node: str, ended: Iterable[tuple[str, int]]) -> None:
    """Remove ended sessions, given by unique id and fence."""
    arguments = [part for one in ended for part in one]
    if arguments:
        keys = (tracker_key("owners"), tracker_key("node", node))
        run_script(redis_client(), "close_tracker_sessions", keys, arguments)


def beat(node: str) -> bool:
    """Write the heartbeat of a node; return whether Redis knew it: else its sessions have to be held anew."""
    keys = (tracker_key("nodes"), tracker_key("owners"))
    arguments = [tracker_key(), node, REMOVE_NODE_AFTER_MS, NODE_KEYS_SECONDS]
    return bool(run_script(redis_client(), "beat_tracker_node", keys, arguments))


def leave(node: str) -> None:
    """Remove a node whose sessions are closed."""
    pipeline = redis_client().pipeline(transaction=False)
    pipeline.zrem(tracker_key("nodes"), node)
    pipeline.delete(tracker_key("node", node), tracker_key("inbox", node))
    pipeline.execute()


def hand_command(session: ConnectedTracker, command_pk: int) -> bool:
    """Hand a command to the node that holds this session; return False if the session has ended."""
    keys = (tracker_key("nodes"), tracker_key("owners"))
    arguments = [tracker_key(), session.device_id, session.fence, command_pk, NODE_GONE_MS]
    return bool(run_script(redis_client(), "hand_to_tracker_node", keys, arguments))


def read_notes(node: str, *, seconds: float) -> list[NodeNote]:
    """Wait so long for notes to a node, and return those that are there. Raises redis.RedisError."""
    key = tracker_key("inbox", node)
    first = redis_client().blpop([key], timeout=seconds)
    if first is None:
        return []
    return [_note(text) for text in (first[1], *(redis_client().lpop(key, 100) or ()))]


def _note(text: bytes) -> NodeNote:
    kind, fence, command_pk, unique_id = text.decode().split(" ", 3)
    return NodeNote(kind, unique_id, int(fence), int(command_pk))
