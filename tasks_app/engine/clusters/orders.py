"""Orders of people to a cluster: to let one of its workers rest, wake or stop, and to have one more or one less.

An order goes through Redis to the cluster's housekeeping, and through a pipe to its supervisor. It carries no signature:
with the right to write to the queues' Redis one could as well delete them. An order is bounded instead: a queue keeps one
worker at least in each of its clusters, and gets no more than the cluster has places for.
"""

from __future__ import annotations

import logging
from typing import Literal

import msgspec

from tasks_app.engine.connection import RedisClient
from tasks_app.engine.keys import QueueKeys

logger = logging.getLogger(__name__)

# A cluster that does not read its orders in this time is gone.
ORDER_SECONDS = 60
MAX_ORDERS = 20
# A cluster has places for so many times the workers with which it starts.
GROWTH = 4

Verb = Literal["quiet", "wake", "stop", "grow", "shrink"]


class Order(msgspec.Struct, frozen=True):
    """One order; `worker` is the worker's name, empty for grow and shrink."""

    verb: Verb
    queue: str
    worker: str = ""


def most_workers(workers: int) -> int:
    """Return how many workers of a queue a cluster may have that starts with so many."""
    return workers * GROWTH


def send_order(client: RedisClient, keys: QueueKeys, cluster: str, order: Order) -> None:
    """Leave an order for a cluster, "<host>:<process id of the supervisor>"."""
    pipe = client.pipeline()
    pipe.rpush(keys.orders(cluster), msgspec.json.encode(order))
    pipe.ltrim(keys.orders(cluster), -MAX_ORDERS, -1)
    pipe.expire(keys.orders(cluster), ORDER_SECONDS)
    pipe.execute()


def take_orders(client: RedisClient, keys: QueueKeys, cluster: str) -> list[bytes]:
    """Return the orders left for a cluster, each one line, and forget them."""
    lines = client.lpop(keys.orders(cluster), MAX_ORDERS) or []
    return [line for line in lines if b"\n" not in line and len(line) < 1000]


def read_order(line: bytes) -> Order | None:
    """Return the order of a line; None for anything else."""
    try:
        return msgspec.json.decode(line, type=Order)
    except (msgspec.DecodeError, UnicodeDecodeError):
        logger.warning("no order is obeyed that cannot be read: %r", line[:200])
        return None
