"""Redis clients of the engine. One for callers (fails fast), one for the worker processes (waits out a restart).

Behind Sentinel, every new connection asks the Sentinels for the master; one that answers that it is a replica now is closed.
The queues may lie in a Redis Cluster (see `redis_cluster.py`).
"""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from typing import Any, ClassVar, TypeAlias
from weakref import WeakSet

import redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.driver_info import DriverInfo
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool, SentinelManagedConnection, SentinelManagedSSLConnection

from tasks_app.engine.config import engine_config
from tasks_app.engine.kept_connection import CallerClient
from tasks_app.engine.redis_cluster import RedisClusterClient
from tasks_app.redis_url import SentinelAddress, cluster_address, sentinel_address

# redis-py types every answer as bytes or str; our clients decode nothing, so answers are bytes and the stubs are in the way.
RedisClient: TypeAlias = Any

# XREADGROUP blocks at most this long; the socket must wait longer than that.
BLOCK_MS = 1000
# A server that does not answer a command that does not block for so long is frozen, and what waits for it must go on.
ANSWER_SECONDS = 2
# Under which name connections are listed by Redis. Each would read the package's metadata to find the version.
DRIVER_INFO = DriverInfo(lib_version=redis.__version__)
# A Sentinel that does not answer for so long is passed over; a caller has two seconds in all.
SENTINEL_TIMEOUTS = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5}


@lru_cache(maxsize=4)
def _client_of_process(pid: int) -> RedisClient:
    return caller_client(engine_config().redis_url)


def caller_client(url: str) -> RedisClient:
    """Return a new client of callers for the Redis at `url`."""
    return open_client(
        url,
        kind=CallerClient,
        socket_timeout=ANSWER_SECONDS,
        socket_connect_timeout=ANSWER_SECONDS,
        # A connection that broke is opened again; a time-out is not waited for a second time.
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), 2, supported_errors=(redis.ConnectionError,)),
        health_check_interval=30,
    )


def client() -> RedisClient:
    """Return the client of callers: their commands are safe to send twice, so it retries briefly, then fails."""
    return _client_of_process(os.getpid())


def worker_client() -> RedisClient:
    """Return a new client for workers; it never retries, so that a lost XREADGROUP reply is noticed."""
    return _cluster_client(socket_timeout=BLOCK_MS / 1000 + 4)


def helper_client() -> RedisClient:
    """Return a new client for the other processes of a cluster, whose commands do not block; it never retries either."""
    return _cluster_client(socket_timeout=ANSWER_SECONDS)


def _cluster_client(**options: Any) -> RedisClient:
    return open_client(
        engine_config().redis_url, socket_connect_timeout=ANSWER_SECONDS, retry=Retry(NoBackoff(), 0), **options
    )


def open_client(url: str, *, kind: type[redis.Redis] = redis.Redis, **options: Any) -> RedisClient:
    """Return a new client of the Redis at `url`, also of a master behind Sentinel; `options` are redis-py's of connections.

    Of a Redis Cluster it offers what the engine uses. Raises ValueError for a URL that cannot be read.
    """
    options = {"driver_info": DRIVER_INFO, **options}
    if nodes := cluster_address(url):
        retry: Retry = options.pop("retry")
        return RedisClusterClient(nodes, retries=retry.get_retries(), **options)
    address = sentinel_address(url)
    if address is None:
        return kind.from_url(url, **options)
    return kind.from_pool(sentinel_pool(address, **options))


def masters_of(client: RedisClient) -> list[RedisClient]:
    """Return a client of each master behind this client: of one, but for a Redis Cluster."""
    return client.masters() if isinstance(client, RedisClusterClient) else [client]


def sentinel_pool(address: SentinelAddress, **options: Any) -> SentinelConnectionPool:
    """Return a pool of connections to the master at this address."""
    of_sentinels = {**address.sentinel_options, **SENTINEL_TIMEOUTS}
    sentinels = _Sentinels(address.sentinels, sentinel_kwargs=of_sentinels)
    options = {**address.master_options, **options}
    connection_class = MasterTlsConnection if options.pop("ssl", False) else MasterConnection
    pool = SentinelConnectionPool(address.master_name, sentinels, connection_class=connection_class, **options)
    sentinels.join(pool, (address.sentinels, address.master_name))
    return pool


class _Sentinels(Sentinel):
    """The Sentinels that one pool asks. When it learns of a new master, all pools of this process leave the former.

    One that was frozen, or cut off, takes writes until the Sentinels reach it again: what one client writes there is lost,
    while another client acknowledges the job in the new one.
    """

    _pools_of: ClassVar[dict[Any, WeakSet[SentinelConnectionPool]]] = {}
    _lock = threading.Lock()
    _master: Any = None

    def join(self, pool: SentinelConnectionPool, master: Any) -> None:
        """Note that this pool, which asks here, has connections to this master."""
        self._master = master
        with self._lock:
            self._pools_of.setdefault(master, WeakSet()).add(pool)

    def discover_master(self, service_name: str) -> tuple[str, int]:
        address: tuple[str, int] = super().discover_master(service_name)
        with self._lock:
            pools = list(self._pools_of.get(self._master, ()))
        for pool in pools:
            if pool.master_address not in (None, address):
                pool.proxy.master_address = address
                pool.disconnect(inuse_connections=False)
        return address


class _ClosedOnError:
    """Part of a connection that is closed after an error of reading.

    redis-py's keeps one whose answer was not read in time (#4292): the pool would send the next command to the same frozen
    server, or take the late answer for that of the next command.
    """

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        parent: Any = super()
        return parent.read_response(*arguments, **{"disconnect_on_error": True, **options})


class MasterConnection(_ClosedOnError, SentinelManagedConnection):
    """A connection to the master that the Sentinels name when it is opened."""


class MasterTlsConnection(_ClosedOnError, SentinelManagedSSLConnection):
    """The same with TLS."""
