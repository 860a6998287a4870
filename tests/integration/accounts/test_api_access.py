"""Access to every route, by role."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from rest_framework.test import APIClient

from reports_app.models import Report
from tasks_app.models import Fleet, FleetMembership, FleetRole, Geofence, MaintenancePlan
from tests.support.rights import api_client_of

pytestmark = pytest.mark.django_db
AREA = {"type": "Circle", "center": [-46.6, -23.5], "radius_meters": 500}
RANGE = {"start": "2026-01-01", "end": "2026-01-02"}
OPEN = {"/health", "/health/live", "/health/ready", "/api/auth/login", "/api/schema/", "/api/docs/"}


@pytest.fixture
def viewer(make_user, fleet):
    user = make_user(username="vera")
    FleetMembership.objects.create(user=user, fleet=fleet, role=FleetRole.VIEWER)
    return user


@pytest.fixture
def things(device, fleet) -> dict[str, int]:
    """One of everything in Ana's fleet, by the name of its field."""
    geofence = Geofence.objects.create(fleet=fleet, name="Depot", area=AREA)
    plan = MaintenancePlan.objects.create(device=device, name="Oil", every_days=30, last_done_at=timezone.now())
    return {"device_id": device.pk, "fleet_id": fleet.pk, "geofence_id": geofence.pk, "plan_id": plan.pk}


# Path -> the fields it needs beside the things it is about.
OPERATOR_WRITES = {
    "/api/tasks/position/statistics": (["device_id"], {}),
    "/api/tasks/position/status": (["device_id"], {}),
    "/api/tasks/report/device": (["device_id"], RANGE),
    "/api/tasks/report/fleet": (["fleet_id"], RANGE),
    "/api/tasks/report/daily": (["fleet_id"], {}),
    "/api/tasks/notification/geofence": (["device_id", "geofence_id"], {"event_type": "enter"}),
    "/api/tasks/notification/offline": (["device_id"], {"offline_minutes": 30}),
    "/api/tasks/notification/speed": (["device_id"], {"speed": 120, "speed_limit": 90}),
    "/api/tasks/notification/maintenance": (["device_id", "plan_id"], {}),
}
STAFF_WRITES = [
    *(f"/api/tasks/cleanup/{kind}" for kind in ("positions", "events", "sessions", "cache")),
    *(f"/api/tasks/cleanup/{kind}" for kind in ("duplicates", "orphans", "jobs", "optimize")),
]


@pytest.mark.parametrize("path", OPERATOR_WRITES)
def test_operators_and_staff_may_viewers_may_not_and_for_others_it_does_not_exist(
    path, things, operator, staff, viewer, charlie
):
    names, more = OPERATOR_WRITES[path]
    body = {name: things[name] for name in names} | more
    answers = {
        user.username: api_client_of(user).post(path, body, format="json")
        for user in (operator, staff, viewer, charlie)
    }
    codes = {name: response.status_code for name, response in answers.items()}
    assert codes == {"ana": 202, "staff": 202, "vera": 403, "charlie": 404}, answers["ana"].content
    assert answers["ana"].json()["status"] == "queued"
    assert answers["charlie"].json()["code"] == "not_found"


@pytest.mark.parametrize("path", STAFF_WRITES)
def test_clean_up_is_for_staff(path, operator, staff):
    assert api_client_of(operator).post(path, {"dry_run": True}, format="json").status_code == 403
    response = api_client_of(staff).post(path, {"dry_run": True}, format="json")
    assert (response.status_code, response.json()["queue"]) == (202, "cleanup")


@pytest.mark.parametrize(
    ("kind", "codename"),
    [
        ("positions", "delete_position"),
        ("events", "delete_event"),
        ("sessions", "delete_session"),
        ("duplicates", "delete_position"),
        ("orphans", "delete_position"),
        ("jobs", "delete_job"),
        ("cache", None),
        ("optimize", None),
    ],
)
def test_clean_up_needs_the_permission_to_delete_or_a_superuser(kind, codename, make_user):
    helper = make_user(is_staff=True)
    path = f"/api/tasks/cleanup/{kind}"
    assert api_client_of(helper).post(path, {}, format="json").status_code == 403
    if codename is not None:
        helper.user_permissions.add(Permission.objects.get(codename=codename))
        helper = type(helper).objects.get(pk=helper.pk)
        assert api_client_of(helper).post(path, {}, format="json").status_code == 202


def test_what_is_about_the_system_is_for_staff(operator, staff):
    alert = {"subject": "Disk", "message": "It is full."}
    assert api_client_of(operator).post("/api/tasks/notification/system", alert, format="json").status_code == 403
    assert api_client_of(staff).post("/api/tasks/notification/system", alert, format="json").status_code == 202
    for path in ("/api/tasks/workers", "/api/tasks/stats"):
        assert api_client_of(operator).get(path).status_code == 403
        assert api_client_of(staff).get(path).status_code == 200


def test_a_summary_of_others_is_for_staff(operator, charlie, staff):
    path = "/api/tasks/notification/daily-summary"
    assert api_client_of(operator).post(path, {}, format="json").status_code == 202
    assert api_client_of(operator).post(path, {"user_id": operator.pk}, format="json").status_code == 202
    for body in ({"user_id": charlie.pk}, {"everyone": True}):
        assert api_client_of(operator).post(path, body, format="json").status_code == 403
        assert api_client_of(staff).post(path, body, format="json").status_code == 202


def test_a_summary_of_nobody_is_a_404(staff, charlie):
    charlie.is_active = False
    charlie.save()
    for user_id in (charlie.pk, 2**63 - 1):
        answer = api_client_of(staff).post("/api/tasks/notification/daily-summary", {"user_id": user_id}, format="json")
        assert answer.status_code == 404


def test_charlie_sees_nothing(things, device, charlie, operator):
    report = Report.objects.create(
        kind="summary",
        device=device,
        range_start=timezone.now() - timedelta(days=1),
        range_end=timezone.now(),
        requested_by=operator,
    )
    client = api_client_of(charlie)
    for path in ("devices", "events", "reports/", "notifications", "tasks/"):
        assert client.get(f"/api/{path}").json() == {"next": None, "results": []}
    for path in (
        f"devices/{device.pk}/state",
        f"positions?device={device.pk}",
        f"reports/{report.pk}",
        f"reports/{report.pk}/download",
    ):
        response = client.get(f"/api/{path}")
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    export = client.post("/api/tasks/report/export", {"report_id": report.pk, "format": "csv"}, format="json")
    assert export.status_code == 404


def test_a_viewer_may_look(device, viewer):
    client = api_client_of(viewer)
    assert len(client.get("/api/devices").json()["results"]) == 1
    assert client.get(f"/api/devices/{device.pk}/state").status_code == 200
    assert client.get(f"/api/positions?device={device.pk}").status_code == 200


def test_one_foreign_device_spoils_a_fleet_report(operator, viewer, things, make_device):
    foreign = make_device(fleet=Fleet.objects.create(name="Another"))
    path = "/api/tasks/report/fleet"
    good = {**RANGE, "device_ids": [things["device_id"]]}
    assert api_client_of(operator).post(path, good, format="json").status_code == 202
    assert api_client_of(viewer).post(path, good, format="json").status_code == 403
    assert api_client_of(viewer).post(path, RANGE, format="json").status_code == 403
    mixed = {**RANGE, "device_ids": [things["device_id"], foreign.pk]}
    assert api_client_of(operator).post(path, mixed, format="json").status_code == 404
    assert api_client_of(operator).post(path, {**good, "fleet_id": foreign.fleet_id}, format="json").status_code == 404


def test_a_geofence_of_another_fleet_does_not_exist_for_a_device(staff, things):
    other = Geofence.objects.create(fleet=Fleet.objects.create(name="Another"), name="Theirs", area=AREA)
    body = {"device_id": things["device_id"], "geofence_id": other.pk, "event_type": "exit"}
    assert api_client_of(staff).post("/api/tasks/notification/geofence", body, format="json").status_code == 404


def test_the_day_of_every_fleet_is_for_staff(operator, staff):
    path = "/api/tasks/report/daily"
    refused = api_client_of(operator).post(path, {}, format="json")
    assert (refused.status_code, list(refused.json()["fields"])) == (400, ["fleet_id"])
    assert api_client_of(staff).post(path, {}, format="json").status_code == 202
    of_one = api_client_of(staff).post(path, {"fresh": True, "notify": True}, format="json")
    assert (of_one.status_code, list(of_one.json()["fields"])) == (400, ["fresh", "notify"])


def _routes(resolver: URLResolver, prefix: str = "/") -> list[str]:
    found: list[str] = []
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        found += [route] if isinstance(pattern, URLPattern) else _routes(pattern, route)
    return found


def test_without_a_login_there_is_a_401_everywhere(settings):
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_CLASSES": []}
    settings.API_REQUESTS_PER_MINUTE = dict.fromkeys(settings.API_REQUESTS_PER_MINUTE, 0)
    routes = [path for path in _routes(get_resolver()) if path.startswith(("/api/", "/metrics")) and "^" not in path]
    guarded = [path for path in routes if path not in OPEN]
    assert len(guarded) > 35
    codes = {}
    for route in guarded:
        path = route.replace("<any_uuid:task_id>", "9b2f7a50-1111-4222-8333-444455556666")
        path = (
            re.sub(r"<int:\w+>", "1", path)
            .replace("<str:name>", "cleanup")
            .replace("<str:queue>", "cleanup")
            .replace("<str:task>", "cleanup_cache")
            .replace("<slug:kind>", "email")
            .replace("<str:token_key>", "0123456789abcdef")
            .replace("<str:session_id>", "0123456789abcdef")
        )
        assert "<" not in path
        for method in ("get", "post"):
            codes[method, path] = getattr(APIClient(), method)(path).status_code
    assert {key: code for key, code in codes.items() if code != 401} == {}
