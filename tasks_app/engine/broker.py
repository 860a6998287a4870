"""The broker of django-q2's `broker_class` setting: `django_q.tasks.async_task` makes jobs on our queues.

django-q2 hands its broker a signed pickle of the task. It is written and read in the same call here, as JSON: django-q2's
serializer is replaced (see `use_json_packages`), so no pickle is ever made or loaded.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import django_q.signing
import msgspec
import redis
from django_q.brokers import Broker
from django_q.signing import SignedPackage

from tasks_app.engine.backends import current_backend
from tasks_app.engine.connection import client
from tasks_app.engine.enqueueing import JobOptions
from tasks_app.engine.errors import UnknownTask
from tasks_app.engine.live_jobs import queue_stats
from tasks_app.engine.registry import Task, get_task


class JSONPackages:
    """Serializer with the interface of django_q.signing.PickleSerializer. A Task is written as its name."""

    @staticmethod
    def dumps(obj: Any) -> bytes:
        return msgspec.json.encode(obj, enc_hook=_name_of)

    @staticmethod
    def loads(data: bytes) -> Any:
        return msgspec.json.decode(data)


def _name_of(value: Any) -> str:
    if isinstance(value, Task):
        return value.name
    if callable(value):
        raise UnknownTask(f"{value!r} is not a registered task.")
    raise TypeError(f"{type(value).__name__} is not a JSON type.")


def use_json_packages() -> None:
    """Call once when the app is ready."""
    django_q.signing.PickleSerializer = JSONPackages


class RedisStreamsBroker(Broker):
    """Makes jobs of django-q2's packages whose function is a registered task and whose arguments are JSON."""

    def get_connection(self, list_key: str | None = None) -> redis.Redis:
        return client()

    def enqueue(self, task: str) -> str:
        """Make a job of a django-q2 package; the job has the package's id. Raises EngineError."""
        package = SignedPackage.loads(task)
        found = get_task(package["func"])
        call = found.arguments.check(package["args"], package["kwargs"])
        (job_id,) = current_backend().enqueue(found.queue, found.name, [(UUID(package["id"]), call)], JobOptions())
        return str(job_id)

    def queue_size(self) -> int:
        """Return how many jobs wait on all queues."""
        return sum(queue.depth for queue in queue_stats(client()))

    def ping(self) -> bool:
        return bool(client().ping())

    def info(self) -> str:
        server = client().info("server")
        return f"Redis {server.get('valkey_version') or server['redis_version']} streams"
