"""django-q2's own tests of its public surface that can pass here; docs/django-q2.md says why the others cannot."""

from __future__ import annotations

import pytest
from django_q.tests import tasks as their_tasks
from django_q.tests.test_cluster import (  # noqa: F401 - pytest runs what is imported
    broker,
    test_redis_connection,
    test_sync,
    test_sync_raise_exception,
)
from django_q.tests.test_scheduler import (  # noqa: F401
    test_schedule_save_direct_db,
    test_schedule_save_sets_next_run_for_cron,
)

from tasks_app.engine import registry, task


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """Register the functions that these tests name: nothing else ever runs."""
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    for function in (their_tasks.count_letters, their_tasks.raise_exception):
        task(queue="positions")(function)
