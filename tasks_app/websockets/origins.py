"""Origins that may open a WebSocket here: a browser sends its user's cookies along for any page."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain

from tasks_app.utils.hostnames import ascii_host

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
    return (_host_of(asked), _port_of(asked)) == (_host_of(served), _port_of(served))


def _split(origin: str) -> SplitResult | None:
    """The parts of an origin with a host and a usable port; None for anything else, like "null"."""
    try:
        parts = urlsplit(origin)
        _ = parts.port, _host_of(parts)
    except ValueError:
        return None
    is_origin = parts.scheme in _DEFAULT_PORTS and parts.path in ("", "/")
    return parts if is_origin and "@" not in parts.netloc else None


def _port_of(parts: SplitResult) -> int:
    return parts.port or _DEFAULT_PORTS[parts.scheme]


def _host_of(parts: SplitResult) -> str:
    """As browsers spell it. Raises InvalidHostname, a ValueError."""
    return ascii_host(parts.hostname or "")


def _is_trusted(asked: SplitResult, trusted: str) -> bool:
    parts = _split(trusted.replace("://*.", "://", 1))
    if parts is None or parts.scheme != asked.scheme or _port_of(parts) != _port_of(asked):
        return False
    pattern = ("." if "://*." in trusted else "") + _host_of(parts)
    return is_same_domain(_host_of(asked), pattern)
