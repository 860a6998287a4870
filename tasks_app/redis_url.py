"""Addresses of Redis: those that redis-py reads itself, and those of a master that Sentinels watch.

    redis+sentinel://user:password@host:26379,host2:26379/master name/database?sentinel_password=...

`rediss+sentinel` speaks TLS with the Sentinels and the servers. Imports nothing of Django, as the settings read addresses, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

SCHEMES = {"redis+sentinel": False, "rediss+sentinel": True}
SENTINEL_PORT = 26379
_OF_SENTINELS = {"sentinel_username": "username", "sentinel_password": "password"}
_OF_TLS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname")


@dataclass(frozen=True, slots=True)
class SentinelAddress:
    """The master `master_name` of these Sentinels (host, port), and redis-py's arguments of connections to it and to them."""

    sentinels: tuple[tuple[str, int], ...]
    master_name: str
    master_options: dict[str, Any]
    sentinel_options: dict[str, Any]


def sentinel_address(url: str) -> SentinelAddress | None:
    """Return the address in a URL for Sentinel, None for any other URL. Raises ValueError, without the passwords."""
    found = urlsplit(url)
    if found.scheme not in SCHEMES:
        return None
    login, _, hosts = found.netloc.rpartition("@")
    username, _, password = login.partition(":")
    master_name, _, database = found.path[1:].partition("/")
    if not master_name:
        raise ValueError("It names no master: redis+sentinel://host:26379/master_name/0.")
    database = database.rstrip("/") or "0"
    if not database.isdecimal():
        raise ValueError(f"{database!r} is no number of a database.")
    encryption, of_sentinels = _options(found.query, is_encrypted=SCHEMES[found.scheme])
    login_options = {"username": unquote(username) or None, "password": unquote(password) or None}
    return SentinelAddress(
        tuple(_host(each) for each in hosts.split(",")),
        unquote(master_name),
        {**login_options, "db": int(database), **encryption},
        {**of_sentinels, **encryption},
    )


def _host(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("A Sentinel without a host: redis+sentinel://host:26379,host2:26379/master_name/0.")
    return parts.hostname, parts.port or SENTINEL_PORT  # the port raises ValueError, too


def _options(query: str, *, is_encrypted: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    encryption: dict[str, Any] = {"ssl": True} if is_encrypted else {}
    of_sentinels = {}
    for name, value in parse_qsl(query):
        if name in _OF_SENTINELS:
            of_sentinels[_OF_SENTINELS[name]] = value
        elif name in _OF_TLS and is_encrypted:
            encryption[name] = value if name != "ssl_check_hostname" else value.lower() in ("1", "true", "yes")
        elif name in _OF_TLS:
            raise ValueError(f"{name} needs rediss+sentinel://.")
        else:
            known = ", ".join([*_OF_SENTINELS, *_OF_TLS])
            raise ValueError(f"Of Sentinel's URL {name!r} is not an option; these are: {known}.")
    return encryption, of_sentinels
