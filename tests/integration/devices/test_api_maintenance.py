"""Maintenance plans through the API: who keeps them, how they stand, and the work that was done."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from notifications_app.models import Notification
from tasks_app.models import DeviceState, FleetMembership, FleetRole, MaintenancePlan, MaintenanceRecord
from tasks_app.queries.servicing import with_status_now
from tasks_app.services.devices import maintenance_due
from tasks_app.services.devices.servicing import check_plans
from tests.support.notifications import make_rule, match_outbox

pytestmark = pytest.mark.django_db
STATUSES = ("ok", "due_soon", "due")


@pytest.fixture
def managing(make_user, fleet) -> APIClient:
    user = make_user(username="mia")
    FleetMembership.objects.create(user=user, fleet=fleet, role=FleetRole.MANAGER)
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture
def plan(device) -> MaintenancePlan:
    return MaintenancePlan.objects.create(
        device=device, name="Oil", every_kilometers=10_000, every_days=90, last_done_at=timezone.now()
    )


def test_a_manager_makes_changes_and_deletes_a_plan(managing, device):
    made = managing.post("/api/maintenance", {"device_id": device.pk, "name": "Oil", "every_days": 90}, format="json")
    assert made.status_code == 201, made.content
    assert (made.json()["status"], made.json()["remaining"]) == ("ok", {"days": 90.0})
    url = f"/api/maintenance/{made.json()['id']}"
    changed = managing.patch(url, {"every_engine_hours": 250}, format="json")
    assert changed.json()["remaining"] == {"days": 90.0, "engine_hours": 250.0}
    assert [row["id"] for row in managing.get("/api/maintenance?status=ok").json()["results"]] == [made.json()["id"]]
    assert managing.delete(url).status_code == 204


def test_a_plan_counts_from_the_present_figures_of_its_vehicle_unless_told_otherwise(managing, device):
    DeviceState.objects.create(device=device, odometer_meters=80_000_000, engine_seconds=7_200_000)
    body = {"device_id": device.pk, "name": "Oil", "every_kilometers": 10_000, "every_engine_hours": 250}
    remaining = managing.post("/api/maintenance", body, format="json").json()["remaining"]
    assert remaining == {"kilometers": 10_000.0, "engine_hours": 250.0}
    known = {**body, "last_done_odometer_meters": 75_000_000, "last_done_engine_seconds": 7_200_000 - 3600}
    remaining = managing.post("/api/maintenance", known, format="json").json()["remaining"]
    assert remaining == {"kilometers": 5000.0, "engine_hours": 249.0}


def test_done_starts_the_intervals_anew_keeps_history_and_ends_the_reminders(api, operator, fleet, device, plan):
    make_rule(fleet, [operator], kinds=["maintenance_due", "maintenance_due_soon"])
    DeviceState.objects.create(device=device, odometer_meters=11_000_000)
    for _ in range(2):
        check_plans(now=timezone.now())
        match_outbox()
    assert [row.subject for row in Notification.objects.all()] == ["Van 1: Oil is due"]
    done = api.post(f"/api/maintenance/{plan.pk}/done", {"note": "5 l of oil"}, format="json")
    assert done.status_code == 201, done.content
    assert (done.json()["odometer_meters"], done.json()["marked_by_id"]) == (11_000_000, operator.pk)
    assert api.get(f"/api/maintenance/{plan.pk}").json()["status"] == "ok"
    earlier = (timezone.now() - timedelta(days=30)).isoformat()
    api.post(f"/api/maintenance/{plan.pk}/done", {"done_at": earlier, "odometer_meters": 500_000}, format="json")
    # Work entered afterwards at a figure that is long passed leaves the plan due.
    assert api.get(f"/api/maintenance/{plan.pk}").json()["status"] == "due"
    history = api.get(f"/api/maintenance/{plan.pk}/history").json()["results"]
    assert [row["note"] for row in history] == ["5 l of oil", ""]


def test_the_status_is_that_of_what_remains_before_the_next_check_too(managing, staff, device, plan):
    DeviceState.objects.create(device=device, odometer_meters=10_001_000)
    answer = managing.get(f"/api/maintenance/{plan.pk}").json()
    assert (answer["status"], answer["remaining"]["kilometers"]) == ("due", -1.0)
    found = {status: len(managing.get(f"/api/maintenance?status={status}").json()["results"]) for status in STATUSES}
    assert found == {"ok": 0, "due_soon": 0, "due": 1}
    page = Client()
    page.force_login(staff)
    url = reverse("admin:tasks_app_maintenanceplan_changelist")
    shown = {status: "Oil" in page.get(url, {"status": status}).content.decode() for status in STATUSES}
    assert shown == {"ok": False, "due_soon": False, "due": True}


@pytest.mark.parametrize(
    ("intervals", "kilometers", "hours", "days"),
    [
        ({"every_kilometers": 1000}, 899.9, 0, 0),
        ({"every_kilometers": 1000}, 900, 0, 0),
        ({"every_kilometers": 1000, "due_soon_percent": 29}, 290, 0, 0),
        ({"every_kilometers": 1000}, 1000, 0, 0),
        ({"every_kilometers": 1000}, -5, 0, 0),
        ({"every_engine_hours": 100, "every_days": 1}, 0, 95, 0),
        ({"every_days": 30}, 10**6, 10**6, 30),
        ({"every_days": 30, "due_soon_percent": 50}, 0, 0, 15),
    ],
)
def test_the_database_says_of_many_plans_what_is_said_of_one(device, intervals, kilometers, hours, days):
    now = timezone.now()
    state = DeviceState.objects.create(
        device=device, odometer_meters=5000 + kilometers * 1000, engine_seconds=60 + hours * 3600
    )
    last = {"last_done_odometer_meters": 5000, "last_done_engine_seconds": 60}
    MaintenancePlan.objects.create(
        device=device, name="x", last_done_at=now - timedelta(days=days), **last, **intervals
    )
    plan = with_status_now(MaintenancePlan.objects.all(), now=now).get()
    assert plan.status_now == maintenance_due(plan, state, now=now).status


def test_others_find_nothing_and_members_may_not_change_plans(api, charlie, device, plan):
    assert api.patch(f"/api/maintenance/{plan.pk}", {"name": "x"}, format="json").status_code == 403
    assert api.post("/api/maintenance", {"device_id": device.pk, "name": "x"}, format="json").status_code == 403
    stranger = APIClient()
    stranger.force_authenticate(charlie)
    assert stranger.get("/api/maintenance").json()["results"] == []
    for path in ("", "/history"):
        assert stranger.get(f"/api/maintenance/{plan.pk}{path}").status_code == 404
    assert stranger.post(f"/api/maintenance/{plan.pk}/done", {}, format="json").status_code == 404
    FleetMembership.objects.create(user=charlie, fleet=device.fleet, role=FleetRole.VIEWER)
    assert stranger.post(f"/api/maintenance/{plan.pk}/done", {}, format="json").status_code == 403


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"done_at": "2099-01-01T00:00:00Z"}, "done_at"),
        ({"done_at": "yesterday"}, "done_at"),
        ({"odometer_meters": -1}, "odometer_meters"),
        ({"odometer_meters": "far"}, "odometer_meters"),
        ({"note": "x" * 501}, "note"),
        ({"who": 1}, "who"),
    ],
)
def test_it_names_what_is_wrong_with_a_record(api, plan, body, wrong):
    answer = api.post(f"/api/maintenance/{plan.pk}/done", body, format="json")
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [wrong])
    assert not MaintenanceRecord.objects.exists()


def test_a_plan_needs_an_interval(managing, device):
    answer = managing.post("/api/maintenance", {"device_id": device.pk, "name": "Oil"}, format="json")
    assert answer.status_code == 400
    assert "Give at least one interval" in answer.content.decode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("every_kilometers", 1.797e308),
        ("every_engine_hours", 1e300),
        ("every_days", 2**31 - 1),
        ("last_done_odometer_meters", 1.797e308),
        ("last_done_odometer_meters", -1),
        ("last_done_engine_seconds", -1e308),
        ("last_done_engine_seconds", 1e308),
    ],
)
def test_figures_beyond_every_vehicle_are_refused_and_no_list_breaks(managing, plan, name, value):
    answer = managing.patch(f"/api/maintenance/{plan.pk}", {name: value}, format="json")
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [name])
    assert managing.get("/api/maintenance").status_code == 200


def test_plans_are_marked_as_done_in_the_admin(staff, plan):
    page = Client()
    page.force_login(staff)
    url = reverse("admin:tasks_app_maintenanceplan_changelist")
    assert page.post(url, {"action": "mark_as_done", "_selected_action": [plan.pk]}).status_code == 302
    assert MaintenanceRecord.objects.get().marked_by == staff
    assert page.get(reverse("admin:tasks_app_maintenanceplan_change", args=[plan.pk])).status_code == 200
