"""Notifications through the API: one's own, and alerts sent by hand."""

from __future__ import annotations

import pytest
from django.utils import timezone

from notifications_app.models import Notification
from tasks_app.models import FleetMembership, FleetRole, Geofence, MaintenancePlan
from tasks_app.queries.jobs import find_job

pytestmark = pytest.mark.django_db
AREA = {"type": "Circle", "center": [-46.6, -23.5], "radius_meters": 500}


@pytest.fixture
def others_notification(operator, charlie):
    def make_notification(user, number: int) -> Notification:
        return Notification.objects.create(
            user=user, kind="system", dedupe_key=str(number), subject=f"News {number}", body_text="Text"
        )

    for number in range(5):
        make_notification(operator, number)
    return make_notification(charlie, 99)


def test_it_shows_ones_own_and_nobody_elses(api, staff_api, others_notification):
    first = api.get("/api/notifications?limit=3").json()
    second = api.get(first["next"]).json()
    subjects = [one["subject"] for one in first["results"] + second["results"]]
    assert subjects == [f"News {number}" for number in (4, 3, 2, 1, 0)]
    assert staff_api.get("/api/notifications").json()["results"] == []


def test_it_marks_one_as_read_and_again_is_fine(api, others_notification):
    number = api.get("/api/notifications").json()["results"][0]["id"]
    assert api.post(f"/api/notifications/{number}/read").json() == {"changed": 1}
    assert api.post(f"/api/notifications/{number}/read").json() == {"changed": 0}
    assert len(api.get("/api/notifications?unread=true").json()["results"]) == 4
    assert [one["id"] for one in api.get("/api/notifications?unread=false").json()["results"]] == [number]
    assert api.post(f"/api/notifications/{others_notification.pk}/read").status_code == 404


def test_it_marks_many_as_read_but_never_those_of_others(api, others_notification):
    numbers = [one["id"] for one in api.get("/api/notifications").json()["results"]]
    response = api.post("/api/notifications/mark-read", {"ids": [*numbers[:2], others_notification.pk]}, format="json")
    assert response.json() == {"changed": 2}
    assert api.post("/api/notifications/mark-read", {}, format="json").json() == {"changed": 3}
    others_notification.refresh_from_db()
    assert others_notification.read_at is None


@pytest.fixture
def manager(make_user, fleet):
    user = make_user(username="max")
    FleetMembership.objects.create(user=user, fleet=fleet, role=FleetRole.MANAGER)
    return user


def test_alerts_sent_by_hand_reach_the_fleets_manager(api, staff, device, fleet, manager, run_jobs, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    geofence = Geofence.objects.create(fleet=fleet, name="Depot", area=AREA)
    plan = MaintenancePlan.objects.create(device=device, name="Oil", every_days=30, last_done_at=timezone.now())
    place = {"timestamp": "2026-03-01T08:00:00Z", "latitude": -23.5, "longitude": -46.6}
    bodies = {
        "geofence": {"geofence_id": geofence.pk, "event_type": "enter", "position": place},
        "offline": {"offline_minutes": 42.5},
        "speed": {"speed": 120.5, "speed_limit": 90, "position": place},
        "maintenance": {"plan_id": plan.pk},
    }
    for kind, body in bodies.items():
        accepted = api.post(f"/api/tasks/notification/{kind}", {"device_id": device.pk, **body}, format="json")
        assert accepted.status_code == 202, accepted.content
        run_jobs("notifications")
        job = find_job(accepted.json()["task_id"], user=staff)
        assert (str(job.state), job.result) == ("succeeded", {"notifications": 1}), job.traceback
    kinds = Notification.objects.filter(user=manager).order_by("id").values_list("kind", flat=True)
    assert list(kinds) == list(bodies)


@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        ("geofence", {"geofence_id": 1, "event_type": "hover"}, "event_type"),
        ("geofence", {"geofence_id": 1, "event_type": "exit", "position": {"latitude": 91}}, "position"),
        ("geofence", {"geofence_id": 1, "event_type": "exit", "position": {"colour": 1}}, "position"),
        ("geofence", {"geofence_id": 1, "event_type": "exit", "position": []}, "position"),
        ("offline", {"offline_minutes": -1}, "offline_minutes"),
        ("offline", {"offline_minutes": True}, "offline_minutes"),
        ("offline", {"offline_minutes": "9"}, "offline_minutes"),
        ("speed", {"speed": 1e9, "speed_limit": 90}, "speed"),
        ("speed", {"speed": 100}, "speed_limit"),
        ("maintenance", {"plan_id": 0}, "plan_id"),
    ],
)
def test_it_names_what_is_wrong_with_an_alert(api, device, kind, body, field):
    response = api.post(f"/api/tasks/notification/{kind}", {"device_id": device.pk, **body}, format="json")
    assert (response.status_code, list(response.json()["fields"])) == (400, [field]), response.content
