"""Schedules through the API: what they do, who may, and bad input."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone
from django_q.models import Schedule
from rest_framework.test import APIClient

from tasks_app.models import Job, ScheduleState
from tasks_app.services.schedules.actions import run_due_schedules
from tests.support.rights import api_client_with

pytestmark = pytest.mark.django_db(transaction=True)

DAILY = {"name": "Tidy up", "task": "cleanup_old_events", "kwargs": {"days_to_keep": 30}, "type": "daily"}


def post(client: APIClient, path: str, body: object = None):
    return client.post(f"/api/tasks/{path}", {} if body is None else body, format="json")


def test_it_creates_reads_changes_and_deletes_a_schedule(staff_api, staff):
    made = post(staff_api, "schedules/", {**DAILY, "next_run": "2030-01-01T03:00:00Z", "time_zone": "Asia/Tokyo"})
    assert made.status_code == 201, made.content
    schedule = made.json()
    assert schedule["kwargs"] == {"days_to_keep": 30}
    assert schedule["upcoming"] == [f"2030-01-0{day}T03:00:00Z" for day in (1, 2, 3)]
    url = f"/api/tasks/schedules/{schedule['id']}"
    assert staff_api.get(url).json() == schedule
    changed = staff_api.patch(url, {"type": "cron", "cron": "0 5 * * *"}, format="json").json()
    assert (changed["type"], changed["cron"], changed["time_zone"]) == ("cron", "0 5 * * *", "Asia/Tokyo")
    assert changed["next_run"].endswith("T20:00:00Z")
    replaced = staff_api.put(url, DAILY, format="json").json()
    assert (replaced["type"], replaced["cron"], replaced["time_zone"]) == ("daily", None, "")
    listed = staff_api.get("/api/tasks/schedules/?limit=1").json()["results"]
    assert [row["id"] for row in listed] == [schedule["id"]]
    assert staff_api.delete(url).status_code == 204
    assert staff_api.get(url).status_code == 404
    assert LogEntry.objects.filter(user=staff).count() == 4


def test_it_disables_enables_and_runs_a_schedule_now(staff_api, run_jobs):
    made = post(staff_api, "schedules/", {**DAILY, "next_run": "2030-01-01T03:00:00Z"}).json()
    disabled = post(staff_api, f"schedules/{made['id']}/disable").json()
    assert (disabled["is_enabled"], disabled["upcoming"]) == (False, [])
    enabled = post(staff_api, f"schedules/{made['id']}/enable").json()
    assert (enabled["is_enabled"], len(enabled["upcoming"])) == (True, 3)
    started = post(staff_api, f"schedules/{made['id']}/run-now")
    assert (started.status_code, started.json()["task"]) == (202, "cleanup_old_events")
    assert staff_api.get(f"/api/tasks/schedules/{made['id']}").json()["last_task_id"] == started.json()["task_id"]
    run_jobs("cleanup")
    assert Job.objects.get().state == "succeeded"


BAD_SCHEDULES = [
    ({"task": "os.system"}, "task"),
    ({"task": "probe_note"}, "task"),  # not schedulable
    ({"task": 5}, "task"),
    ({"kwargs": {"days": 3}}, "kwargs"),
    ({"kwargs": {"days_to_keep": "many"}}, "kwargs"),
    ({"kwargs": []}, "kwargs"),
    ({"args": "x"}, "args"),
    ({"args": ["\x00"], "kwargs": {}}, "args"),
    ({"args": ["x" * 70_000], "kwargs": {}}, "args"),
    ({"type": "sometimes"}, "type"),
    ({"type": "minutes"}, "minutes"),
    ({"type": "minutes", "minutes": 0}, "minutes"),
    ({"type": "minutes", "minutes": 99_999}, "minutes"),
    ({"type": "cron"}, "cron"),
    ({"type": "cron", "cron": "61 * * * *"}, "cron"),
    ({"type": "cron", "cron": "0 0 30 2 *"}, "cron"),
    ({"minutes": 15}, "minutes"),  # of a daily one
    ({"type": "minutes", "minutes": 15, "cron": "0 5 * * *"}, "cron"),
    ({"type": "cron", "cron": "0 5 * * *", "next_run": "2030-01-01T03:00:00Z"}, "next_run"),
    ({"repeats": 0}, "repeats"),
    ({"repeats": -2}, "repeats"),
    ({"repeats": 2**40}, "repeats"),
    ({"next_run": "tomorrow"}, "next_run"),
    ({"time_zone": "Mars/Olympus"}, "time_zone"),
    ({"time_zone": "../../etc/passwd"}, "time_zone"),
    ({"time_zone": "Factory"}, "time_zone"),
    ({"time_zone": "posix/UTC"}, "time_zone"),
    ({"name": "x" * 101}, "name"),
    ({"colour": "red"}, "colour"),
]


@pytest.mark.parametrize(("fields", "wrong"), BAD_SCHEDULES)
def test_it_names_what_is_wrong_with_a_schedule(fields, wrong, staff_api):
    Schedule.objects.all().delete()
    answer = post(staff_api, "schedules/", {**DAILY, **fields})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), answer.content
    assert list(answer.json()["fields"]) == [wrong]
    assert not Schedule.objects.exists()


def test_a_change_of_the_type_drops_what_the_former_one_needed(staff_api):
    made = post(staff_api, "schedules/", {**DAILY, "type": "minutes", "minutes": 15}).json()
    url = f"/api/tasks/schedules/{made['id']}"
    assert staff_api.patch(url, {"type": "minutes"}, format="json").json()["minutes"] == 15
    assert staff_api.patch(url, {"type": "daily"}, format="json").json()["minutes"] is None
    answer = staff_api.patch(url, {"minutes": 15}, format="json")
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["minutes"])


def test_a_cron_schedule_that_is_due_and_edited_still_runs(staff_api, run_jobs):
    made = post(
        staff_api, "schedules/", {**DAILY, "type": "cron", "cron": "0 5 * * *", "time_zone": "Asia/Tokyo"}
    ).json()
    due = timezone.now() - timedelta(minutes=5)
    Schedule.objects.exclude(pk=made["id"]).delete()
    Schedule.objects.filter(pk=made["id"]).update(next_run=due)
    url = f"/api/tasks/schedules/{made['id']}"
    assert staff_api.patch(url, {"name": "Renamed"}, format="json").status_code == 200
    assert Schedule.objects.get().next_run == due
    assert post(staff_api, f"schedules/{made['id']}/enable").status_code == 200, "it is on already"
    run_due_schedules(timezone.now())
    assert run_jobs("cleanup") == 1
    Schedule.objects.update(next_run=due)
    assert staff_api.patch(url, {"cron": "0 6 * * *"}, format="json").status_code == 200
    assert Schedule.objects.get().next_run > due


def test_one_that_has_run_its_times_is_not_enabled_to_run_no_more(staff_api):
    row = Schedule.objects.create(func="cleanup_old_events", kwargs="{'days_to_keep': 30}", repeats=0)
    answer = post(staff_api, f"schedules/{row.pk}/enable")
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["repeats"])


def test_it_shows_and_does_not_enable_a_schedule_that_cannot_run(staff_api):
    row = Schedule.objects.create(func="gone", args="open(", schedule_type="D")
    ScheduleState.objects.create(schedule=row, is_enabled=False, last_error="No such task.")
    shown = staff_api.get(f"/api/tasks/schedules/{row.pk}").json()
    assert (shown["task"], shown["args"], shown["is_enabled"], shown["upcoming"]) == ("gone", None, False, [])
    answer = post(staff_api, f"schedules/{row.pk}/enable")
    assert (answer.status_code, set(answer.json()["fields"])) == (400, {"task", "args"})
    assert post(staff_api, f"schedules/{row.pk}/run-now").status_code in (400, 404)


STEPS = [
    ("get", "", "view_schedule", 200),
    ("put", "", "change_schedule", 200),
    ("patch", "", "change_schedule", 200),
    ("post", "/run-now", "change_schedule", 202),
    ("post", "/enable", "change_schedule", 200),
    ("post", "/disable", "change_schedule", 200),
    ("delete", "", "delete_schedule", 204),
]


@pytest.mark.parametrize(("method", "step", "codename", "status"), STEPS)
def test_schedules_are_for_staff_with_the_permission(method, step, codename, status, api, make_user):
    row = Schedule.objects.create(func="cleanup_old_events", schedule_type="D")
    url, body = f"/api/tasks/schedules/{row.pk}{step}", DAILY if method in ("put", "patch") else None
    others = {"view_schedule", "add_schedule", "change_schedule", "delete_schedule"} - {codename}
    others -= (
        {"change_schedule"} if method == "get" else set()
    )  # who may change a thing may look at it, as in the admin
    assert getattr(APIClient(), method)(url, body, format="json").status_code == 401
    assert getattr(api, method)(url, body, format="json").status_code == 403
    assert getattr(api_client_with(make_user, *others), method)(url, body, format="json").status_code == 403
    helper = api_client_with(make_user, codename, "delete_event")
    answer = getattr(helper, method)(url, body, format="json")
    assert answer.status_code == status, answer.content
    assert getattr(helper, method)(f"/api/tasks/schedules/99999999999{step}", body, format="json").status_code == 404


def test_making_and_listing_schedules_needs_the_permission(api, make_user):
    assert post(api, "schedules/", DAILY).status_code == 403
    assert post(api_client_with(make_user, "change_schedule"), "schedules/", DAILY).status_code == 403
    assert post(api_client_with(make_user, "add_schedule", "delete_event"), "schedules/", DAILY).status_code == 201
    assert api_client_with(make_user, "add_schedule").get("/api/tasks/schedules/").status_code == 403
    assert api_client_with(make_user, "view_schedule").get("/api/tasks/schedules/").status_code == 200


def test_a_schedule_is_checked_without_being_made(staff_api):
    body = {
        "name": "Tidy",
        "task": "cleanup_old_events",
        "kwargs": {"days_to_keep": 30},
        "type": "cron",
        "cron": "0 3 * * *",
    }
    before = Schedule.objects.count()
    right = staff_api.post("/api/tasks/schedules/validate", body, format="json")
    assert (right.status_code, right.json()["task"], len(right.json()["upcoming"])) == (200, "cleanup_old_events", 3)
    for wrong, field in (
        ({"cron": "0 99 * * *"}, "cron"),
        ({"kwargs": {"days": 3}}, "kwargs"),
        ({"time_zone": "Mars"}, "time_zone"),
    ):
        answer = staff_api.post("/api/tasks/schedules/validate", {**body, **wrong}, format="json")
        made = staff_api.post("/api/tasks/schedules", {**body, **wrong}, format="json")
        assert (answer.status_code, answer.json()) == (made.status_code, made.json())
        assert list(answer.json()["fields"]) == [field]
    assert Schedule.objects.count() == before
