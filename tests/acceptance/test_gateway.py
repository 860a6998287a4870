"""Real gateway processes, killed and stopped, their Redis and PostgreSQL away: nothing is lost, nothing stored twice."""

from __future__ import annotations

import json
import signal
import time

import pytest
from django.core.management import CommandError, call_command

from tasks_app.gateway.identities import FRESH_SECONDS
from tasks_app.models import Position, QuarantinedFix
from tasks_app.queries.position_buffer import buffer_size
from tasks_app.queries.trackers import connected_trackers, living_nodes, session_of
from tasks_app.services.intake import drain_buffer
from tasks_app.utils.redis_client import redis_client
from tests.support.cluster import allowed, wait_until
from tests.support.faults import outage_seconds
from tests.support.gateway import Tracker, gateway_process

pytestmark = pytest.mark.django_db(transaction=True)

NOW = int(time.time()) - 600
CHILD = ("-m", "tests.support.gateway_child")


def test_a_packet_whose_gateway_was_killed_before_it_acknowledged_is_stored_once(device, tmp_path):
    with gateway_process(tmp_path, program=CHILD) as dying, Tracker(dying.port) as tracker:
        assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
        assert tracker.ask(f"POS {NOW} 1 1 2 2") == ""
        assert dying.process.wait(allowed(10)) == -signal.SIGKILL
    assert buffer_size() == 2
    with gateway_process(tmp_path, LOG_JSON="1") as gateway, Tracker(gateway.port) as tracker:
        assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
        assert tracker.ask(f"POS {NOW} 1 1 2 2") == "ACK 2"
        assert drain_buffer(device.unique_id)["stored"] == Position.objects.count() == 2
        # The sessions of the one that was killed count as none, and the newer one wins.
        wait_until(lambda: len(living_nodes()) == 1, 12, "the dead node to count as gone")
        assert [one.device_id for one in connected_trackers()] == [device.unique_id]
        call_command("gateway", "--health")
        gateway.process.send_signal(signal.SIGUSR1)
        assert gateway.stop(signal.SIGHUP) == 0
        assert all(json.loads(line)["event"] for line in gateway.log.read_text().splitlines())
    assert (connected_trackers(), living_nodes()) == ([], [])
    with pytest.raises(CommandError):
        call_command("gateway", "--health")


def test_trackers_keep_their_data_while_redis_is_away_and_sessions_come_back(valkey, device, make_device, tmp_path):
    with gateway_process(tmp_path) as gateway, Tracker(gateway.port) as tracker, Tracker(gateway.port) as late:
        assert tracker.ask(f"LOGIN {device.unique_id}") == "OK"
        valkey.kill()
        tracker.send(f"POS {NOW} 1 1")
        late.send(f"LOGIN {make_device().unique_id}")
        assert tracker.is_silent(outage_seconds(2))
        assert late.is_silent(0.2)
        valkey.start()
        assert (tracker.line(), late.line()) == ("ACK 1", "OK")
        assert drain_buffer(device.unique_id)["stored"] == 1
        redis_client().flushall()
        wait_until(lambda: session_of(device.unique_id), 5, "the session to be written anew")
        assert tracker.ask(f"POS {NOW + 1} 1 1") == "ACK 1"
        # Frozen, it answers nothing: the gateway ends all the same, within its grace period.
        valkey.signal(signal.SIGSTOP)
        try:
            tracker.send(f"POS {NOW + 2} 1 1")
            assert gateway.stop(seconds=25) == 0
        finally:
            valkey.signal(signal.SIGCONT)


def test_known_devices_go_on_and_unknown_ones_are_left_unanswered_while_postgresql_is_away(
    postgres_wire, device, make_device, tmp_path
):
    other = make_device()
    # Who has said its name is waited for beyond the time to say it.
    short = {"GATEWAY_LOGIN_SECONDS": "1"}
    with gateway_process(tmp_path, DATABASE_URL=postgres_wire.url, **short) as gateway:
        with Tracker(gateway.port) as known:
            assert known.ask(f"LOGIN {device.unique_id}") == "OK"
        for away, back in (
            (postgres_wire.cut_off, postgres_wire.connect),
            (postgres_wire.freeze, postgres_wire.thaw),
        ):
            away()
            began = time.monotonic()
            with Tracker(gateway.port) as known:
                known.send(f"LOGIN {device.unique_id}")
                wait_until(lambda began=began: time.monotonic() - began > FRESH_SECONDS, 20, "lookups to be stale")
                unknown = Tracker(gateway.port)
                unknown.send(f"LOGIN {other.unique_id}")
                assert unknown.is_silent(outage_seconds(3))
                assert known.line() == "OK"
                assert known.ask(f"POS {NOW} 1 1") == "ACK 1"
                # A fix that cannot be right is in the quarantine when its packet is acknowledged.
                known.send(f"POS {NOW + 5} 91 1 3 3")
                assert known.is_silent(0.5)
                assert not QuarantinedFix.objects.exists()
                back()
                assert (unknown.line(), known.line()) == ("OK", "ACK 2")
                assert QuarantinedFix.objects.get().code == "invalid_latitude"
                QuarantinedFix.objects.all().delete()
                unknown.close()
            other = make_device()
        assert gateway.stop() == 0
