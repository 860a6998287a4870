"""Trackers that send datagrams: answered at their address, bounded, and never in the place of a TCP connection."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from tasks_app.queries.position_buffer import buffer_size
from tasks_app.queries.trackers import session_of, unknown_trackers
from tests.support.cluster import allowed, wait_until
from tests.support.gateway import HOST, Tracker, running_gateway

pytestmark = pytest.mark.django_db(transaction=True)

NOW = int(time.time()) - 600


@pytest.fixture
def gateway():
    with running_gateway(max_udp_senders=10) as running:
        yield running


@pytest.fixture
def sender(gateway) -> Iterator[socket.socket]:
    with socket.socket(type=socket.SOCK_DGRAM) as found:
        found.connect((HOST, gateway.udp_port))
        found.settimeout(allowed(10))
        yield found


def ask(sender: socket.socket, text: str) -> str:
    sender.send(f"{text}\n".encode())
    return sender.recv(2048).decode().strip()


def test_a_datagram_is_acknowledged_at_its_address(sender, device):
    assert ask(sender, f"{device.unique_id};POS {NOW} 1 1") == "ACK 1"
    assert buffer_size() == 1
    found = session_of(device.unique_id)
    assert (found.transport, found.address) == ("udp", HOST)


def test_many_datagrams_at_once_are_answered_one_by_one(sender, device):
    assert ask(sender, f"{device.unique_id};BEAT") == "BEAT"
    for number in range(5):
        sender.send(f"{device.unique_id};POS {NOW + number} 1 1{' 2 2' * number}\n".encode())
    assert [sender.recv(2048).decode().strip() for _ in range(5)] == [f"ACK {number + 1}" for number in range(5)]


def test_an_unknown_sender_gets_no_answer(sender, device):
    sender.send(b"LOGIN stranger\n")
    wait_until(unknown_trackers, what="it to be remembered")
    assert ask(sender, f"{device.unique_id};BEAT") == "BEAT"


def test_a_datagram_never_takes_the_session_of_a_tcp_connection(gateway, sender, device):
    with Tracker(gateway.tcp_port) as tracker:
        assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
        assert ask(sender, f"{device.unique_id};POS {NOW} 1 1") == "ACK 1"
        assert session_of(device.unique_id).transport == "tcp"
        assert tracker.ask("BEAT") == "BEAT"


def test_a_tcp_connection_takes_the_session_of_a_sender(gateway, sender, device):
    assert ask(sender, f"{device.unique_id};BEAT") == "BEAT"
    with Tracker(gateway.tcp_port) as tracker:
        assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
        assert session_of(device.unique_id).transport == "tcp"


def test_senders_are_bounded(gateway, device):
    sockets = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(30)]
    try:
        for one in sockets:
            one.sendto(f"{device.unique_id};BEAT\n".encode(), (HOST, gateway.udp_port))
            one.settimeout(allowed(10))
            assert one.recv(100) == b"BEAT\n"
        assert len(gateway.gateway.shared.sessions.links) <= 10
    finally:
        for one in sockets:
            one.close()


@pytest.mark.parametrize("noise", [b"", b"\0", b"no end", b"x" * 5000, b"\n\n", b";;;\n"])
def test_noise_is_ignored(sender, device, noise):
    sender.send(noise)
    assert ask(sender, f"{device.unique_id};BEAT") == "BEAT"
