"""Changes of a schedule beside a scheduler that runs it: the row of the schedule is locked before that of its state."""

from __future__ import annotations

from datetime import timedelta
from threading import Thread

import pytest
from django.db import connection, transaction
from django.utils import timezone
from django_q.models import Schedule

from tasks_app.models import ScheduleState
from tasks_app.services.schedules.actions import run_now
from tests.support.cluster import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"


def is_waited_for() -> bool:
    """Whether another connection waits for a lock of this one."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return bool(cursor.fetchone()[0])


CHANGES = {
    "deleted": lambda schedule, user: schedule.delete(),
    "deleted with others": lambda schedule, user: Schedule.objects.filter(pk__gt=0).delete(),
    "run now": run_now,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_waits_for_a_tick_without_a_lock_that_the_tick_needs(change, staff):
    rows = [
        Schedule.objects.create(func="cleanup_old_events", schedule_type="D", next_run=timezone.now())
        for _number in range(2)
    ]
    for row in rows:
        ScheduleState.objects.create(schedule=row)
    failures = []

    def alter() -> None:
        try:
            CHANGES[change](Schedule.objects.get(pk=rows[0].pk), staff)
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)
        finally:
            connection.close()

    thread = Thread(target=alter)
    with transaction.atomic():
        Schedule.objects.select_for_update().get(pk=rows[0].pk)
        thread.start()
        wait_until(is_waited_for)
        # As a tick does at its end.
        ScheduleState.objects.select_for_update(nowait=True).get(schedule=rows[0])
        Schedule.objects.filter(pk=rows[0].pk).update(next_run=timezone.now() + timedelta(days=1))
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert failures == []
