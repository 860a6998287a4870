"""Which address is the client's, whatever X-Forwarded-For says."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from tasks_app.utils.client_addresses import limit_key, parse_address
from trackerproject.proxies import ProxyAware, TrustedProxies, wsgi_behind

TRUSTED = TrustedProxies.of(["127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48"])


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["6.6.6.6", "198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["6.6.6.6,198.51.100.1, 10.1.1.1,10.2.2.2"], "198.51.100.1"),
        ("127.0.0.1", ["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        ("127.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("127.0.0.1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("127.0.0.1", ["2001:DB8:0::7"], "2001:db8::7"),
        ("127.0.0.1", ["198.51.100.1, 2001:db8:1::5"], "198.51.100.1"),
        ("::ffff:127.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["fe80::1%eth0"], "fe80::1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", ["6.6.6.6, unknown"], "127.0.0.1"),
        ("127.0.0.1", ["6.6.6.6, unknown, 10.1.1.1"], "10.1.1.1"),
        ("127.0.0.1", ["6.6.6.6,"], "127.0.0.1"),
        ("127.0.0.1", ["1.2.3.4\r\nadmin logged in"], "127.0.0.1"),
        ("127.0.0.1", ["[2001:db8::7"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.1:evil"], "127.0.0.1"),
        (None, ["198.51.100.1"], None),
    ],
)
def test_it_finds_the_nearest_address_that_is_no_trusted_proxy(peer, headers, client):
    assert TRUSTED.client_of(peer, headers) == client


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "10.0.0.1", None])
def test_it_trusts_nothing_unless_it_is_told_to(peer):
    assert TrustedProxies.of([]).client_of(peer, ["198.51.100.1"]) == peer


def test_a_proxy_behind_a_unix_socket_is_trusted_by_name():
    trusted = TrustedProxies.of(["unix"])
    assert trusted.client_of(None, ["6.6.6.6, 198.51.100.1"]) == "198.51.100.1"
    assert trusted.client_of("127.0.0.1", ["198.51.100.1"]) == "127.0.0.1"


@pytest.mark.parametrize("name", ["10.0.0.1/8", "proxy.example.org", "*", "10.0.0.0/33"])
def test_it_refuses_what_is_no_network(name):
    with pytest.raises(ImproperlyConfigured, match="TRUSTED_PROXIES"):
        TrustedProxies.of([name])


def scope_behind_proxy(scope: dict[str, Any], names_scheme: TrustedProxies = TRUSTED) -> dict[str, Any]:
    """The scope as the application behind the middleware finds it."""
    found: list[dict[str, Any]] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        found.append(scope)

    asyncio.run(ProxyAware(application, TRUSTED, names_scheme)(scope, None, None))
    return found[0]


def scope_of(peer: str | None, kind: str = "http", **headers: str) -> dict[str, Any]:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scheme = "ws" if kind == "websocket" else "http"
    return {"type": kind, "scheme": scheme, "client": (peer, 5) if peer else None, "headers": pairs}


@pytest.mark.parametrize(("kind", "scheme"), [("http", "https"), ("websocket", "wss")])
@pytest.mark.parametrize("sent_scheme", ["https", "wss", "HTTPS", "http, https"])
def test_a_trusted_proxy_tells_client_and_scheme(kind, scheme, sent_scheme):
    scope = scope_behind_proxy(
        scope_of("10.0.0.1", kind, x_forwarded_for="198.51.100.1", x_forwarded_proto=sent_scheme, host="a")
    )
    assert (scope["client"][0], scope["scheme"]) == ("198.51.100.1", scheme)
    assert scope["headers"] == [(b"host", b"a")]


@pytest.mark.parametrize(("kind", "scheme"), [("http", "http"), ("websocket", "ws")])
def test_anybody_else_tells_neither(kind, scheme):
    scope = scope_behind_proxy(scope_of("203.0.113.9", kind, x_forwarded_for="198.51.100.1", x_forwarded_proto="https"))
    assert (scope["client"][0], scope["scheme"], scope["headers"]) == ("203.0.113.9", scheme, [])


def test_a_proxy_may_be_trusted_for_the_scheme_alone():
    headers = {"x_forwarded_for": "198.51.100.1", "x_forwarded_proto": "https"}
    scope = scope_behind_proxy(scope_of("127.0.0.2", **headers), TrustedProxies.of(["127.0.0.0/8"]))
    assert (scope["client"][0], scope["scheme"]) == ("127.0.0.2", "https")


def test_a_scheme_that_does_not_exist_changes_nothing():
    assert scope_behind_proxy(scope_of("10.0.0.1", x_forwarded_proto="https, gopher"))["scheme"] == "http"


def test_wsgi_is_told_the_same():
    seen: list[dict[str, Any]] = []
    application = wsgi_behind(lambda environ, start: seen.append(environ), TRUSTED, TRUSTED)
    for peer in ("10.0.0.1", "203.0.113.9"):
        headers = {"HTTP_X_FORWARDED_FOR": "198.51.100.1", "HTTP_X_FORWARDED_PROTO": "https"}
        application({"REMOTE_ADDR": peer, "wsgi.url_scheme": "http", **headers}, None)
    assert seen == [
        {"REMOTE_ADDR": "198.51.100.1", "wsgi.url_scheme": "https"},
        {"REMOTE_ADDR": "203.0.113.9", "wsgi.url_scheme": "http"},
    ]


def test_an_ipv6_client_is_limited_by_its_network():
    assert limit_key("2001:db8:5:6:1::1") == limit_key("2001:db8:5:6:ffff::2") == "2001:db8:5:6::/64"
    assert limit_key("::ffff:198.51.100.1") == limit_key("198.51.100.1") == "198.51.100.1"
    assert limit_key("") == ""


@pytest.mark.parametrize("text", ["", "unknown", "_hidden", "1.2.3", "1.2.3.4:٣", "a:b", "[::1]x", "localhost"])
def test_what_is_no_address_is_none(text):
    assert parse_address(text) is None
