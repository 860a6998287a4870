"""`python -m tests.support.crossing NUMBER COUNT DEVICES`: many small batches that cross those of other processes.

Each batch holds fixes of a few devices in random order, from a small range of times: batches of all processes touch the
same devices, share fixes, and come late. Prints how many rows were stored and duplicates, and how often a transaction had to be
repeated, as JSON.
"""

from __future__ import annotations

import json
import random
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import django

FIRST_AT = datetime(2026, 11, 20, 23, 59, 30, tzinfo=UTC)
SECONDS = 600
FIXES_PER_BATCH = 3


def all_batches(process: int, count: int, devices: int) -> list[list[tuple[str, int]]]:
    """(unique id, second) of each fix of each batch of one process; always the same for the same arguments."""
    chance = random.Random(process)
    names = [f"cross-{number}" for number in range(devices)]
    return [[(name, chance.randrange(SECONDS)) for name in chance.sample(names, FIXES_PER_BATCH)] for _ in range(count)]


def main(process: int, count: int, devices: int) -> None:
    from tasks_app.ingest.fix import Fix
    from tasks_app.services import transactions
    from tasks_app.services.positions.store import store_fixes

    repeated = []
    # Of that module alone: other threads of this process sleep, too.
    transactions.time = SimpleNamespace(sleep=repeated.append)  # type: ignore[attr-defined]
    totals = {"stored": 0, "duplicates": 0}
    for batch in all_batches(process, count, devices):
        fixes = [
            Fix(name, FIRST_AT + timedelta(seconds=second), -23.5 - second / 10_000, -46.63, speed_kph=second % 120)
            for name, second in batch
        ]
        result = store_fixes(fixes, FIRST_AT + timedelta(hours=1))
        totals["stored"] += result.stored
        totals["duplicates"] += result.duplicates
    print(json.dumps(totals | {"repeated": len(repeated)}))


if __name__ == "__main__":
    django.setup()
    main(*map(int, sys.argv[1:4]))
