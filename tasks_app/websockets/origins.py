"""Which web pages may open a WebSocket here: a browser sends its user's cookies along whoever's page asks."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain

_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_allowed_origin(
    origin: str, host: str, *, allowed_hosts: Sequence[str], trusted_origins: Sequence[str], https_only: bool
) -> bool:
    """Whether a page of `origin` may connect to us as `host` (the Host header).

    Its host and port must be those it connects to, which must be one of `allowed_hosts`; or it is one of
    `trusted_origins` (https://app.example.org, or https://*.example.org).
    """
    asked = _split(origin)
    if asked is None or (https_only and asked.scheme != "https"):
        return False
    if any(_is_trusted(asked, trusted) for trusted in trusted_origins):
        return True
    domain, _port = split_domain_port(host)
    served = _split(f"{asked.scheme}://{host}")
    if served is None or not domain or not validate_host(domain, allowed_hosts):
        return False
    return (asked.hostname, _port_of(asked)) == (served.hostname, _port_of(served))


def _split(origin: str) -> SplitResult | None:
    """The parts of an origin with a host and a usable port; None for anything else, like "null"."""
    try:
        parts = urlsplit(origin)
        _ = parts.port
    except ValueError:
        return None
    is_origin = parts.scheme in _DEFAULT_PORTS and parts.hostname and parts.path in ("", "/")
    return parts if is_origin and "@" not in parts.netloc else None


def _port_of(parts: SplitResult) -> int:
    return parts.port or _DEFAULT_PORTS[parts.scheme]


def _is_trusted(asked: SplitResult, trusted: str) -> bool:
    parts = urlsplit(trusted.replace("://*.", "://.", 1))
    same_place = parts.scheme == asked.scheme and _port_of(parts) == _port_of(asked)
    return same_place and is_same_domain(asked.hostname or "", parts.hostname or "")
