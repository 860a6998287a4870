"""Schedules with relative times: stored as words, about the right day at each run, and refused where they mean nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django_q.models import Schedule

from tasks_app.models import ScheduleState
from tasks_app.queries.access import SHELL
from tasks_app.queries.jobs import JobFilters, JobView, list_jobs
from tasks_app.services.schedules.actions import run_due_schedules

pytestmark = pytest.mark.django_db
URL = "/api/tasks/schedules/"


def body(device, **kwargs) -> dict:
    return {
        "name": "each day",
        "task": "generate_device_report",
        "kwargs": {"device_id": device.pk, "start": "yesterday", "end": "yesterday", **kwargs},
        "type": "cron",
        "cron": "5 0 * * *",
        "time_zone": "America/Sao_Paulo",
    }


def started_ranges() -> list[tuple[str, str]]:
    return sorted((job.kwargs["start"], job.kwargs["end"]) for job in live_jobs())


def live_jobs() -> list[JobView]:
    return list_jobs(user=SHELL, filters=JobFilters(), limit=50).jobs


def test_each_run_is_about_the_day_before_it_in_the_schedules_zone(staff_api, device):
    answer = staff_api.post(URL, body(device), format="json")
    assert answer.status_code == 201, answer.content
    assert answer.json()["kwargs"]["start"] == "yesterday"
    Schedule.objects.update(next_run=datetime(2026, 11, 29, 3, 5, tzinfo=UTC))
    # The second run starts late, on the next day in UTC: it is about the day for which it was due.
    for now in (datetime(2026, 11, 29, 3, 5, 1, tzinfo=UTC), datetime(2026, 11, 30, 22, 0, tzinfo=UTC)):
        assert run_due_schedules(now) == 1
    assert started_ranges() == [
        ("2026-11-28T00:00:00-03:00", "2026-11-29T00:00:00-03:00"),
        ("2026-11-29T00:00:00-03:00", "2026-11-30T00:00:00-03:00"),
    ]
    assert Schedule.objects.get().kwargs.count("yesterday") == 2


def test_days_are_those_of_the_schedules_zone_in_positional_arguments_too():
    schedule = Schedule.objects.create(
        func="generate_daily_reports",
        args="'yesterday'",
        schedule_type="D",
        next_run=datetime(2026, 11, 30, 1, tzinfo=UTC),
    )
    ScheduleState.objects.update_or_create(schedule=schedule, defaults={"time_zone": "America/Sao_Paulo"})
    assert run_due_schedules(datetime(2026, 11, 30, 1, 1, tzinfo=UTC)) == 1
    assert [job.args for job in live_jobs()] == [["2026-11-28"]]


@pytest.mark.parametrize(
    ("kwargs", "sentence"),
    [
        ({"start": "28/11/2026"}, "start: “28/11/2026” is not an ISO 8601 time."),
        ({"start": "2026-11-28T10:00"}, "needs a time zone"),
        ({"end": "tomorrow"}, "end: “tomorrow” is not an ISO 8601 time."),
        ({"start": "today", "end": "yesterday"}, "end: The end must be after the start."),
        ({"start": "2024-01-01", "end": "2026-01-01"}, "end: The range has at most 366 days."),
        ({"device_id": 999_999}, "device_id: There is no such row: 999999."),
        ({"kind": "nonsense"}, "kind: “nonsense” is none of"),
        ({"start": "yesterday " * 1000}, "not an ISO 8601 time"),
        ({"start": "</script>"}, "start: “</script>” is not an ISO 8601 time."),
    ],
)
def test_a_schedule_whose_runs_would_fail_is_not_saved(staff_api, device, kwargs, sentence):
    answer = staff_api.post(URL, body(device, **kwargs), format="json")
    assert answer.status_code == 400
    assert sentence in answer.json()["fields"]["kwargs"][0]
    assert not Schedule.objects.exists()
