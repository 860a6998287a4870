"""Clean-up through the API: started with what was asked, and only that."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tasks_app.models import Event
from tasks_app.queries.jobs import find_job

pytestmark = pytest.mark.django_db
ALL = {
    "positions": {"days_to_keep": 10},
    "events": {"days_to_keep": 10},
    "sessions": {},
    "cache": {"pattern": "x*", "max_age_hours": 0.5},
    "duplicates": {"max_seconds": 30},
    "orphans": {},
    "jobs": {"succeeded_days": 3, "failed_days": 4},
    "history": {},
    "notifications": {"days_to_keep": 10},
    "reports": {"days_to_keep": 10},
    "expiry": {},
    "optimize": {"force": True},
}


@pytest.mark.parametrize("kind", ALL)
def test_each_runs_dry_with_the_options_that_were_sent(staff_api, staff, run_jobs, kind):
    body = {**ALL[kind], "dry_run": True}
    accepted = staff_api.post(f"/api/tasks/cleanup/{kind}", body, format="json")
    assert accepted.status_code == 202, accepted.content
    run_jobs("cleanup")
    job = find_job(accepted.json()["task_id"], user=staff)
    assert (str(job.state), job.kwargs) == ("succeeded", body), job.traceback


def test_it_removes_what_is_old_unless_it_runs_dry(staff_api, device, run_jobs):
    Event.objects.create(device=device, kind="device_offline", occurred_at=timezone.now() - timedelta(days=20))
    for dry_run, left in ((True, 1), (False, 0)):
        body = {"days_to_keep": 10, "dry_run": dry_run}
        staff_api.post("/api/tasks/cleanup/events", body, format="json")
        run_jobs("cleanup")
        assert Event.objects.count() == left


@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        ("positions", {"days_to_keep": 0}, "days_to_keep"),
        ("positions", {"days_to_keep": 1.5}, "days_to_keep"),
        ("positions", {"days_to_keep": 10**12}, "days_to_keep"),
        ("events", {"days_to_keep": True}, "days_to_keep"),
        ("sessions", {"days_to_keep": 5}, "days_to_keep"),
        ("cache", {"pattern": 5}, "pattern"),
        ("cache", {"pattern": "x" * 1000}, "pattern"),
        ("cache", {"pattern": "*" * 5}, "pattern"),
        ("cache", {"max_age_hours": -1}, "max_age_hours"),
        ("optimize", {"dry_run": "yes"}, "dry_run"),
        ("optimize", {"force": 1}, "force"),
        ("positions", {"device_id": 10**9}, "device_id"),
        ("duplicates", {"device_id": -1}, "device_id"),
        ("history", {"max_seconds": 0}, "max_seconds"),
        ("orphans", {"max_seconds": 10**9}, "max_seconds"),
    ],
)
def test_it_names_what_is_wrong(staff_api, kind, body, field):
    response = staff_api.post(f"/api/tasks/cleanup/{kind}", body, format="json")
    assert (response.status_code, list(response.json()["fields"])) == (400, [field])
