"""The client of a Redis Cluster, with the part of redis-py's interface that the engine uses.

redis-py's own client knows the topology and follows single commands. Beside it this one
* connects when it is first used, and anew from its address when no node that it knows answers;
* raises nothing but redis.RedisError: a node that is gone and a slot that nobody serves are a ConnectionError;
* finds the key of a command by itself, where redis-py asks a node that may be the one that is gone;
* sends what goes to one node in one round trip, scripts too, and never waits twice for a node that is frozen.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.commands.core import CoreCommands
from redis.connection import Encoder
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ClusterError,
    MovedError,
    RedisClusterException,
    TryAgainError,
)
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from tasks_app.redis_url import ClusterAddress

T = TypeVar("T")
# A command to another node than it went to: asked of the cluster's topology again, by itself.
REDIRECTED = (MovedError, AskError, TryAgainError)
UNAVAILABLE = (redis.ConnectionError, redis.TimeoutError)
PAUSE_SECONDS = 0.02


def key_of(command: Sequence[Any]) -> Any:
    """Return the first key of a command that has one; all keys of a command of the engine have one hash tag."""
    name = str(command[0]).upper()
    if name in ("EVAL", "EVALSHA"):
        return command[3]
    if name in ("XREAD", "XREADGROUP"):
        return next(key for word, key in pairwise(command) if word in ("STREAMS", b"STREAMS"))
    return command[2] if name == "ZINTERCARD" else command[1]


class _Topology(RedisCluster):
    """redis-py's client."""

    def _get_command_keys(self, *args: Any) -> list[Any]:
        return [key_of(args)]


class RedisClusterClient(CoreCommands):
    """A client of the Redis Cluster at `address`; `retries` is how often a command whose connection broke is sent again."""

    # redis-py's commands ask for it, and never use it here.
    _event_dispatcher: Any = None

    def __init__(self, address: ClusterAddress, *, retries: int = 0, **options: Any) -> None:
        self._address = address
        self._retries = retries
        self._options = {**address.options, **options}
        self._lock = threading.Lock()
        self._opened: _Topology | None = None

    # --- Commands ---

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run one command on the master of its key; one without key on any."""
        return self._attempt(lambda topology: topology.execute_command(*args, **options))

    def pipeline(self, transaction: bool = False) -> _Pipeline:
        """Return a pipeline, of which each node gets its part."""
        if transaction:
            raise redis.RedisError("No transaction spans the nodes of a Redis Cluster.")
        return _Pipeline(self)

    def run_commands(self, commands: Sequence[tuple[Sequence[Any], dict[str, Any]]]) -> list[Any]:
        """Run these commands, one round trip per node; an answer may be the error of a command or of its node."""
        answers: dict[int, Any] = {}
        for numbers in self._by_node(commands):
            some = [commands[number] for number in numbers]
            try:
                found = self._attempt(lambda topology, some=some: _run_on_node(topology, some))  # type: ignore[misc]
            except redis.RedisError as error:
                found = [error] * len(some)
            answers |= dict(zip(numbers, found, strict=True))
        for number, (args, options) in enumerate(commands):
            if isinstance(answers[number], REDIRECTED):
                answers[number] = self._follow(args, options)
            elif isinstance(answers[number], ClusterDownError):
                answers[number] = _unavailable(answers[number])
        return [answers[number] for number in range(len(commands))]

    def _follow(self, args: Sequence[Any], options: dict[str, Any]) -> Any:
        try:
            return self.execute_command(*args, **options)
        except redis.RedisError as error:
            return error

    def _by_node(self, commands: Sequence[tuple[Sequence[Any], dict[str, Any]]]) -> list[list[int]]:
        """Return the numbers of the commands of each node."""
        groups: dict[str, list[int]] = defaultdict(list)

        def group(topology: _Topology) -> None:
            groups.clear()
            for number, (args, _) in enumerate(commands):
                groups[topology.get_node_from_key(key_of(args)).name].append(number)

        self._attempt(group)
        return list(groups.values())

    def scan_iter(self, match: Any = None, count: int | None = None, _type: str | None = None, **kwargs: Any) -> Any:
        """Yield the keys of all masters."""
        for master in self.masters():
            yield from master.scan_iter(match, count, _type, **kwargs)

    def ping(self, **kwargs: Any) -> bool:  # type: ignore[override]
        """Return True if every master answers."""
        return all(master.ping(**kwargs) for master in self.masters())

    def get_encoder(self) -> Encoder:
        """Return redis-py's encoder, which its scripts ask for."""
        return Encoder("utf-8", "strict", False)

    def masters(self) -> list[redis.Redis]:
        """Return a client of each master."""
        return self._attempt(
            lambda topology: [topology.get_redis_connection(node) for node in topology.get_primaries()]
        )

    # --- Connections ---

    def close(self) -> None:
        """Close all connections; the next command opens new ones."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _topology(self) -> _Topology:
        with self._lock:
            if self._opened is None:
                self._opened = _Topology(
                    startup_nodes=[ClusterNode(host, port) for host, port in self._address.nodes],
                    # Those on the other masters go on while a slot has no master.
                    require_full_coverage=False,
                    reinitialize_steps=1,
                    retry=Retry(NoBackoff(), 0),
                    maint_notifications_config=MaintNotificationsConfig(enabled=False),
                    **self._options,
                )
            return self._opened

    def _attempt(self, step: Callable[[_Topology], T]) -> T:
        """Take a step, again if a connection broke. Raises redis.RedisError."""
        for left in reversed(range(self._retries + 1)):
            try:
                return self._translated(step)
            except redis.ConnectionError:
                if not left:
                    raise
            time.sleep(PAUSE_SECONDS)
        raise AssertionError

    def _translated(self, step: Callable[[_Topology], T]) -> T:
        try:
            return step(self._topology())
        except ClusterError as error:
            raise _unavailable(error) from error
        except RedisClusterException as error:
            # No node that is known answers: they may have other addresses now.
            self.close()
            raise _unavailable(error) from error


class _Pipeline(CoreCommands):
    """Commands that are kept, and run together."""

    _event_dispatcher: Any = None

    def __init__(self, client: RedisClusterClient) -> None:
        self._client = client
        self._commands: list[tuple[Sequence[Any], dict[str, Any]]] = []

    def execute_command(self, *args: Any, **options: Any) -> _Pipeline:
        self._commands.append((args, options))
        return self

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Run the commands. Without `raise_on_error` the errors of commands are answers; that of a node is always raised."""
        commands, self._commands = self._commands, []
        answers = self._client.run_commands(commands)
        for answer in answers:
            if isinstance(answer, UNAVAILABLE) or (raise_on_error and isinstance(answer, redis.RedisError)):
                raise answer
        return answers


def _run_on_node(topology: _Topology, commands: Sequence[tuple[Sequence[Any], dict[str, Any]]]) -> list[Any]:
    """Run commands on the master of the first one's key."""
    node = topology.get_node_from_key(key_of(commands[0][0]))
    pipe = topology.get_redis_connection(node).pipeline(transaction=False)
    for args, options in commands:
        pipe.execute_command(*args, **options)
    try:
        answers: list[Any] = pipe.execute(raise_on_error=False)
    except UNAVAILABLE:
        # Another node may have its place.
        topology.nodes_manager.initialize(last_failed_node_name=node.name)
        raise
    return answers


def _unavailable(error: Exception) -> redis.ConnectionError:
    return redis.ConnectionError(f"Redis Cluster: {error}")
