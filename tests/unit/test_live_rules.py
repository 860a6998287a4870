"""Origins that may open a WebSocket, and how often a client may send."""

from __future__ import annotations

import pytest

from tasks_app.websockets.limits import RateLimit
from tasks_app.websockets.origins import is_allowed_origin

HOSTS = ["tracker.example.org", "[::1]", ".fleet.example"]
TRUSTED = [
    "https://straße.example",
    "https://*.bücher.example",
    "https://app.example.org",
    "https://*.partner.example",
    "http://plain.example:8080",
]


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("https://tracker.example.org", "tracker.example.org", True),
        ("https://tracker.example.org:443", "tracker.example.org", True),
        ("https://TRACKER.example.org", "tracker.example.org", True),
        ("https://tracker.example.org:8443", "tracker.example.org:8443", True),
        ("https://[::1]:8443", "[::1]:8443", True),
        ("https://north.fleet.example", "north.fleet.example", True),
        # Another port is another origin.
        ("https://tracker.example.org:8443", "tracker.example.org", False),
        ("https://evil.example", "tracker.example.org", False),
        ("https://tracker.example.org.evil.example", "tracker.example.org", False),
        # A host we do not serve, though both agree.
        ("https://evil.example", "evil.example", False),
        ("https://tracker.example.org", "", False),
        ("https://tracker.example.org", "tracker.example.org@evil.example", False),
        ("https://tracker.example.org@evil.example", "tracker.example.org", False),
        ("null", "tracker.example.org", False),
        ("", "tracker.example.org", False),
        ("file://", "tracker.example.org", False),
        ("https://[", "tracker.example.org", False),
        ("https://tracker.example.org:99999", "tracker.example.org", False),
        ("https://tracker.example.org", "tracker.example.org:x", False),
        # Trusted elsewhere.
        ("https://app.example.org", "tracker.example.org", True),
        ("https://app.example.org:1", "tracker.example.org", False),
        ("https://a.b.partner.example", "tracker.example.org", True),
        ("https://partner.example.evil", "tracker.example.org", False),
        # Browsers spell a domain as it is looked up.
        ("https://xn--strae-oqa.example", "tracker.example.org", True),
        ("https://strasse.example", "tracker.example.org", False),
        ("https://a.xn--bcher-kva.example", "tracker.example.org", True),
        ("https://☃.example", "tracker.example.org", False),
        # Without TLS nobody knows who wrote the page.
        ("http://tracker.example.org", "tracker.example.org", False),
        ("http://plain.example:8080", "tracker.example.org", False),
    ],
)
def test_only_pages_of_ours_may_connect(origin, host, allowed):
    rules = {"allowed_hosts": HOSTS, "trusted_origins": TRUSTED, "https_only": True}
    assert is_allowed_origin(origin, host, **rules) is allowed


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("http://localhost:8000", "localhost:8000", True),
        ("http://localhost:8000", "127.0.0.1:8000", False),
        ("http://localhost", "localhost", True),
        ("https://localhost", "localhost:80", False),
    ],
)
def test_without_tls_the_same_host_is_enough(origin, host, allowed):
    rules = {"allowed_hosts": ["localhost", "127.0.0.1"], "trusted_origins": [], "https_only": False}
    assert is_allowed_origin(origin, host, **rules) is allowed


def test_a_client_may_speak_so_often_and_then_slowly():
    rate = RateLimit(burst=3, per_second=1.0)
    times = [0, 0, 0, 0, 0.5, 1.1, 1.2, 10, 10, 10, 10]
    assert [rate.allows(at) for at in times] == [
        True, True, True, False, False, True, False, True, True, True, False,
    ]  # fmt: skip
