"""A gateway, its real sockets, Redis and PostgreSQL: trackers that connect by TCP."""

from __future__ import annotations

import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from tasks_app.gateway import identities, listening, sweeper
from tasks_app.models import DeviceAccess, DeviceState, FixSource, QuarantinedFix
from tasks_app.queries.position_buffer import buffer_size
from tasks_app.queries.position_lanes import lane_of
from tasks_app.queries.trackers import (
    connected_trackers,
    living_nodes,
    protocol_counters,
    raw_frames,
    session_of,
    tracker_key,
    unknown_trackers,
)
from tasks_app.services.intake import buffer, drain_buffer
from tasks_app.utils.redis_client import redis_client
from tests.support.cluster import allowed, wait_until
from tests.support.gateway import Tracker, running_gateway

pytestmark = pytest.mark.django_db(transaction=True)

NOW = int(time.time()) - 600


@pytest.fixture
def gateway():
    with running_gateway() as running:
        yield running


@pytest.fixture
def tracker(gateway, device):
    with Tracker(gateway.tcp_port) as found:
        assert found.ask(f"LOGIN {device.unique_id}") == "OK"
        yield found


def test_fixes_are_in_the_buffer_when_they_are_acknowledged(tracker, device):
    assert tracker.ask(f"POS {NOW} -23.5 -46.6 -23.6 -46.7") == "ACK 2"
    assert buffer_size() == 2
    drain_buffer(device.unique_id)
    state = DeviceState.objects.get(device=device)
    assert (state.latitude, state.fix_time) == (-23.6, datetime.fromtimestamp(NOW + 1, UTC))


def test_a_full_buffer_leaves_the_data_with_the_tracker_and_other_lanes_go_on(
    gateway, tracker, device, make_device, monkeypatch
):
    monkeypatch.setattr(buffer, "MAX_BUFFERED_FIXES", 3)
    other = next(one for _ in range(100) if lane_of((one := make_device()).unique_id) != lane_of(device.unique_id))
    assert tracker.ask(f"POS {NOW} 1 1 2 2 3 3") == "ACK 3"
    tracker.send(f"POS {NOW + 10} 4 4")
    assert tracker.is_silent(0.7)
    with Tracker(gateway.tcp_port) as second:
        assert second.ask(f"LOGIN {other.unique_id}") == "OK"
        assert second.ask(f"POS {NOW} 1 1") == "ACK 1"
    # All that it sends meanwhile waits in the kernel, then in the tracker.
    tracker.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        tracker.socket.sendall(b"BEAT\n" * 2_000_000)
    link = gateway.gateway.shared.sessions.by_device[device.unique_id]
    assert len(link._buffer) + sum(map(len, link._frames)) < 40_000
    monkeypatch.undo()
    drain_buffer(device.unique_id)
    tracker.socket.settimeout(allowed(10))
    assert (tracker.line(), tracker.line()) == ("ACK 1", "BEAT")


def test_a_repeated_packet_is_acknowledged_and_stored_once(tracker, device):
    assert [tracker.ask(f"POS {NOW} -23.5 -46.6") for _ in range(2)] == ["ACK 1", "ACK 1"]
    counts = drain_buffer(device.unique_id)
    assert (counts["read"], counts["stored"], counts["duplicates"]) == (2, 1, 1)


def test_frames_come_in_any_pieces_and_are_answered_in_order(tracker):
    sent = "".join(f"POS {NOW + number} 1 1{' 2 2' * number}\n" for number in range(40)).encode()
    for start in range(0, len(sent), 7):
        tracker.socket.sendall(sent[start : start + 7])
    assert [tracker.line() for _ in range(40)] == [f"ACK {number + 1}" for number in range(40)]


def test_a_session_tells_who_is_connected_and_ends_with_its_connection(gateway, tracker, device):
    (found,) = connected_trackers()
    assert (found.device_id, found.device_pk, found.protocol) == (device.unique_id, device.pk, "lines")
    assert (found.transport, found.address, [found.node]) == ("tcp", "127.0.0.1", living_nodes())
    assert session_of(device.unique_id).fence == found.fence > 0
    tracker.close()
    wait_until(lambda: not connected_trackers(), what="the session to end")
    assert session_of(device.unique_id) is None


def test_the_access_of_a_device_learns_protocol_and_time_and_is_written_once_a_minute(gateway, tracker, device):
    access = wait_until(lambda: DeviceAccess.objects.filter(device=device).first(), what="the access to be noted")
    assert access.protocol == "lines"
    assert timezone.now() - access.last_connected_at < timedelta(minutes=1)
    with Tracker(gateway.tcp_port) as again:
        assert again.ask(f"LOGIN {device.unique_id}") == "OK"
        wait_until(lambda: not gateway.gateway.shared.notes._connected, what="the second connection to be noted")
    access.refresh_from_db()
    assert DeviceAccess.objects.get().last_connected_at == access.last_connected_at


def test_an_unknown_identifier_is_refused_remembered_and_closed(gateway, device):
    for _ in range(2):
        with Tracker(gateway.tcp_port) as stranger:
            assert stranger.ask("LOGIN 999") == "NO"
            assert stranger.is_closed()
    found = wait_until(lambda: [one for one in unknown_trackers() if one.count == 2], what="it to be remembered")
    assert (found[0].identifier, found[0].protocol, found[0].address) == ("999", "lines", "127.0.0.1")
    assert not connected_trackers()
    assert buffer_size() == 0


def test_a_device_that_is_switched_off_is_refused_also_while_it_is_connected(
    gateway, tracker, device, make_device, monkeypatch
):
    monkeypatch.setattr(sweeper, "CHECK_EVERY_SECONDS", 0.2)
    monkeypatch.setattr(identities, "FRESH_SECONDS", 0.2)
    off = make_device(is_active=False)
    with Tracker(gateway.tcp_port) as other:
        assert other.ask(f"LOGIN {off.unique_id}") == "NO"
    assert tracker.ask("BEAT") == "BEAT"
    device.is_active = False
    device.save()
    assert tracker.is_closed()
    assert not unknown_trackers()


def test_a_device_is_found_soon_after_it_was_added(gateway, make_device, monkeypatch):
    monkeypatch.setattr(identities, "FRESH_SECONDS", 0.2)
    with Tracker(gateway.tcp_port) as early:
        assert early.ask("LOGIN later-1") == "NO"
    make_device(unique_id="later-1")

    def is_accepted() -> bool:
        with Tracker(gateway.tcp_port) as late:
            return late.ask("LOGIN later-1") == "OK"

    wait_until(is_accepted, 5)


@pytest.mark.parametrize(
    ("of_fleet", "of_device", "answer"),
    [
        ([], [], "OK"),
        (["127.0.0.0/8"], [], "OK"),
        (["203.0.113.0/24"], [], "NO"),
        (["203.0.113.0/24"], ["127.0.0.1"], "OK"),
        (["127.0.0.1"], ["203.0.113.0/24"], "NO"),
    ],
)
def test_networks_of_a_device_take_the_place_of_its_fleets(gateway, device, of_fleet, of_device, answer):
    device.fleet.tracker_networks = of_fleet
    device.fleet.save()
    DeviceAccess.objects.create(device=device, allowed_networks=of_device)
    with Tracker(gateway.tcp_port) as found:
        assert found.ask(f"LOGIN {device.unique_id}") == answer


def test_the_newer_connection_of_a_device_wins(gateway, tracker, device):
    before = session_of(device.unique_id).fence
    with Tracker(gateway.tcp_port) as newer:
        assert newer.ask(f"LOGIN {device.unique_id}") == "OK"
        assert tracker.is_closed()
        assert session_of(device.unique_id).fence > before
        assert newer.ask(f"POS {NOW} 1 1") == "ACK 1"


def test_a_device_that_moves_between_gateways_has_one_session(gateway, tracker, device):
    with running_gateway() as other, Tracker(other.tcp_port) as newer:
        assert newer.ask(f"LOGIN {device.unique_id}") == "OK"
        assert tracker.is_closed()
        assert [one.node for one in connected_trackers()] == [other.gateway.shared.node]
        with Tracker(gateway.tcp_port) as back:
            assert back.ask(f"LOGIN {device.unique_id}") == "OK"
            assert newer.is_closed()
            assert [one.node for one in connected_trackers()] == [gateway.gateway.shared.node]


def test_a_frame_of_another_device_on_the_same_connection_is_that_devices(gateway, tracker, device, make_device):
    other = make_device()
    assert tracker.ask(f"{other.unique_id};POS {NOW} 1 1", "BEAT") == "ACK 1"
    assert tracker.line() == "BEAT"
    drain_buffer(other.unique_id)
    assert DeviceState.objects.filter(device=other, latitude=1).exists()
    assert not DeviceState.objects.filter(device=device, latitude=1).exists()


def test_a_wrong_checksum_is_counted_and_not_acknowledged(tracker, device):
    tracker.send("SUM", f"POS {NOW} 1 1")
    assert tracker.line() == "ACK 1"
    wait_until(lambda: protocol_counters().get("lines", {}).get("frames", {}).get("checksum") == 1)
    assert "checksum" in [one.note for one in raw_frames(device.unique_id)]


def test_a_fault_of_a_protocol_costs_the_frame_and_no_more(tracker, gateway):
    tracker.send("LOGIN", "POS never", "POS 1 2")
    assert tracker.ask(f"POS {NOW} 1 1") == "ACK 1"
    wait_until(lambda: protocol_counters().get("lines", {}).get("frames", {}).get("fault", 0) >= 2)


def test_too_many_bad_frames_in_a_row_close_the_connection(device):
    with running_gateway(max_bad_frames=3) as gateway, Tracker(gateway.tcp_port) as tracker:
        assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
        tracker.send("SUM", "SUM")
        assert tracker.ask("BEAT") == "BEAT"
        tracker.send("SUM", "SUM", "SUM")
        assert tracker.is_closed()


def test_a_fix_that_cannot_be_right_is_in_the_quarantine_when_it_is_acknowledged(tracker, device):
    assert tracker.ask(f"POS {NOW} 91 1 -23.5 -46.6") == "ACK 2"
    kept = QuarantinedFix.objects.get()
    assert (kept.device, kept.source, kept.code) == (device, FixSource.GATEWAY, "invalid_latitude")
    assert kept.body == f"POS {NOW} 91 1 -23.5 -46.6"
    assert buffer_size() == 1


def test_a_sign_of_life_makes_a_device_online(tracker, device):
    assert tracker.ask("BEAT") == "BEAT"
    wait_until(lambda: DeviceState.objects.filter(device=device, status="online").exists(), what="it to be online")


def test_the_last_frames_are_kept_a_bounded_number(device):
    with running_gateway(raw_frames=5) as gateway, Tracker(gateway.tcp_port) as tracker:
        assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
        for _ in range(20):
            assert tracker.ask("BEAT") == "BEAT"
        wait_until(lambda: len(raw_frames(device.unique_id)) == 5, what="the frames to be written")
        last = raw_frames(device.unique_id)[-1]
        assert (last.direction, last.data) == ("out", b"BEAT\n")
        assert 3500 < redis_client().ttl(tracker_key("raw", device.unique_id)) <= 3600


@pytest.mark.parametrize("sent", [b"x" * 5000, b"x" * 1_000_000, b"\n" * 100_000, b"\0" * 70_000])
def test_what_is_no_frame_costs_only_its_connection(tracker, gateway, sent):
    with Tracker(gateway.tcp_port) as noise:
        try:
            noise.socket.sendall(sent)
            noise.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        assert noise.is_closed()
    assert tracker.ask("BEAT") == "BEAT"


def test_a_connection_that_names_no_device_is_closed(device):
    with running_gateway(login_seconds=0.5) as gateway, Tracker(gateway.tcp_port) as tracker:
        with Tracker(gateway.tcp_port) as silent:
            assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
            assert silent.is_closed()
        assert tracker.ask("BEAT") == "BEAT"


def test_a_silent_tracker_is_closed(device):
    with running_gateway(idle_seconds=1) as gateway, Tracker(gateway.tcp_port) as tracker:
        assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
        assert tracker.is_closed()
        wait_until(lambda: not connected_trackers(), what="the session to end")


def test_a_tracker_that_sends_too_much_is_read_no_faster_than_it_may_and_loses_nothing(device):
    # Two a second, after the first sixty.
    with running_gateway(frames_per_minute=120) as gateway, Tracker(gateway.tcp_port) as tracker:
        assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
        tracker.send(*["BEAT"] * 70)
        began = time.monotonic()
        assert [tracker.line() for _ in range(70)] == ["BEAT"] * 70
        assert time.monotonic() - began > 1


def test_a_tracker_that_never_reads_is_paused_then_closed_and_costs_the_others_nothing(device, make_device):
    other = make_device()
    with running_gateway(unread_seconds=1, frames_per_minute=10**9) as gateway, Tracker(gateway.tcp_port) as greedy:
        greedy.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        greedy.send(f"LOGIN {device.unique_id}")
        greedy.socket.settimeout(0.2)
        with Tracker(gateway.tcp_port) as tracker:
            assert tracker.ask(f"LOGIN {other.unique_id}") == "OK"
            was_closed = False
            began = time.monotonic()
            while not was_closed and time.monotonic() - began < 60:
                try:
                    greedy.socket.sendall(b"BEAT\n" * 2000)
                except TimeoutError:
                    pass
                except OSError:
                    was_closed = True
                assert tracker.ask("BEAT") == "BEAT"
            assert was_closed
        assert len(gateway.gateway.shared.sessions.links) <= 1


def test_connections_of_an_address_are_capped(device):
    with running_gateway(max_connections_per_address=20) as gateway:
        with Tracker(gateway.tcp_port) as tracker:
            assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
            with ThreadPoolExecutor(8) as pool:
                flood = list(pool.map(lambda _: Tracker(gateway.tcp_port), range(200)))
            wait_until(lambda: gateway.gateway.shared.limits.total == 20, what="the cap to be reached")
            assert tracker.ask("BEAT") == "BEAT"
            with Tracker(gateway.tcp_port, source="127.0.0.2") as elsewhere:
                assert elsewhere.ask("LOGIN nobody") == "NO"
            for one in flood:
                one.close()
        wait_until(lambda: gateway.gateway.shared.limits.total == 0, what="every connection to be counted out")


def test_strangers_are_throttled_while_known_devices_of_their_address_go_on(device):
    with running_gateway(refusals_per_minute=3) as gateway:
        with Tracker(gateway.tcp_port) as tracker:
            assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
        for number in range(6):
            with Tracker(gateway.tcp_port) as stranger:
                assert stranger.ask(f"LOGIN stranger-{number}") == "NO"
        wait_until(lambda: len(unknown_trackers()) == 3, what="three of them to be remembered")
        with Tracker(gateway.tcp_port) as tracker:
            assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"


def test_the_proxy_names_the_address(device, settings, monkeypatch):
    monkeypatch.setattr(listening, "HEADER_SECONDS", 1.0)
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    device.fleet.tracker_networks = ["203.0.113.7"]
    device.fleet.save()
    addresses = socket.inet_aton("203.0.113.7") + socket.inet_aton("127.0.0.1") + struct.pack(">HH", 1, 2)
    header = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11" + struct.pack(">H", len(addresses)) + addresses
    with running_gateway(proxy_protocol=True) as gateway:
        with Tracker(gateway.tcp_port) as behind:
            login = f"LOGIN {device.unique_id}\n".encode()
            for byte in header + login:
                behind.socket.sendall(bytes([byte]))
            assert behind.line() == "OK"
            assert session_of(device.unique_id).address == "203.0.113.7"
        with Tracker(gateway.tcp_port) as direct:
            direct.send(f"LOGIN {device.unique_id}")
            assert direct.is_closed()
        with Tracker(gateway.tcp_port, source="127.0.0.2") as untrusted:
            assert untrusted.ask(f"LOGIN {device.unique_id}") == "NO"


def test_a_gateway_that_stops_leaves_no_session_and_acknowledges_what_it_took_in(device):
    with running_gateway() as gateway, Tracker(gateway.tcp_port) as tracker:
        assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
        tracker.send(f"POS {NOW} 1 1")
        wait_until(lambda: buffer_size() or not gateway.gateway.shared.intake.is_idle, what="the fix to arrive")
        gateway.stop()
        assert tracker.line() == "ACK 1"
        assert tracker.is_closed()
    assert (connected_trackers(), living_nodes(), buffer_size()) == ([], [], 1)
