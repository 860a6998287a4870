"""Batches of fixes as jobs: what the two peers that store positions have in common. One job holds FIXES_PER_JOB fixes.

`jobs_per_second` of the protocol times FIXES_PER_JOB is rows per second from a queue into the table.
"""

from __future__ import annotations

import os
from typing import Any

import django

django.setup()

from benchmarks.pipeline import clear as clear_tables  # noqa: E402
from benchmarks.sample_fleet import DEVICES, batches, make_fixes, make_fleet, yesterday  # noqa: E402
from tasks_app.ingest.serialise import fix_to_item  # noqa: E402
from tasks_app.models import Position  # noqa: E402
from tasks_app.services.partitions import ensure_partitions  # noqa: E402

FIXES_PER_JOB = int(os.environ.get("BENCH_FIXES_PER_JOB", "1000"))

__all__ = ["FIXES_PER_JOB", "clear_tables", "job_arguments", "stored_jobs"]


def job_arguments(jobs: int) -> list[list[dict[str, Any]]]:
    """The fixes of each job as JSON-ready positions, of devices and days that the database is made ready for."""
    make_fleet()
    fixes = make_fixes(-(-jobs * FIXES_PER_JOB // DEVICES), yesterday())[: jobs * FIXES_PER_JOB]
    ensure_partitions({fix.fix_time for fix in fixes})
    return [[fix_to_item(fix) for fix in batch] for batch in batches(fixes, FIXES_PER_JOB)]


def stored_jobs() -> int:
    """How many jobs' worth of rows are in the table, rounded down: one missing row shows."""
    return Position.objects.count() // FIXES_PER_JOB
