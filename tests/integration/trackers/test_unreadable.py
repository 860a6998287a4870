"""A gateway, its real sockets, Redis and PostgreSQL: what cannot be read holds up neither its tracker nor others."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime
from functools import partial
from struct import pack

import pytest

from tasks_app.gateway import shared
from tasks_app.gateway.intake import Parcel, one_by_one_if_broken, take_in_parcels
from tasks_app.ingest.trackers.base import CommandAnswer
from tasks_app.ingest.trackers.registry import PROTOCOLS
from tasks_app.models import Device, Event, FixSource, QuarantinedFix
from tasks_app.queries.position_buffer import buffer_size
from tasks_app.queries.trackers import raw_frames
from tests.support.cluster import allowed, wait_until
from tests.support.gateway import HOST, PATIENCE_SECONDS, Tracker, running_gateway
from tests.support.jobs import queue_limit
from tests.unit.trackers import test_teltonika as of_teltonika

pytestmark = pytest.mark.django_db(transaction=True)


def packet(*records: bytes) -> bytes:
    return of_teltonika.frame_of(b"\x08" + bytes([len(records)]) + b"".join(records) + bytes([len(records)]))


def test_a_tracker_goes_on_behind_a_record_that_cannot_be_read(make_device):
    device = make_device(unique_id=of_teltonika.IMEI)
    at = int(time.time()) - 600
    first, second, last = [of_teltonika.record(datetime.fromtimestamp(at + number, UTC)) for number in range(3)]
    lying = of_teltonika.record(datetime.fromtimestamp(at, UTC), b"\x00\xff\xff\x00")
    with (
        running_gateway(protocol=PROTOCOLS["teltonika"]) as gateway,
        socket.create_connection((HOST, gateway.tcp_port), 10) as tracker,
    ):
        tracker.settimeout(allowed(PATIENCE_SECONDS))
        tracker.sendall(pack(">H", 15) + device.unique_id.encode())
        assert tracker.recv(1) == b"\x01"
        # The second time as a tracker does whose acknowledgement was lost.
        for _ in range(2):
            tracker.sendall(packet(first, lying, second))
            assert tracker.recv(4, socket.MSG_WAITALL) == pack(">I", 3)
        tracker.sendall(packet(last))
        assert tracker.recv(4, socket.MSG_WAITALL) == pack(">I", 1)
        wait_until(lambda: len(raw_frames(device.unique_id)) >= 8, what="the frames to be written")
        assert [one.note for one in raw_frames(device.unique_id) if one.direction == "in"] == [
            "login", "wrong_length", "wrong_length", "position",
        ]  # fmt: skip
    assert buffer_size() == 5
    kept = QuarantinedFix.objects.get()
    assert (kept.device, kept.source, kept.code, kept.count) == (device, FixSource.GATEWAY, "wrong_length", 2)
    assert kept.body == packet(first, lying, second).hex()


def test_good_frames_between_bad_ones_are_acknowledged_however_many_come_at_once(device):
    at = int(time.time()) - 600
    with running_gateway(max_bad_frames=3) as gateway, Tracker(gateway.tcp_port) as tracker:
        assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
        tracker.send(*[line for number in range(9) for line in ("SUM", "SUM", f"POS {at + number} 1 1")])
        assert [tracker.line() for _ in range(9)] == ["ACK 1"] * 9


def test_an_answer_with_signs_that_cannot_be_stored_holds_up_nobody(make_device, run_jobs):
    talker, other = make_device(), make_device()
    with running_gateway() as gateway, Tracker(gateway.tcp_port) as one, Tracker(gateway.tcp_port) as two:
        assert one.ask(f"LOGIN {talker.unique_id}") == "OK"
        assert two.ask(f"LOGIN {other.unique_id}") == "OK"
        one.send("ANSWER 1\x00 it\x00is\x00done " + "x" * 3000, f"POS {int(time.time()) - 600} 1 1")
        assert one.line() == "ACK 1"
        assert two.ask(f"POS {int(time.time()) - 600} 1 1") == "ACK 1"
    run_jobs("notifications")
    assert Event.objects.filter(device=talker, data__result__startswith="it").exists()


def test_a_flood_of_answers_is_no_flood_of_jobs(make_device, run_jobs, monkeypatch):
    """Anybody who knows an identifier may send answers to nothing, and each is a job before all others."""
    monkeypatch.setattr(shared, "ANSWERS_PER_MINUTE", 2)
    talker, other = make_device(), make_device()
    with running_gateway() as gateway:
        for device in (talker, talker, other):
            with Tracker(gateway.tcp_port) as tracker:
                assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
                assert tracker.ask(*[f"ANSWER {number} done {number}" for number in range(2)], "BEAT") == "BEAT"
    run_jobs("notifications")
    assert Event.objects.filter(device=talker).count() == 2
    assert Event.objects.filter(device=other).count() == 2


class Sender:
    """A connection that only sent something."""

    def outcome(self, parcel: Parcel) -> None:
        """Nothing is acknowledged."""


def parcel_of(device: Device, *texts: str) -> Parcel:
    answers = [CommandAnswer(text) for text in texts]
    return Parcel(Sender(), "teltonika", device.unique_id, frames=[], decoded=[], answers=answers)


def test_answers_of_which_the_queue_took_a_part_are_made_once_when_they_are_tried_again(
    device, settings, run_jobs, caplog
):
    with running_gateway() as gateway, Tracker(gateway.tcp_port) as tracker:
        assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
        with queue_limit(settings, 1):
            tracker.send("ANSWER 1 done 1", "ANSWER 2 done 2", "BEAT")
            assert wait_until(lambda: "waits" in caplog.text)
        assert tracker.line() == "BEAT"
    run_jobs("notifications")
    assert sorted(Event.objects.values_list("data__result", flat=True)) == ["done 1", "done 2"]


def test_answers_are_made_once_where_another_tracker_s_break_what_is_taken_in_together(device, make_device, run_jobs):
    good, broken = parcel_of(device, "done"), parcel_of(make_device(), "x")
    broken.answers = [object()]  # type: ignore[list-item]
    one_by_one_if_broken(partial(take_in_parcels, "node"), [good, broken])
    assert (good.is_taken, broken.is_broken) == (True, True)
    run_jobs("notifications")
    assert Event.objects.filter(device=device).count() == 1
