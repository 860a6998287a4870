"""Addresses of Redis: those that redis-py reads itself, those of a master that Sentinels watch, those of a Redis Cluster.

    redis+sentinel://user:password@host:26379,host2:26379/master name/database?sentinel_password=...
    redis+cluster://user:password@host:6379,host2:6379

`rediss+...` speaks TLS with all of them. Imports nothing of Django, as the settings read addresses, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

SCHEMES = {"redis+sentinel": False, "rediss+sentinel": True}
CLUSTER_SCHEMES = {"redis+cluster": False, "rediss+cluster": True}
SENTINEL_PORT, REDIS_PORT = 26379, 6379
_OF_SENTINELS = {"sentinel_username": "username", "sentinel_password": "password"}
_OF_TLS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname")


@dataclass(frozen=True, slots=True)
class SentinelAddress:
    """The master `master_name` of these Sentinels (host, port), and redis-py's arguments of connections to it and to them."""

    sentinels: tuple[tuple[str, int], ...]
    master_name: str
    master_options: dict[str, Any]
    sentinel_options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ClusterAddress:
    """Some nodes (host, port) of a Redis Cluster, which know the others, and redis-py's arguments of connections to them."""

    nodes: tuple[tuple[str, int], ...]
    options: dict[str, Any]


def sentinel_address(url: str) -> SentinelAddress | None:
    """Return the address in a URL for Sentinel, None for any other URL. Raises ValueError, without the passwords."""
    found = urlsplit(url)
    if found.scheme not in SCHEMES:
        return None
    login_options, hosts = _login(found.netloc)
    master_name, _, database = found.path[1:].partition("/")
    if not master_name:
        raise ValueError("It names no master: redis+sentinel://host:26379/master_name/0.")
    database = database.rstrip("/") or "0"
    if not database.isdecimal():
        raise ValueError(f"{database!r} is no number of a database.")
    encryption, of_sentinels = _options(found.query, is_encrypted=SCHEMES[found.scheme])
    return SentinelAddress(
        tuple(_host(each, SENTINEL_PORT, "Sentinel") for each in hosts.split(",")),
        unquote(master_name),
        {**login_options, "db": int(database), **encryption},
        {**of_sentinels, **encryption},
    )


def cluster_address(url: str) -> ClusterAddress | None:
    """Return the address in a URL for a Redis Cluster, None for any other URL. Raises ValueError, without the passwords."""
    found = urlsplit(url)
    if found.scheme not in CLUSTER_SCHEMES:
        return None
    login_options, hosts = _login(found.netloc)
    if found.path.strip("/") not in ("", "0"):
        raise ValueError(f"{found.path[1:]!r}: a Redis Cluster has one database only, 0.")
    encryption, others = _options(found.query, is_encrypted=CLUSTER_SCHEMES[found.scheme])
    if others:
        raise ValueError("The options of Sentinels are none of a Redis Cluster.")
    nodes = tuple(_host(each, REDIS_PORT, "node") for each in hosts.split(","))
    return ClusterAddress(nodes, {**login_options, **encryption})


def _login(netloc: str) -> tuple[dict[str, str | None], str]:
    """Return redis-py's arguments of logging in, and the hosts."""
    login, _, hosts = netloc.rpartition("@")
    username, _, password = login.partition(":")
    return {"username": unquote(username) or None, "password": unquote(password) or None}, hosts


def _host(text: str, default_port: int, kind: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError(f"A {kind} without a host: host:{default_port},host2:{default_port} is meant.")
    try:
        return parts.hostname, parts.port or default_port
    except ValueError:  # it names the text, which is one of the password where a sign in that ended it
        raise ValueError(f"The port of a {kind} is none. In a password a # is %23, a / %2F and a ? %3F.") from None


def _options(query: str, *, is_encrypted: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    encryption: dict[str, Any] = {"ssl": True} if is_encrypted else {}
    of_sentinels = {}
    for name, value in parse_qsl(query):
        if name in _OF_SENTINELS:
            of_sentinels[_OF_SENTINELS[name]] = value
        elif name in _OF_TLS and is_encrypted:
            encryption[name] = value if name != "ssl_check_hostname" else value.lower() in ("1", "true", "yes")
        elif name in _OF_TLS:
            raise ValueError(f"{name} needs rediss+...://.")
        else:
            known = ", ".join([*_OF_SENTINELS, *_OF_TLS])
            raise ValueError(f"{name!r} is not an option of this URL; these are: {known}.")
    return encryption, of_sentinels
