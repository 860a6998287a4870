"""Rate limits of devices and of failed authentication per address: counts per minute, kept in Redis."""

from __future__ import annotations

import time

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.exceptions import Throttled
from rest_framework.request import Request

from tasks_app.models import Device
from tasks_app.utils.client_addresses import sender_key
from tasks_app.utils.redis_client import redis_client

WINDOW_SECONDS = 60


def count_device(device: Device, messages: int = 1) -> None:
    """Count requests of a device. Raises Throttled over INGEST_DEVICE_PER_MINUTE, redis.RedisError."""
    _count(f"device:{device.pk}", messages, settings.INGEST_DEVICE_PER_MINUTE)


def count_refusal(request: Request) -> None:
    """Count a request that was refused. Raises Throttled over INGEST_REFUSALS_PER_MINUTE, redis.RedisError."""
    _count(f"address:{address_of(request)}", 1, settings.INGEST_REFUSALS_PER_MINUTE)


def address_of(request: Request) -> str:
    """The sender as all limits count it: an IPv4 address, or the network of an IPv6 one."""
    return sender_key(request.META)


def _count(name: str, by: int, limit: int) -> None:
    window, passed_seconds = divmod(time.time(), WINDOW_SECONDS)
    key = f"{settings.CACHE_KEY_PREFIX}:ingest-rate:{int(window)}:{name}"
    pipeline = redis_client().pipeline(transaction=False)
    pipeline.incrby(key, by)
    pipeline.expire(key, 2 * WINDOW_SECONDS)
    # A device that was offline sends what it kept: one large message is never too much by itself.
    if pipeline.execute()[0] - by >= limit:
        raise Throttled(WINDOW_SECONDS - int(passed_seconds), _("Too many messages; go on later."), "throttled")
