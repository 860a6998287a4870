"""The address of the client behind the proxies that TRUSTED_PROXIES names, found once, before Django.

Everything inside reads the client of the connection (REMOTE_ADDR) and nothing reads a header: throttles, log-in limits,
ingest limits, the records of log-ins, WebSockets, the access log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from tasks_app.utils.client_addresses import parse_address

logger = logging.getLogger(__name__)

# In TRUSTED_PROXIES: a proxy that connects through a Unix socket, which has no address.
UNIX = "unix"
_SECURE = {"http": "https", "ws": "wss"}
_PLAIN = {secure: plain for plain, secure in _SECURE.items()}


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """Networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are accepted."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    unix: bool = False

    @classmethod
    def of(cls, names: Iterable[str]) -> TrustedProxies:
        """From addresses, networks and `unix`. Raises ImproperlyConfigured."""
        texts = [name.strip() for name in names if name.strip()]
        try:
            networks = tuple(ip_network(text) for text in texts if text != UNIX)
        except ValueError as error:
            raise ImproperlyConfigured(f"TRUSTED_PROXIES: {error}") from error
        return cls(networks, UNIX in texts)

    def trusts(self, peer: str | None) -> bool:
        """Return whether a connection from `peer` (None: a Unix socket) comes from a trusted proxy."""
        if peer is None:
            return self.unix
        address = parse_address(peer)
        return address is not None and any(address in network for network in self.networks)

    def client_of(self, peer: str | None, forwarded_for: Sequence[str]) -> str | None:
        """Return the nearest address that is no trusted proxy's, or the last readable one.

        `forwarded_for` are the X-Forwarded-For headers in order. Each proxy adds the address it was called from at the
        right; whatever stands left of an address that is not trusted is that client's own invention.
        """
        client = peer if peer is None else str(parse_address(peer) or peer)
        for entry in reversed(",".join(forwarded_for).split(",")):
            if not self.trusts(client) or (address := parse_address(entry)) is None:
                break
            client = str(address)
        return client


class ProxyAware:
    """ASGI middleware: sets the client and scheme of each connection to those forwarded by its trusted proxy.

    The scope is changed in place, because servers write their access log from it. The headers go: nothing behind this can
    believe them by mistake.
    """

    def __init__(self, application: Any, trusted: TrustedProxies, names_scheme: TrustedProxies) -> None:
        self._application = application
        self._trusted = trusted
        self._names_scheme = names_scheme

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket"):
            self._settle(scope)
        await self._application(scope, receive, send)

    def _settle(self, scope: Any) -> None:
        peer = scope["client"][0] if scope.get("client") else None
        forwarded = _values(scope, b"x-forwarded-for")
        if self._names_scheme.trusts(peer):
            scope["scheme"] = _scheme(scope.get("scheme", "http"), _values(scope, b"x-forwarded-proto"))
        if forwarded and not self._trusted.trusts(peer):
            _say_once(peer)
        client = self._trusted.client_of(peer, forwarded)
        if client is not None and client != peer:
            scope["client"] = (client, 0)
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name not in _CONSUMED]


_CONSUMED = {b"x-forwarded-for", b"x-forwarded-proto"}


def wsgi_behind(
    application: Callable[..., Any], trusted: TrustedProxies, names_scheme: TrustedProxies
) -> Callable[..., Any]:
    """The same for a WSGI application."""

    def wrapped(environ: dict[str, Any], start_response: Any) -> Any:
        peer = environ.get("REMOTE_ADDR") or None
        forwarded = environ.pop("HTTP_X_FORWARDED_FOR", "")
        proto = environ.pop("HTTP_X_FORWARDED_PROTO", "")
        if names_scheme.trusts(peer):
            environ["wsgi.url_scheme"] = _scheme(environ["wsgi.url_scheme"], [proto])
        environ["REMOTE_ADDR"] = trusted.client_of(peer, [forwarded]) or ""
        return application(environ, start_response)

    return wrapped


def disable_uvicorn_proxy_headers() -> None:
    """Take uvicorn's own reading of X-Forwarded-For away, which is on unless it is switched off.

    It believes every connection from this machine (and FORWARDED_ALLOW_IPS), so that a proxy here which passes a client's
    header on would let that client choose its address. It would also hide the peer from `ProxyAware`.
    """
    try:
        from uvicorn import config
    except ImportError:
        return
    config.ProxyHeadersMiddleware = lambda app, trusted_hosts: app  # type: ignore[assignment, misc]


def _values(scope: Any, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]


def _scheme(present: str, forwarded: Sequence[str]) -> str:
    """Return the scheme forwarded by the nearest proxy, as http or as ws like the present one."""
    nearest = ",".join(forwarded).rpartition(",")[2].strip().lower()
    plain = _PLAIN.get(present, present)
    if nearest in _PLAIN:
        return _SECURE.get(plain, present)
    return plain if nearest in _SECURE else present


_said: list[bool] = []


def _say_once(peer: str | None) -> None:
    if not _said:
        _said.append(True)
        logger.warning("X-Forwarded-For of %s is ignored: TRUSTED_PROXIES does not name it.", peer or "a Unix socket")
