"""Bounds of the gateway, headers of the PROXY protocol, ports of the settings: decisions without I/O."""

from __future__ import annotations

import socket
import struct

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.gateway import limits
from tasks_app.gateway.config import served_protocols
from tasks_app.gateway.limits import ConnectionLimits, RefusalThrottle
from tasks_app.gateway.link import BURST_SECONDS
from tasks_app.gateway.proxy_protocol import PREFIX_BYTES, SIGNATURE, InvalidHeader, rest_bytes, source_address
from tasks_app.ingest.trackers.registry import PROTOCOLS
from trackerproject.environment import Environment
from trackerproject.trackers import gateway_ports, gateway_settings


def test_connections_are_bounded_in_all_and_of_each_address():
    bounds = ConnectionLimits(3, 2)
    assert [bounds.enter(one) for one in ("1.1.1.1", "1.1.1.1", "1.1.1.1")] == ["", "", "too_many_of_address"]
    assert [bounds.enter(one) for one in ("2.2.2.2", "3.3.3.3")] == ["", "too_many_connections"]
    bounds.leave("1.1.1.1")
    assert [bounds.enter("1.1.1.1"), bounds.total] == ["", 3]


def test_addresses_of_one_ipv6_network_are_one_sender():
    bounds = ConnectionLimits(9, 1)
    assert bounds.enter("2001:db8::1") == ""
    assert bounds.enter("2001:db8::2") == "too_many_of_address"
    assert bounds.enter("2001:db8:0:1::1") == ""


def test_refusals_count_for_a_minute():
    throttle = RefusalThrottle(2)
    assert not throttle.is_over("1.1.1.1", 0)
    for at in (0, 59):
        throttle.note("1.1.1.1", at)
    assert throttle.is_over("1.1.1.1", 59)
    assert not throttle.is_over("2.2.2.2", 59)
    assert not throttle.is_over("1.1.1.1", 60)


def test_invented_addresses_fill_no_memory(monkeypatch):
    monkeypatch.setattr(limits, "MAX_NAMES", 3)
    throttle = RefusalThrottle(2)
    for number in range(50):
        throttle.note(f"10.0.0.{number}", 1)
    assert len(throttle._counts) <= 4
    # Further ones share a count, which is used up.
    assert throttle.is_over("10.9.9.9", 1)


def header(command: int, family: int, addresses: bytes, length: int | None = None) -> tuple[bytes, bytes]:
    size = len(addresses) if length is None else length
    return SIGNATURE + struct.pack(">BBH", command, family, size), addresses


IPV4 = socket.inet_aton("203.0.113.7") + socket.inet_aton("10.0.0.1") + struct.pack(">HH", 40_000, 5027)
IPV6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7") * 2 + struct.pack(">HH", 40_000, 5027)
MAPPED = socket.inet_pton(socket.AF_INET6, "::ffff:203.0.113.7") * 2 + struct.pack(">HH", 1, 2)


@pytest.mark.parametrize(
    ("prefix_and_rest", "address"),
    [
        (header(0x21, 0x11, IPV4), "203.0.113.7"),
        (header(0x21, 0x11, IPV4 + b"\x04\x00\x02ab"), "203.0.113.7"),  # with an extension
        (header(0x21, 0x12, IPV4), "203.0.113.7"),  # over UDP
        (header(0x21, 0x21, IPV6), "2001:db8::7"),
        (header(0x21, 0x21, MAPPED), "203.0.113.7"),
        (header(0x20, 0x00, b""), None),  # a health check of the proxy itself
        (header(0x20, 0x11, IPV4), None),
        (header(0x21, 0x31, bytes(216)), None),  # Unix sockets
        (header(0x21, 0x00, b"abc"), None),
    ],
)
def test_a_header_names_the_tracker(prefix_and_rest, address):
    prefix, rest = prefix_and_rest
    assert rest_bytes(prefix) == len(rest)
    assert source_address(prefix, rest) == address


@pytest.mark.parametrize(
    "prefix",
    [
        b"",
        SIGNATURE,
        b"GET / HTTP/1.1\r\n",
        b"PROXY TCP4 1.1.1",  # version 1
        header(0x11, 0x11, IPV4)[0],
        header(0x22, 0x11, IPV4)[0],
        header(0x21, 0x11, b"", 4097)[0],
    ],
)
def test_what_is_no_header_is_refused(prefix):
    with pytest.raises(InvalidHeader):
        rest_bytes(prefix)


def test_addresses_that_are_cut_off_are_refused():
    prefix, rest = header(0x21, 0x11, IPV4[:11])
    with pytest.raises(InvalidHeader):
        source_address(prefix, rest)


@settings(max_examples=200)
@given(st.binary(max_size=PREFIX_BYTES + 8), st.binary(max_size=40))
def test_any_bytes_are_a_header_or_refused(prefix, rest):
    try:
        rest_bytes(prefix)
        source_address(prefix, rest)
    except InvalidHeader:
        pass


def test_ports_come_from_the_environment():
    variables = {"GATEWAY_GT06_PORT": "6023", "GATEWAY_H02_PORT": "", "GATEWAY_HOST": "::", "OTHER_PORT": "1"}
    assert gateway_ports(variables) == {"gt06": 6023, "h02": 0}


@pytest.mark.parametrize("value", ["-1", "65536", "many", "5027x", "٣"])
def test_a_port_that_is_none_is_named(value):
    with pytest.raises(ImproperlyConfigured, match="GATEWAY_GT06_PORT"):
        gateway_ports({"GATEWAY_GT06_PORT": value})


def test_each_protocol_has_its_own_port_unless_it_is_switched_off(settings):
    first, *others = PROTOCOLS
    settings.GATEWAY = {**settings.GATEWAY, "PORTS": {first: 0}}
    assert set(served_protocols()) == set(others)
    with pytest.raises(ImproperlyConfigured, match="switched off"):
        served_protocols([first])
    settings.GATEWAY = {**settings.GATEWAY, "PORTS": {first: 7001}}
    assert served_protocols([first])[first][1] == 7001
    assert len({port for _, port in served_protocols().values()}) == len(PROTOCOLS)


@pytest.mark.parametrize("name", ["nothing", "GT06"])
def test_a_protocol_that_does_not_exist_is_named(name):
    with pytest.raises(ImproperlyConfigured, match=name):
        served_protocols([name])


def test_a_port_for_a_protocol_that_does_not_exist_is_named(settings):
    settings.GATEWAY = {**settings.GATEWAY, "PORTS": {"teltonica": 1}}
    with pytest.raises(ImproperlyConfigured, match="teltonica"):
        served_protocols()


def test_the_backlog_of_a_day_is_taken_at_once():
    """A tracker that is left waiting for seconds connects anew, and what it had sent by then is lost if it keeps nothing."""
    a_fix_in_30_seconds = 24 * 3600 / 30
    assert gateway_settings(Environment(), {})["FRAMES_PER_MINUTE"] * BURST_SECONDS / 60 >= a_fix_in_30_seconds


LIMITS = ["MAX_CONNECTIONS", "MAX_CONNECTIONS_PER_ADDRESS", "MAX_UDP_SENDERS", "REFUSALS_PER_MINUTE", "LOGIN_SECONDS"]
LIMITS += ["IDLE_SECONDS", "UNREAD_SECONDS", "MAX_FRAME_BYTES", "FRAMES_PER_MINUTE", "MAX_BAD_FRAMES"]


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_of_nothing_is_refused_at_the_start(name, monkeypatch):
    """It is no way to switch a limit off: no tracker would be served."""
    monkeypatch.setenv(f"GATEWAY_{name}", "0")
    with pytest.raises(ImproperlyConfigured, match=f"GATEWAY_{name} must be at least 1"):
        gateway_settings(Environment())
    monkeypatch.setenv(f"GATEWAY_{name}", "1")
    assert gateway_settings(Environment())[name] == 1
