"""Schedules of reports in the API: made, changed, run, switched, refused, and by whom."""

from __future__ import annotations

import pytest

from reports_app.models import ReportSchedule
from tasks_app.models import FleetMembership, FleetRole

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media", "site")]


@pytest.fixture
def body(fleet, operator, device):
    return {
        "name": "Monday letter",
        "fleet_id": fleet.pk,
        "kinds": ["trips"],
        "formats": ["csv"],
        "period": "weekly",
        "local_time": "07:00",
        "recipient_ids": [operator.pk],
    }


def test_a_schedule_is_made_changed_run_switched_and_deleted(api, body, run_jobs, operator):
    made = api.post("/api/report-schedules", body, format="json")
    assert made.status_code == 201, made.content
    schedule = made.json()
    assert (schedule["time_zone"], schedule["local_time"], schedule["owner_id"]) == (
        "America/Sao_Paulo", "07:00", operator.pk,
    )  # fmt: skip
    assert schedule["description"].startswith("Every Monday 07:00")
    url = f"/api/report-schedules/{schedule['id']}"
    assert api.get("/api/report-schedules").json()["results"][0]["id"] == schedule["id"]
    changed = api.patch(url, {"period": "monthly", "month_day": 15}, format="json").json()
    assert (changed["period"], changed["recipient_ids"]) == ("monthly", [operator.pk])
    assert api.post(f"{url}/disable").json()["next_run_at"] is None
    assert api.post(f"{url}/enable").json()["next_run_at"] is not None
    run = api.post(f"{url}/run-now")
    assert (run.status_code, run.json()["state"]) == (202, "running")
    run_jobs("reports")
    (done,) = api.get(f"{url}/runs").json()["results"]
    assert (done["state"], len(done["report_ids"])) == ("delivered", 1)
    assert sorted(each["channel"] for each in done["deliveries"]) == ["email", "in_app"]
    assert api.delete(url).status_code == 204
    assert api.get(url).status_code == 404


def test_a_schedule_that_is_due_stays_so_while_it_keeps_its_rhythm(api, body):
    url = f"/api/report-schedules/{api.post('/api/report-schedules', body, format='json').json()['id']}"
    ReportSchedule.objects.update(next_due_at="2026-11-02T10:00:00Z")
    renamed = api.patch(url, {"name": "Letter"}, format="json").json()
    assert (renamed["name"], renamed["next_run_at"]) == ("Letter", "2026-11-02T10:00:00Z")
    assert api.post(f"{url}/enable").json()["next_run_at"] == "2026-11-02T10:00:00Z", "it is on already"
    assert api.patch(url, {"local_time": "08:00"}, format="json").json()["next_run_at"] > "2026-11-03"
    assert api.patch(url, {"is_active": False}, format="json").json()["next_run_at"] is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kinds": ["nonsense"]}, "kinds"),
        ({"formats": ["exe"]}, "formats"),
        ({"local_time": "25:00"}, "local_time"),
        ({"weekday": 7}, "weekday"),
        ({"period": "daily", "weekday": 3}, "weekday"),  # no run would heed it
        ({"month_day": 15}, "month_day"),
        ({"recipient_ids": [10**9]}, "recipient_ids"),
        ({"device_ids": [10**9]}, "device_ids"),
        ({"device_ids": list(range(1, 10_001))}, "device_ids"),
        ({"extra_emails": ["boss@example.net"]}, "extra_emails"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_the_api_names_what_is_wrong(api, body, changes, field):
    answer = api.post("/api/report-schedules", {**body, **changes}, format="json")
    assert (answer.status_code, field in answer.json()["fields"]) == (400, True), answer.content


def test_viewers_see_schedules_owners_and_managers_change_them_and_strangers_know_of_none(
    api, body, fleet, operator, make_user, charlie
):
    url = f"/api/report-schedules/{api.post('/api/report-schedules', body, format='json').json()['id']}"
    other = make_user()
    membership = FleetMembership.objects.create(user=other, fleet=fleet, role=FleetRole.OPERATOR)
    api.force_authenticate(other)
    assert (api.get(url).status_code, api.delete(url).status_code) == (200, 403)
    membership.role = FleetRole.VIEWER
    membership.save()
    assert api.post("/api/report-schedules", body, format="json").status_code == 403
    membership.role = FleetRole.MANAGER
    membership.save()
    assert api.post(f"{url}/disable").status_code == 200
    api.force_authenticate(charlie)
    assert [api.get(url).status_code, api.post(f"{url}/run-now").status_code] == [404, 404]
    assert api.post("/api/report-schedules", body, format="json").status_code == 404
