"""Caches that are never stale: latest positions and statistics, in any order of writers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import redis
from django.core.cache import cache
from django.db import connection, transaction
from django.utils import timezone

from tasks_app.api.devices.views import DeviceStateSerializer
from tasks_app.engine.connection import client
from tasks_app.ingest.fix import Fix
from tasks_app.models import DeviceState, DeviceStatus
from tasks_app.queries import devices
from tasks_app.queries.devices import latest_position, state_version
from tasks_app.queries.statistics import cached_statistics, statistics_key
from tasks_app.services.devices.statistics import calculate_statistics
from tasks_app.services.devices.status import check_offline, hear_from
from tasks_app.services.positions import latest_cache as position_cache
from tasks_app.services.positions.silent_overspeed import end_silent_episodes
from tasks_app.services.positions.store import store_fixes
from tasks_app.utils.cache import set_newest
from tests.support.cluster import wait_until

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("lasting")]


@pytest.fixture
def lasting(monkeypatch):
    """Entries that do not end by themselves while a test looks at who writes them."""
    monkeypatch.setattr(devices, "LATEST_POSITION_SECONDS", 600)
    monkeypatch.setattr(position_cache, "LATEST_POSITION_SECONDS", 600)


def fix(seconds=0.0, latitude=-23.5, at=NOON, **said):
    return Fix("van-1", at + timedelta(seconds=seconds), latitude, -46.63, **said)


def read_and_close(device_pk):
    try:
        return latest_position(device_pk)
    finally:
        connection.close()


def queries_of(call):
    with connection.execute_wrapper(lambda execute, *rest: seen.append(rest[0]) or execute(*rest)):
        seen: list[str] = []
        found = call()
    return found, len(seen)


def test_the_latest_position_comes_from_the_cache_and_is_the_stored_one(device):
    store_fixes([fix(0), fix(5, -23.51)], NOON)
    found, queries = queries_of(lambda: latest_position(device.pk))
    assert (found["latitude"], found["version"], queries) == (-23.51, 1, 1)
    assert queries_of(lambda: latest_position(device.pk)) == (found, 0)


@pytest.mark.parametrize(("order", "expected"), [((1, 2), 2), ((2, 1), 2), ((2, 2), 2), ((3, 1), 3)])
def test_of_two_versions_the_newer_stays_in_whatever_order_they_are_written(order, expected):
    for version in order:
        set_newest({"some": (version, {"value": version})}, seconds=60)
    assert cache.get("some") == {"version": expected, "value": expected}


def test_two_workers_that_reach_the_cache_in_the_other_order_leave_the_newer_position(device, monkeypatch):
    held = []
    monkeypatch.setattr(position_cache, "set_newest", lambda entries, seconds: held.append(entries))
    store_fixes([fix(0, -23.5)], NOON)
    store_fixes([fix(10, -23.6)], NOON)
    monkeypatch.undo()
    for entries in reversed(held):
        set_newest(entries, seconds=60)
    assert state_version(device.pk) == 2
    assert latest_position(device.pk)["latitude"] == -23.6


def test_who_reads_before_the_commit_leaves_nothing_stale(device):
    store_fixes([fix(0, -23.5)], NOON)
    with transaction.atomic():
        store_fixes([fix(10, -23.6)], NOON)
        with ThreadPoolExecutor(1) as other:
            assert other.submit(read_and_close, device.pk).result()["latitude"] == -23.5
    assert latest_position(device.pk)["latitude"] == -23.6


def test_what_is_rolled_back_is_never_shown_and_does_not_stop_what_follows(device):
    store_fixes([fix(0, -23.5)], NOON)
    with transaction.atomic():
        store_fixes([fix(10, -23.6)], NOON)
        transaction.set_rollback(True)
    assert latest_position(device.pk)["latitude"] == -23.5
    store_fixes([fix(20, -23.7)], NOON)
    assert latest_position(device.pk)["latitude"] == -23.7


def test_a_reader_who_asked_the_database_does_not_write_over_what_is_newer(device):
    store_fixes([fix(0, -23.5)], NOON)
    set_newest({f"latest-position:{device.pk}": (2, {"fix_time": "later", "latitude": 7})}, seconds=60)
    set_newest({f"latest-position:{device.pk}": (1, {"fix_time": "before", "latitude": 6})}, seconds=60)
    assert latest_position(device.pk)["latitude"] == 7


def test_an_entry_that_is_gone_is_filled_from_the_database(device):
    store_fixes([fix(0)], NOON)
    cache.delete(f"latest-position:{device.pk}")
    assert queries_of(lambda: latest_position(device.pk))[1] == 1
    assert queries_of(lambda: latest_position(device.pk))[1] == 0


def test_going_offline_shows_at_once_though_a_batch_writes_its_entry_late(device, monkeypatch):
    now = timezone.now()
    held = []
    monkeypatch.setattr(position_cache, "set_newest", lambda entries, seconds: held.append(entries))
    store_fixes([fix(0, at=now - timedelta(hours=2))], now - timedelta(hours=2))
    monkeypatch.undo()
    assert check_offline(now=now) == {"offline": 1}
    set_newest(held[-1], seconds=60)
    assert latest_position(device.pk)["status"] == DeviceStatus.OFFLINE


def test_statistics_hold_until_the_next_position_even_a_late_one(device):
    now = timezone.now()
    assert cached_statistics(device.pk, "24h") is None
    store_fixes([fix(-100, at=now), fix(-90, -23.501, now)], now)
    found = calculate_statistics(device_id=device.pk, period="24h", now=now)
    assert cached_statistics(device.pk, "24h") == found
    assert cached_statistics(device.pk, "7d") is None
    store_fixes([fix(-95, -23.5005, now)], now)
    assert cached_statistics(device.pk, "24h") is None
    found = calculate_statistics(device_id=device.pk, period="24h", now=now)
    assert (found["positions"], cached_statistics(device.pk, "24h")) == (3, found)


def test_statistics_computed_while_positions_arrive_do_not_hold(device, monkeypatch):
    now = timezone.now()
    store_fixes([fix(-100, at=now)], now)
    from tasks_app.services.devices import statistics

    def read_then_more(*arguments):
        found = real(*arguments)
        store_fixes([fix(-50, -23.501, now)], now)
        return found

    real = statistics.read_drive
    monkeypatch.setattr(statistics, "read_drive", read_then_more)
    calculate_statistics(device_id=device.pk, period="24h", now=now)
    assert cached_statistics(device.pk, "24h") is None


def test_statistics_computed_before_a_write_is_committed_do_not_hold_afterwards(device):
    now = timezone.now()
    store_fixes([fix(-100, at=now)], now)

    def compute_and_close():
        try:
            return calculate_statistics(device_id=device.pk, period="24h", now=now)
        finally:
            connection.close()

    with transaction.atomic():
        store_fixes([fix(-50, -23.501, now)], now)
        with ThreadPoolExecutor(1) as other:
            assert other.submit(compute_and_close).result()["positions"] == 1
    assert cached_statistics(device.pk, "24h") is None


def test_the_version_grows_with_each_change_and_not_with_a_doubled_batch(device):
    versions = [state_version(device.pk)]
    for seconds in (0, 10, 10, 5):
        store_fixes([fix(seconds)], NOON)
        versions.append(state_version(device.pk))
    assert versions == [0, 1, 2, 2, 3]
    assert DeviceState.objects.get().version == 3


def state_of(api, device):
    answer = api.get(f"/api/devices/{device.pk}/state")
    assert answer.status_code == 200
    return answer.json()


def test_the_api_tells_a_state_from_the_cache_as_from_the_database(api, device):
    store_fixes([fix(0.25, attributes={"ignition": True})], NOON)
    found, queries = queries_of(lambda: state_of(api, device))
    assert (found["fix_time"], found["ignition"]) == ("2026-11-20T12:00:00.250000Z", True)
    assert queries_of(lambda: state_of(api, device)) == (found, queries - 1)
    assert set(found) == set(DeviceStateSerializer().fields)
    assert found == DeviceStateSerializer(DeviceState.objects.get()).data


def test_a_state_that_was_told_is_never_an_old_one(api, device):
    for seconds in (0, 10, 20):
        store_fixes([fix(seconds, -23.5 - seconds / 100)], NOON)
        assert state_of(api, device)["latitude"] == -23.5 - seconds / 100


def test_a_sign_of_life_shows_at_once(api, device):
    store_fixes([fix(0)], NOON)
    state_of(api, device)
    hear_from(device_pk=device.pk, now=NOON + timedelta(minutes=5))
    assert state_of(api, device)["last_seen_at"] == "2026-11-20T12:05:00Z"


def test_the_end_of_an_overspeed_episode_shows_at_once(api, device):
    store_fixes([fix(0), fix(10, -23.51, speed_kph=120.0)], NOON)
    assert state_of(api, device)["overspeed_since"] == "2026-11-20T12:00:10Z"
    end_silent_episodes(now=NOON + timedelta(hours=2))
    assert state_of(api, device)["overspeed_since"] is None


def test_an_entry_whose_invalidation_was_lost_lasts_a_second(device, monkeypatch):
    monkeypatch.setattr(devices, "LATEST_POSITION_SECONDS", 1)
    store_fixes([fix(0, -23.5)], NOON)
    latest_position(device.pk)
    monkeypatch.setattr(position_cache, "set_newest", lambda entries, seconds: None)
    store_fixes([fix(10, -23.6)], NOON)
    wait_until(lambda: latest_position(device.pk)["latitude"] == -23.6, 5)


def test_a_state_is_told_without_redis(api, device, monkeypatch):
    store_fixes([fix(0)], NOON)
    nobody_listens = redis.Redis(port=1, socket_connect_timeout=1)
    monkeypatch.setattr("tasks_app.utils.cache.redis_client", lambda: nobody_listens)
    assert state_of(api, device)["latitude"] == -23.5


def test_the_api_tells_statistics_that_hold_and_computes_them_again_otherwise(api, device, run_jobs):
    now = timezone.now()
    ask = lambda: api.post("/api/tasks/position/statistics", {"device_id": device.pk, "period": "7d"}, format="json")  # noqa: E731
    store_fixes([fix(-100, at=now), fix(-90, -23.501, now)], now)
    assert ask().status_code == 202
    run_jobs("positions")
    answer = ask()
    assert (answer.status_code, answer.json()["positions"]) == (200, 2)
    assert answer.json()["start"].endswith("Z")
    assert answer.json()["end"].endswith("Z")
    store_fixes([fix(-80, -23.502, now)], now)
    assert ask().status_code == 202


def test_statistics_hold_no_longer_than_their_first_fix_is_in_the_period(device):
    now = timezone.now()
    store_fixes([fix(20 - 86_400, at=now), fix(-90, -23.501, now)], now)
    calculate_statistics(device_id=device.pk, period="24h", now=now)
    assert 0 < client().ttl(cache.make_key(statistics_key(device.pk, "24h"))) <= 20


def test_statistics_of_another_kind_are_computed_anew(device):
    now = NOON + timedelta(hours=1)
    kph, seconds = 4.0, range(0, 1800, 10)
    steps = [
        Fix(device.unique_id, NOON + timedelta(seconds=n), 0.1, n * kph / 3.6 / 111_319, speed_kph=kph) for n in seconds
    ]
    store_fixes(steps, received_at=now)
    assert calculate_statistics(device_id=device.pk, period="24h", now=now)["distance_meters"] == 0
    device.kind = "phone"
    device.save()
    assert cached_statistics(device.pk, "24h") is None
