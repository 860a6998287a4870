"""`make soak`: two clusters do jobs that keep a ledger, and trackers of each protocol send fixes through a gateway, while
something is killed every few seconds; then the ledger, and what is stored, are checked.

SOAK_SECONDS (300) is how long things break, SOAK_SEED (printed) repeats the same plan, SOAK_STOPS (200) how often clusters
are stopped afterwards, which takes three more minutes. Exit code 0 only when everything is in order.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from trackerproject.dev.embedded import LocalServersError, embedded_servers, end_with_make
from trackerproject.environment import Environment

SOAK_NAME = "soak"


def main() -> int:
    end_with_make()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trackerproject.settings")
    os.environ["EXTRA_APPS"] = "trackerproject.dev.soak"
    os.environ["QUEUE_PREFIX"] = SOAK_NAME
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    given = Environment()
    try:
        seconds = given.float("SOAK_SECONDS", default=300.0)
        stops = given.int("SOAK_STOPS", default=200)
        seed = given.int("SOAK_SEED", default=time.time_ns() % 1_000_000)
        with embedded_servers(SOAK_NAME) as servers:
            os.environ |= servers.environment()
            return run(servers.places.home / "log", seconds, stops, seed)
    except (ImproperlyConfigured, LocalServersError) as error:
        print(f"make soak: {error}", file=sys.stderr)
        return 1


def run(logs: Path, seconds: float, stops: int, seed: int) -> int:
    """Imports what needs settings, which need the servers' addresses."""
    import django

    django.setup()
    from trackerproject.dev.soak.run import Soak

    print(f"soak: {seconds:g} s, SOAK_SEED={seed}", flush=True)
    soak = Soak(logs, random.Random(seed).randrange(2**31))  # noqa: S311
    return soak.run(seconds, stops)


if __name__ == "__main__":
    sys.exit(main())
