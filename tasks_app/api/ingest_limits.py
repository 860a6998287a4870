"""Rate limits of devices and of failed authentication per address: counts per minute, kept in Redis."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.exceptions import Throttled
from rest_framework.request import Request

from tasks_app.models import Device
from tasks_app.redis_scripts import run_script
from tasks_app.utils.client_addresses import sender_key
from tasks_app.utils.redis_client import redis_client

WINDOW_SECONDS = 60


def count_device(device: Device, messages: int = 1) -> None:
    """Count requests of a device. Raises Throttled over INGEST_DEVICE_PER_MINUTE, redis.RedisError."""
    _count(_name(device), messages, settings.INGEST_DEVICE_PER_MINUTE)


def count_together(sent: Sequence[tuple[Device, int]]) -> list[bool]:
    """Count requests of devices, each of so many messages, as `count_device` does; return which are within the limit.

    Raises redis.RedisError.
    """
    added: Counter[str] = Counter()
    for device, messages in sent:
        added[_name(device)] += messages
    counts = _counts_before(added) if added else {}
    within = []
    for device, messages in sent:
        within.append(counts[_name(device)] < settings.INGEST_DEVICE_PER_MINUTE)
        counts[_name(device)] += messages
    return within


def count_refusal(request: Request) -> None:
    """Count a request that was refused. Raises Throttled over INGEST_REFUSALS_PER_MINUTE, redis.RedisError."""
    _count(f"address:{address_of(request)}", 1, settings.INGEST_REFUSALS_PER_MINUTE)


def address_of(request: Request) -> str:
    """The sender as all limits count it: an IPv4 address, or the network of an IPv6 one."""
    return sender_key(request.META)


def _name(device: Device) -> str:
    return f"device:{device.pk}"


def _count(name: str, by: int, limit: int) -> None:
    # A device that was offline sends what it kept: one large message is never too much by itself.
    if _counts_before({name: by})[name] >= limit:
        left_seconds = WINDOW_SECONDS - int(time.time() % WINDOW_SECONDS)
        raise Throttled(left_seconds, _("Too many messages; go on later."), "throttled")


def _counts_before(added: Mapping[str, int]) -> dict[str, int]:
    """Add to the counts of this minute in one round trip; return what each was before."""
    key = f"{settings.CACHE_KEY_PREFIX}:ingest-rate:{int(time.time() // WINDOW_SECONDS)}"
    arguments = [2 * WINDOW_SECONDS, *chain.from_iterable(added.items())]
    before = run_script(redis_client(), "add_to_counts", [key], arguments)
    return dict(zip(added, before, strict=True))
