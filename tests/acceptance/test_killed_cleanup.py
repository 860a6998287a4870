"""A cleanup whose worker is killed in the middle, in a real cluster: the next attempt goes on, and nothing is lost."""

from __future__ import annotations

import os
import signal
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections

from tasks_app.engine import get_task
from tasks_app.ingest.fix import Fix
from tasks_app.models import DirtyDay, Job, Position
from tasks_app.queries.jobs import list_workers
from tasks_app.services.partitions import ensure_partitions, list_going
from tasks_app.services.positions.store import store_fixes
from tests.support.cluster import running_cluster, wait_until
from tests.support.retention import drop_all_partitions, make_event, missing_references, set_state

pytestmark = pytest.mark.django_db(transaction=True)

DAYS, ROWS = 8, 25_000
FILL = """
    INSERT INTO tasks_app_position (device_id, fix_time, received_at, latitude, longitude)
    SELECT %s, %s::timestamptz + n * interval '1 second', now(), 1, 2 FROM generate_series(0, %s) n
"""


@pytest.fixture(autouse=True)
def no_partitions(transactional_db):
    drop_all_partitions()
    yield
    drop_all_partitions()


def fill(device, start: datetime, rows: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FILL, [device.pk, start, rows - 1])


def test_it_goes_on_after_kill_9_while_fixes_come_in(make_device, tmp_path):
    going, kept, live = make_device(), make_device(keep_positions_forever=True), make_device()
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [today - timedelta(days=40 + number) for number in range(DAYS)]
    ensure_partitions([*days, today])
    for day in days:
        fill(going, day, ROWS)
        fill(kept, day, ROWS)
    last = days[0] + timedelta(seconds=7)
    set_state(going, last)
    make_event(going, days[3] + timedelta(seconds=5))
    stop, stored = threading.Event(), []

    def send() -> None:
        while not stop.wait(0.01):
            at = today + timedelta(milliseconds=100 * len(stored))
            stored.append(store_fixes([Fix(live.unique_id, at, 1.0, 2.0, 50.0)], datetime.now(UTC)).stored)
        connections.close_all()

    sender = threading.Thread(target=send)
    sender.start()
    try:
        with running_cluster(tmp_path, "--name", "cleanup", "--workers", "1"):
            wait_until(lambda: len(list_workers()) == 1, what="a worker with a heartbeat")
            pid = list_workers()[0].pid
            of_going = Position.objects.filter(device=going)
            job_id = get_task("cleanup_old_positions").delay()
            wait_until(lambda: of_going.count() < (DAYS - 1) * ROWS, what="the first days to go")
            os.kill(pid, signal.SIGKILL)
            left_then = of_going.count()
            job = wait_until(lambda: Job.objects.filter(pk=job_id).first(), 60, "the job to end")
    finally:
        stop.set()
        sender.join()
    assert left_then > 2, "it was killed when all was done"
    assert (job.state, job.result["finished"]) == ("succeeded", True), job.traceback
    assert job.attempt_count == 2
    assert set(of_going.values_list("fix_time", flat=True)) == {last, days[3] + timedelta(seconds=5)}
    assert Position.objects.filter(device=kept).count() == DAYS * ROWS
    assert Position.objects.filter(device=live).count() == sum(stored) == len(stored)
    assert missing_references() == []
    assert list_going() == []
    assert not DirtyDay.objects.filter(device=going).exists()
