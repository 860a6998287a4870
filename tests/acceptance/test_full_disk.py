"""A real cluster whose PostgreSQL or Redis has no room left on its disk: jobs wait for it, and none fails for it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tasks_app.engine import JobHandle
from tasks_app.engine.errors import QueueUnavailable
from tasks_app.models import Job
from tests.support.cluster import running_cluster, wait_until
from tests.support.faults import LEDGER_APPS, migrate, own_postgres, own_valkey, query, using_redis
from trackerproject.dev.soak.ledger import LEDGER_TABLES, count_effects, create_ledger, read_marks
from trackerproject.dev.soak.tasks import ledger_job

pytestmark = pytest.mark.django_db(transaction=True)
DISK_MIB = 512
# New connections need a little; a job needs more, in random digits, which PostgreSQL cannot compress.
LEFT_BYTES = 300_000
NOTE_BYTES = 900_000
JOBS = 3


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """A small disk of the test's own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}M", "none", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode(errors='replace').strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, *, left_bytes: int = 0) -> Path:
    """Leave so many bytes free; return the file that has all others."""
    path = disk / "filler"
    with path.open("wb") as file:
        wait_until(lambda: _takes(file.fileno(), shutil.disk_usage(disk).free - left_bytes), what="a full disk")
    return path


def _takes(file: int, size: int) -> bool:
    """Return whether the file could have this size; not if the servers have written something in between."""
    try:
        os.posix_fallocate(file, 0, size)
    except OSError:
        return False
    return True


def test_jobs_wait_for_room_on_the_disk_of_postgresql(disk, tmp_path):
    with own_postgres(disk) as server:
        url = server.places.database_url
        migrate(url)
        query(url, "TRUNCATE django_q_schedule CASCADE")
        query(url, LEDGER_TABLES)
        with running_cluster(
            tmp_path, "--name", "positions", "--workers", "2", **LEDGER_APPS, DATABASE_URL=url
        ) as cluster:
            filler = fill(disk, left_bytes=LEFT_BYTES)
            chance = Random(1)
            jobs = [ledger_job.delay(0.0, chance.randbytes(NOTE_BYTES // 2).hex()) for _ in range(JOBS)]
            wait_until(lambda: cluster.log.read_bytes().count(b"waits for the database") > 5, 60, "jobs to wait")
            assert query(url, "SELECT count(*) FROM tasks_app_job") == [(0,)]
            filler.unlink()
            expected = {(str(job), "succeeded") for job in jobs}
            rows = "SELECT id::text, state FROM tasks_app_job"
            wait_until(lambda: set(query(url, rows)) == expected, 60, lambda: str(query(url, rows)))
        # A worker that met the full disk just before, and asks it just after there is room, counts that attempt.
        assert max(query(url, "SELECT attempt_count FROM tasks_app_job")) <= (2,)
        assert query(url, "SELECT count(*) FROM ledger_effect") == [(JOBS,)]


def test_what_redis_accepted_before_its_disk_was_full_is_run_and_nothing_is_accepted_after(disk, tmp_path, settings):
    create_ledger()
    accepted: list[JobHandle] = []
    with (
        own_valkey(disk) as server,
        using_redis(settings, server.places.redis_url),
        running_cluster(tmp_path, "--name", "positions", "--workers", "2", **LEDGER_APPS),
    ):
        accepted.append(ledger_job.delay(0.5, "running"))
        wait_until(lambda: read_marks("started", "running"), what="a job that runs")
        filler = fill(disk)
        # Redis notices when it writes.
        wait_until(lambda: not enqueued_into(accepted), what="a job to be refused")
        filler.unlink()
        wait_until(lambda: enqueued_into(accepted), what="a job to be accepted again")
        rows = Job.objects.filter(pk__in=accepted, state="succeeded")
        wait_until(lambda: rows.count() == len(accepted), 60, lambda: f"{rows.count()} of {len(accepted)} ended")
    assert Job.objects.count() == count_effects() == len(accepted)


def enqueued_into(accepted: list[JobHandle]) -> bool:
    """Enqueue a job and note it; return whether Redis took it."""
    try:
        accepted.append(ledger_job.delay())
    except QueueUnavailable:
        return False
    return True
