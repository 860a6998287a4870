"""The position buffer on a real Redis: nothing lost, nothing twice, bounded."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.lanes import queue_parts
from tasks_app.exceptions import BufferFull
from tasks_app.ingest.fix import Fix
from tasks_app.models import DeviceState, Position, QuarantinedFix
from tasks_app.queries.position_buffer import BufferStats, buffer_key, buffer_size, buffer_stats, drain_key
from tasks_app.queries.position_lanes import lane_of
from tasks_app.services.intake import buffer as buffer
from tasks_app.services.intake.buffer import add_to_buffer, drain_buffer
from tasks_app.tasks.position_tasks import drain_position_inbox

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
# An identifier without a device, of the same part as van-1.
STRANGER = next(name for number in range(1000) if lane_of(name := f"stranger-{number}") == lane_of("van-1"))
# One of another part.
ELSEWHERE = next(name for number in range(1000) if lane_of(name := f"van-{number}") != lane_of("van-1"))


def fix(device_id="van-1", seconds=0.0, **fields):
    return Fix(device_id, NOON + timedelta(seconds=seconds), -23.5, -46.63, **fields)


def delayed_jobs():
    return sum(client().zcard(part.keys.delayed) for part in queue_parts("positions", client()))


def test_it_stores_what_waits_and_empties_the_buffer(device):
    add_to_buffer([fix(seconds=0, attributes={"ignition": True})], received_at=NOON)
    add_to_buffer([fix(seconds=1), fix(STRANGER)], received_at=NOON + timedelta(seconds=2))
    found = {name: count for name, count in drain_position_inbox("van-1").items() if count}
    assert found == {"read": 3, "stored": 2, "rejected": 1}
    assert buffer_size() == 0
    assert list(Position.objects.order_by("fix_time").values_list("received_at", flat=True)) == [
        NOON,
        NOON + timedelta(seconds=2),
    ]
    assert DeviceState.objects.get(device=device).ignition is True


def test_fixes_of_two_lanes_are_stored_each_in_its_own(device, make_device):
    other = make_device(unique_id=ELSEWHERE)
    add_to_buffer([fix(), fix(ELSEWHERE), fix(seconds=1)], received_at=NOON)
    assert delayed_jobs() == 2
    assert drain_position_inbox("van-1")["stored"] == 2
    assert not Position.objects.filter(device=other).exists()
    assert drain_position_inbox(ELSEWHERE)["stored"] == 1
    assert buffer_size() == 0


def test_the_schedule_asks_for_a_drain_of_every_lane_in_which_fixes_wait(device, make_device, run_jobs):
    """Here the drains that adding asked for were lost."""
    make_device(unique_id=ELSEWHERE)
    add_to_buffer([fix(), fix(ELSEWHERE)], received_at=NOON)
    for part in queue_parts("positions", client()):
        client().delete(part.keys.delayed)
    assert drain_position_inbox() == {"waiting": 2}
    assert delayed_jobs() == 2
    assert buffer_size() == 2


def test_an_empty_buffer_is_nothing_to_do(db):
    assert drain_buffer("van-1")["read"] == 0


def test_a_drain_is_enqueued_once_while_one_is_to_come(device):
    add_to_buffer([fix(seconds=0)], received_at=NOON)
    add_to_buffer([fix(seconds=1)], received_at=NOON)
    assert delayed_jobs() == 1


def test_a_drain_that_has_begun_is_no_drain_to_come(device):
    add_to_buffer([fix(seconds=0)], received_at=NOON)
    drain_buffer("van-1")
    add_to_buffer([fix(seconds=2)], received_at=NOON)
    assert delayed_jobs() == 2


@pytest.mark.parametrize("instant", ["after it read", "after it removed what it read"])
def test_a_fix_added_while_a_drain_ends_gets_a_drain_of_its_own(device, monkeypatch, instant):
    add_to_buffer([fix(seconds=0)], received_at=NOON)
    store, count = buffer.store_fixes, buffer._count

    def late() -> None:
        assert delayed_jobs() == 1
        add_to_buffer([fix(seconds=1)], received_at=NOON)

    def store_and_add(*args, **kwargs):
        if instant == "after it read":
            late()
        return store(*args, **kwargs)

    def count_and_add(*args, **kwargs):
        if instant != "after it read":
            late()
        return count(*args, **kwargs)

    monkeypatch.setattr(buffer, "store_fixes", store_and_add)
    monkeypatch.setattr(buffer, "_count", count_and_add)
    drain_buffer("van-1")
    monkeypatch.undo()
    assert (buffer_size(), delayed_jobs()) == (1, 2)


def test_adding_while_drains_run_leaves_nothing_without_a_drain_to_come(device):
    stop = threading.Event()

    def add(sender: int) -> None:
        for second in range(60):
            add_to_buffer([fix(seconds=1000 * sender + second)], received_at=NOON)

    def drain() -> None:
        while not stop.is_set():
            client().delete(drain_key(lane_of("van-1")))
            entries = client().xrange(buffer_key(lane_of("van-1")))
            if entries:
                client().xdel(buffer_key(lane_of("van-1")), *(entry_id for entry_id, _ in entries))
            assert client().xlen(buffer_key(lane_of("van-1"))) == 0 or client().exists(drain_key(lane_of("van-1")))

    with ThreadPoolExecutor(5) as pool:
        draining = pool.submit(drain)
        for adding in [pool.submit(add, sender) for sender in range(4)]:
            adding.result(60)
        stop.set()
        draining.result(10)
    assert not buffer_size() or client().exists(drain_key(lane_of("van-1")))


def test_a_full_queue_costs_no_fix_and_the_next_one_asks_again(device, settings):
    config = engine_config()
    settings.TASK_ENGINE = {**settings.TASK_ENGINE, "MAX_QUEUE_DEPTH": 0}
    engine_config.cache_clear()
    try:
        add_to_buffer([fix()], received_at=NOON)
        assert (buffer_size(), client().exists(drain_key(lane_of("van-1")))) == (1, 0)
    finally:
        settings.TASK_ENGINE = {**settings.TASK_ENGINE, "MAX_QUEUE_DEPTH": config.max_queue_depth}
        engine_config.cache_clear()
    add_to_buffer([fix(seconds=1)], received_at=NOON)
    assert delayed_jobs() == 1


def test_it_tells_how_many_wait_and_for_how_long(device):
    assert buffer_stats() == BufferStats(0, None, 100_000)
    server_seconds = client().time()[0]
    client().xadd(buffer_key(lane_of("van-1")), {"f": b"{}"}, id=f"{(server_seconds - 90) * 1000}-0")
    stats = buffer_stats()
    assert stats.size == 1
    assert 89 <= stats.oldest_age_seconds < 120


def test_the_queues_show_the_buffer_beside_them(api, device):
    add_to_buffer([fix(), fix(seconds=1)], received_at=NOON)
    shown = api.get("/api/tasks/queues").json()["position_buffer"]
    assert (shown["size"], shown["limit"]) == (2, 100_000)
    assert 0 <= shown["oldest_age_seconds"] < 60


def test_what_is_refused_on_the_way_is_kept_with_its_reason(device):
    device.is_active = False
    device.save()
    add_to_buffer([fix(), fix(STRANGER)], received_at=NOON)
    assert drain_buffer("van-1")["rejected"] == 2
    kept = QuarantinedFix.objects.order_by("id").values_list("unique_id", "code", "source", "received_at")
    assert list(kept) == [("van-1", "inactive_device", "inbox", NOON), (STRANGER, "unknown_device", "inbox", NOON)]


def test_fixes_stay_when_storing_fails_and_are_stored_once_afterwards(device, monkeypatch):
    add_to_buffer([fix()], received_at=NOON)

    def fail(*args, **kwargs):
        raise OSError("database gone")

    monkeypatch.setattr(buffer, "store_fixes", fail)
    with pytest.raises(OSError, match="database gone"):
        drain_buffer("van-1")
    assert buffer_size() == 1
    monkeypatch.undo()
    assert drain_buffer("van-1")["stored"] == 1


def test_a_crash_after_storing_stores_nothing_twice(device):
    add_to_buffer([fix()], received_at=NOON)
    entries = client().xrange(buffer_key(lane_of("van-1")))
    drain_buffer("van-1")
    client().xadd(buffer_key(lane_of("van-1")), entries[0][1])
    assert drain_buffer("van-1")["duplicates"] == 1
    assert (Position.objects.count(), buffer_size()) == (1, 0)


def test_it_drains_in_rounds(device, monkeypatch):
    monkeypatch.setattr(buffer, "FIXES_PER_ROUND", 3)
    add_to_buffer([fix(seconds=n) for n in range(8)], received_at=NOON)
    assert drain_buffer("van-1")["stored"] == 8


def test_an_entry_that_cannot_be_read_holds_up_nothing(device):
    client().xadd(buffer_key(lane_of("van-1")), {"f": b"{"})
    client().xadd(buffer_key(lane_of("van-1")), {"x": b""})
    add_to_buffer([fix()], received_at=NOON)
    result = drain_buffer("van-1")
    assert (result["read"], result["stored"], result["rejected"]) == (3, 1, 2)
    assert buffer_size() == 0


def test_a_full_buffer_refuses_more(device, monkeypatch):
    monkeypatch.setattr(buffer, "MAX_BUFFERED_FIXES", 2)
    add_to_buffer([fix(seconds=0), fix(seconds=1)], received_at=NOON)
    with pytest.raises(BufferFull):
        add_to_buffer([fix(seconds=2)], received_at=NOON)
    assert buffer_size() == 2
