"""django-q2's `broker_class` seam: `django_q.tasks.async_task` lands in our queues."""

from __future__ import annotations

from typing import Any

from django_q.brokers import Broker


class RedisStreamsBroker(Broker):
    """Filled in below."""

    def get_connection(self, list_key: str | None = None) -> Any:
        return None
