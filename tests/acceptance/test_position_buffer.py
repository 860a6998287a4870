"""A real cluster drains the position buffer a second after it stops being empty, whatever is going on."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone
from django_q.models import Schedule

from tasks_app.engine.connection import client
from tasks_app.engine.lanes import lanes_of
from tasks_app.ingest.fix import Fix
from tasks_app.models import Job, Position
from tasks_app.queries.jobs import list_workers
from tasks_app.queries.position_buffer import buffer_size
from tasks_app.services.intake.buffer import add_to_buffer
from tasks_app.services.partitions import ensure_upcoming_partitions
from tests.support.cluster import allowed, running_cluster, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def cluster(tmp_path):
    """Without any schedule: the drain here is not the one of every 30 s."""
    Schedule.objects.all().delete()
    ensure_upcoming_partitions(now=timezone.now())
    with running_cluster(tmp_path, "--name", "positions", "--workers", "2") as running:
        wait_until(lambda: len(list_workers()) == 2, what="two workers with a heartbeat")
        yield running


def add(device, seconds: float = 0) -> None:
    now = timezone.now()
    add_to_buffer([Fix(device.unique_id, now + timedelta(seconds=seconds), -23.5, -46.63)], received_at=now)


def drain_count() -> int:
    """Return how many drains have ended: the figures of the lanes count them, no row is kept."""
    assert not Job.objects.exists()
    lanes = lanes_of("positions", client())
    return sum(int(count) for lane in lanes for count in client().hvals(lane.keys.done))


def waits_for_the_position_table() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass", [Position._meta.db_table]
        )
        return cursor.fetchone()[0] > 0


def test_a_fix_is_stored_within_three_seconds_of_its_arrival(device):
    # The second time the workers have been idle for a while, and nothing is left of the first.
    for round_number in (1, 2):
        added_at = timezone.now()
        add(device)
        wait_until(lambda expected=round_number: Position.objects.count() == expected, 3, "the fix to be stored")
        # A second in which others may join it: one drain for all of them.
        assert timezone.now() - added_at >= timedelta(seconds=0.95)
        wait_until(lambda expected=round_number: drain_count() == expected, what="the drain to end")
        assert buffer_size() == 0


def test_fixes_of_one_second_share_a_drain(device):
    for number in range(5):
        add(device, -number)
    wait_until(lambda: Position.objects.count() == 5, 3, "all of them to be stored")
    wait_until(lambda: not buffer_size() and drain_count(), what="the drain to end")
    assert drain_count() == 1


def test_a_fix_that_arrives_while_a_drain_runs_waits_for_no_schedule(device):
    add(device, -10)
    with transaction.atomic():
        # The drain has read the first fix and cannot store it: it runs for as long as this transaction does.
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {Position._meta.db_table} IN ACCESS EXCLUSIVE MODE")
        wait_until(waits_for_the_position_table, 10, "the drain to store")
        add(device)
        assert buffer_size() == 2
    released_at = time.monotonic()
    wait_until(lambda: Position.objects.count() == 2, 3, "both fixes to be stored")
    assert time.monotonic() - released_at < allowed(3)
    wait_until(lambda: drain_count() == 2, what="both drains to end")
    assert buffer_size() == 0
