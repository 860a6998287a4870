"""The knowledge of a connection: of one device, with the settings that it has now."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime, timedelta

import pytest

from tasks_app.gateway import identities, sweeper
from tasks_app.ingest.trackers.checksums import xor
from tasks_app.ingest.trackers.registry import PROTOCOLS
from tasks_app.models import Device, DeviceAccess, Position
from tests.support.cluster import allowed, wait_until
from tests.support.gateway import HOST, Tracker, running_gateway
from tests.support.ingest import drain_buffers

pytestmark = pytest.mark.django_db(transaction=True)

AT = datetime.fromtimestamp(int(time.time()) - 600, UTC)
PHONE = "002002604323"


def location(at: datetime) -> bytes:
    """A location of JT/T 808 whose clock shows `at`."""
    body = bytes.fromhex(f"00000000000000020158b91b06cb706100460000005a{at:%y%m%d%H%M%S}")
    content = bytes.fromhex("0200") + len(body).to_bytes(2, "big") + bytes.fromhex(PHONE) + b"\x00\x01" + body
    content += bytes([xor(content)])
    return b"\x7e" + content.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02") + b"\x7e"


def test_the_state_of_one_device_is_not_that_of_the_next_one_at_its_address(make_device):
    """Networks give the address and port of one tracker to another."""
    for number in (1, 2):
        make_device(unique_id=f"421005141{number}", name=f"Van {number}")
    frames = [
        f"*HQ,4210051411,NBR,{AT:%H%M%S},724,31,0,1,1,1,{AT:%d%m%y},F7FFFFFF#",
        "*HQ,4210051411,HTBT,50#",
        f"*HQ,4210051412,V1,{AT:%H%M%S},A,2233.1234,N,11400.0000,E,1,2,{AT:%d%m%y}#",
    ]
    with (
        running_gateway(protocol=PROTOCOLS["h02"]) as gateway,
        socket.socket(type=socket.SOCK_DGRAM) as sender,
    ):
        sender.connect((HOST, gateway.udp_port))
        sender.settimeout(allowed(10))
        for frame in frames:
            sender.send(frame.encode())
            assert sender.recv(2048).startswith(frame[:14].encode())
    drain_buffers()
    found = Position.objects.get()
    assert (found.device.unique_id, found.attributes) == ("4210051412", None)


def test_the_offset_of_a_clock_that_is_set_counts_for_the_tracker_that_is_connected(make_device, monkeypatch):
    monkeypatch.setattr(sweeper, "CHECK_EVERY_SECONDS", 0.2)
    monkeypatch.setattr(identities, "FRESH_SECONDS", 0.2)
    device = make_device(unique_id=PHONE, name="Truck 1")
    with running_gateway(protocol=PROTOCOLS["jt808"]) as gateway, Tracker(gateway.tcp_port) as tracker:
        tracker.socket.sendall(location(AT))
        assert tracker.socket.recv(100)
        access = wait_until(lambda: DeviceAccess.objects.filter(device=device).first(), what="the access to be noted")
        for minutes, hours_later in ((0, 1), (None, 2)):
            access.zone_minutes = minutes
            access.save()
            (link,) = gateway.gateway.shared.sessions.links
            wait_until(lambda: link.session.zone_minutes == minutes, what="the offset to be taken over")  # noqa: B023
            tracker.socket.sendall(location(AT + timedelta(hours=hours_later)))
            assert tracker.socket.recv(100)
    drain_buffers()
    china = timedelta(hours=8)
    expected = [AT - china, AT + timedelta(hours=1), AT + timedelta(hours=2) - china]
    assert sorted(Position.objects.values_list("fix_time", flat=True)) == sorted(expected)


def test_a_vehicle_that_was_given_a_connected_tracker_is_reached_by_its_connection(make_device, monkeypatch):
    """Else it was offered no commands until the tracker connected anew, weeks later perhaps."""
    monkeypatch.setattr(sweeper, "CHECK_EVERY_SECONDS", 0.2)
    monkeypatch.setattr(identities, "FRESH_SECONDS", 0.2)
    former, new = make_device(), make_device()
    identifier = former.unique_id
    with running_gateway() as gateway, Tracker(gateway.tcp_port) as tracker:
        assert tracker.ask(f"LOGIN {identifier}") == "OK"
        wait_until(lambda: DeviceAccess.objects.filter(device=former).exists(), what="the first vehicle's access")
        Device.objects.filter(pk=former.pk).update(unique_id="in the workshop")
        Device.objects.filter(pk=new.pk).update(unique_id=identifier)
        access = wait_until(lambda: DeviceAccess.objects.filter(device=new).first(), what="the other vehicle's access")
        assert access.protocol == "lines"
        assert tracker.ask("BEAT") == "BEAT"
