"""A real cluster runs what is due, on the second."""

from __future__ import annotations

import signal
from datetime import UTC, datetime

import pytest
from django.utils import timezone
from django_q.models import Schedule

from tasks_app.models import Job, ScheduleState
from tasks_app.services.schedules.actions import job_id_of
from tests.support.cluster import running_cluster, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_cluster_runs_a_schedule_on_its_seconds_and_switches_a_wrong_one_off(tmp_path):
    now = timezone.now()
    common = {"schedule_type": "C", "repeats": -1, "next_run": now}
    Schedule.objects.all().delete()
    wrong, ours = Schedule.objects.bulk_create(
        [
            Schedule(name="wrong", func="cleanup_old_events", kwargs="days_to_keep=0", cron="* * * * *", **common),
            Schedule(name="drain", func="drain_position_inbox", cron="* * * * * */2", **common),
        ]
    )
    runs = Job.objects.filter(schedule_id=ours.pk, state="succeeded").order_by("created_at")
    with running_cluster(tmp_path, "--name", "positions") as cluster:
        wait_until(lambda: runs.count() >= 4, 40, "four runs of the schedule")
        assert cluster.stop(signal.SIGTERM) == 0
    # However late a busy machine's tick was: each run belongs to its own due time, and those are the even seconds.
    first_second = int(now.timestamp()) // 2 * 2
    even_seconds = [datetime.fromtimestamp(first_second + 2 * step, UTC) for step in range(60)]
    due_ids = {job_id_of(ours.pk, due) for due in [now, *even_seconds]}
    assert {job.pk for job in runs} <= due_ids
    assert all(job.created_at.timestamp() - first_second >= 2 * step for step, job in enumerate(runs))
    state = ScheduleState.objects.get(schedule=wrong)
    assert (state.is_enabled, state.last_job_id) == (False, None)
    assert "days_to_keep" in state.last_error
