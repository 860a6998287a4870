"""Calls that meet on the database."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import connection

from tests.support.cluster import allowed


def in_threads(*calls: Callable[[], object]) -> None:
    """Run them at once, each with a connection of its own; fails when one of them does."""
    failures = []

    def run(call):
        try:
            call()
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=allowed(60))
    assert failures == []
    assert not any(thread.is_alive() for thread in threads)
