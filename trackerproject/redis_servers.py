"""The parts of the settings that name a Redis: Django's cache, Channels' layer and the queues."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from redis import ConnectionPool

from tasks_app.redis_url import SentinelAddress, cluster_address, sentinel_address


def caches(url: str, key_prefix: str) -> dict[str, Any]:
    """Return Django's CACHES. Raises ImproperlyConfigured for a URL that cannot be read."""
    options = {"serializer": "tasks_app.utils.cache.JSONSerializer"}
    if _address(url):
        options["pool_class"] = "tasks_app.utils.cache.SentinelPool"
    return {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": [url],  # a list: Django splits a text at its commas
            "KEY_PREFIX": key_prefix,
            "OPTIONS": options,
        }
    }


def channel_layers(url: str, prefix: str) -> dict[str, Any]:
    """Return Channels' CHANNEL_LAYERS. Raises ImproperlyConfigured for a URL that cannot be read."""
    # services/broadcast.py publishes on the channels of this layer's groups.
    config = {"hosts": [{**_host(url), "socket_connect_timeout": 2}], "prefix": prefix}
    return {"default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": config}}


def _host(url: str) -> dict[str, Any]:
    address = _address(url)
    if address is None:
        return {"address": url}
    return {
        "master_name": address.master_name,
        "sentinels": list(address.sentinels),
        "sentinel_kwargs": {**address.sentinel_options, "socket_timeout": 1, "socket_connect_timeout": 1},
        **address.master_options,
    }


def queue_url(url: str) -> str:
    """Return the URL of the queues. Raises ImproperlyConfigured for one that cannot be read."""
    try:
        if not (sentinel_address(url) or cluster_address(url)):
            _check_one_server(url)
    except ValueError as error:
        raise ImproperlyConfigured(f"QUEUE_REDIS_URL cannot be read. {error}") from error
    return url


def _address(url: str) -> SentinelAddress | None:
    try:
        if cluster_address(url):
            raise ImproperlyConfigured(
                "REDIS_URL cannot be a Redis Cluster: the cache, the limits and the live connections use several keys at once."
                " Name the cluster in QUEUE_REDIS_URL, and a Redis, or Sentinels, in REDIS_URL."
            )
        if (address := sentinel_address(url)) is None:
            _check_one_server(url)
    except ValueError as error:
        raise ImproperlyConfigured(f"REDIS_URL cannot be read. {error}") from error
    return address


def _check_one_server(url: str) -> None:
    """Raise ValueError, without the password, for an address of one server that redis-py cannot read, or not wholly."""
    try:
        _ = ConnectionPool.from_url(url).make_connection()  # which connects to nothing yet
        path = urlsplit(url).path.strip("/")
    except (TypeError, ValueError):
        text = "redis://user:password@host:6379/0 is meant, in which a # in the password is %23, a / %2F and a ? %3F."
        raise ValueError(text) from None
    if path and not path.isdecimal() and not url.startswith("unix:"):
        raise ValueError("What stands behind the host is no number of a database.")
