"""Ports of a gateway: TLS, ports that processes share, ports that are taken."""

from __future__ import annotations

import datetime
import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tasks_app.gateway.tcp import READ_BYTES
from tasks_app.queries.trackers import protocol_counters, session_of
from tests.support.cluster import wait_until
from tests.support.gateway import HOST, RunningGateway, Tracker, running_gateway

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def certificate(tmp_path) -> Path:
    """Write a certificate of its own, with its key, into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    made = builder.sign(key, hashes.SHA256())
    path = tmp_path / "gateway.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_trackers_connect_by_tls_and_nothing_is_served_without(device, certificate, caplog):
    trusting = ssl.create_default_context(cafile=str(certificate))
    trusting.check_hostname = False
    with running_gateway(tls_certificate=str(certificate), login_seconds=2.0) as gateway:
        assert len(gateway.gateway.ports) == 1
        with Tracker(gateway.tcp_port) as tracker:
            tracker.socket = trusting.wrap_socket(tracker.socket)
            assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
            (link,) = gateway.gateway.shared.sessions.links
            assert len(link._transport._ssl_protocol._ssl_buffer) == READ_BYTES
            with Tracker(gateway.tcp_port) as plain, Tracker(gateway.tcp_port) as silent:
                plain.send(f"LOGIN {device.unique_id}")
                assert plain.is_closed()
                assert silent.is_closed()
            assert tracker.ask("BEAT") == "BEAT"
            # One that ends before it could be answered is no warning of asyncio's.
            with trusting.wrap_socket(socket.create_connection((HOST, gateway.tcp_port), 10)) as hasty:
                hasty.sendall(f"LOGIN {device.unique_id}\n".encode())
        wait_until(lambda: protocol_counters()["lines"].get("refused", {}).get("no_handshake") == 2)
    assert gateway.gateway.shared.limits.total == 0
    assert not [one for one in caplog.messages if "eof_received" in one]


def test_gateways_share_a_port_only_where_they_are_to(device):
    with running_gateway(reuse_port=True) as first:
        second = RunningGateway(reuse_port=True)
        second.port = first.tcp_port
        second.start()
        try:
            # The kernel shares connections out, by their addresses.
            nodes = set()
            for _ in range(100):
                with Tracker(first.tcp_port) as tracker:
                    assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
                    nodes.add(session_of(device.unique_id).node)
            assert len(nodes) == 2
        finally:
            second.stop()
        alone = RunningGateway()
        alone.port = first.tcp_port
        with pytest.raises(AssertionError, match="Address already in use"):
            alone.start()


def test_addresses_of_ipv6_are_served_with_those_of_ipv4(device):
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    with running_gateway(host="::") as gateway:
        for address in (HOST, "::1"):
            with socket.create_connection((address, gateway.tcp_port), 10) as found:
                found.sendall(f"LOGIN {device.unique_id}\n".encode())
                assert found.recv(10) == b"OK\n"
