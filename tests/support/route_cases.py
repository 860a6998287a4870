"""One row of everything in a fleet, and for each operation of the API the address and body that are about these rows."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import User
from django.db import models
from django.urls import get_resolver
from django.utils import timezone
from django_q.models import Schedule

from notifications_app.models import Delivery, Destination, Notification
from reports_app.models import Report, ReportSchedule
from tasks_app.models import (
    Command,
    Device,
    DeviceAccess,
    DeviceState,
    Event,
    Fleet,
    FleetMembership,
    FleetRole,
    Geofence,
    Job,
    MaintenancePlan,
    PositionUpload,
    RetentionSettings,
    SavedCommand,
)
from tests.support.notifications import CIRCLE, make_rule
from trackerproject.dev.permission_page import route_views

RANGE = {"start": "2026-01-01", "end": "2026-01-02"}
World = dict[str, Any]


def operations() -> list[tuple[str, str, Any]]:
    """Every operation of the API that asks for a right: (method, route, view class)."""
    found = []
    for route, view in route_views(get_resolver()):
        if route.startswith("/api/") or route == "/metrics":
            rights = getattr(view, "rights", {})
            found += [(method, route, view) for method in rights if hasattr(view, method.lower())]
    return sorted(found, key=lambda one: (one[1], one[0]))


def make_world(fleet: Fleet, owner: User) -> World:
    """Rows of this fleet, some of which `owner` made."""
    now = timezone.now()
    device = Device.objects.create(fleet=fleet, unique_id=f"of-{fleet.pk}", name="Of the fleet")
    DeviceState.objects.create(device=device)
    DeviceAccess.objects.create(device=device, protocol="gt06")
    command = Command.objects.create(
        device=device,
        type="position_request",
        requested_by=owner,
        batch=uuid4(),
        expires_at=now + timedelta(minutes=10),
    )
    geofence = Geofence.objects.create(fleet=fleet, name="Depot", area=CIRCLE)
    span = {"range_start": now - timedelta(days=2), "range_end": now - timedelta(days=1)}
    report = Report.objects.create(
        kind="fleet", fleet=fleet, state="failed", requested_by=owner, held_device_ids=[device.pk], **span
    )
    schedule = ReportSchedule.objects.create(
        name="Letter", owner=owner, fleet=fleet, kinds=["trips"], formats=["csv"], period="weekly", next_due_at=now
    )
    schedule.recipients.add(owner)
    notification = Notification.objects.create(user=owner, kind="test", device=device)
    job = Job.objects.create(
        id=uuid4(), task="calculate_device_statistics", queue="positions", state="failed", args=[device.pk],
        requested_by_id=owner.pk, created_at=now, finished_at=now,
    )  # fmt: skip
    return {
        "fleet_id": fleet.pk,
        "device_id": device.pk,
        "unique_id": device.unique_id,
        "command_id": command.pk,
        # A device that can be sent commands, and a type of them.
        "reached_device_id": device.pk,
        "type_name": "position_request",
        "saved_id": SavedCommand.objects.create(fleet=fleet, name="Mine", type="position_request").pk,
        "geofence_id": geofence.pk,
        "plan_id": MaintenancePlan.objects.create(device=device, name="Oil", every_days=30, last_done_at=now).pk,
        "event_id": Event.objects.create(device=device, kind="ignition_on", occurred_at=now).pk,
        "report_id": report.pk,
        "report_schedule_id": schedule.pk,
        "rule_id": make_rule(fleet, [owner]).pk,
        "notification_id": notification.pk,
        "delivery_id": Delivery.objects.create(notification=notification, channel="email", state="failed").pk,
        "destination_id": Destination.objects.create(user=owner, kind="webhook", name="Mine").pk,
        "upload_id": PositionUpload.objects.create(
            name="a.csv", size_bytes=1, requested_by=owner, state="done", job_id=uuid4()
        ).pk,
        "task_id": job.pk,
        "schedule_id": Schedule.objects.create(func="cleanup_old_events", schedule_type="D").pk,
        "user_id": owner.pk,
    }


def ensure_row(model: type[models.Model]) -> models.Model:
    """Return the first row of the model; without one, a new row with a plain value in each field that needs one."""
    found = model._default_manager.first()
    if found is not None:
        return found
    needed = [field for field in model._meta.concrete_fields if not (field.primary_key and not field.is_relation)]
    values = {field.name: _plain_value(field) for field in needed if not (field.has_default() or field.null)}
    row = model(**values)
    if model is RetentionSettings:
        row.pk = 1  # The only number that this row may have.
    row.save()
    return row


def _plain_value(field: models.Field) -> Any:
    if field.is_relation:
        return field.related_model._default_manager.first()
    if field.choices:
        return field.choices[0][0]
    now = timezone.now()
    plain = {
        "DateTimeField": now, "DateField": now.date(), "JSONField": {}, "BooleanField": False, "FloatField": 1.0,
        "GenericIPAddressField": "203.0.113.1", "UUIDField": uuid4(), "TimeField": now.time(),
    }  # fmt: skip
    kind = field.get_internal_type()
    return plain.get(kind, 1 if "Integer" in kind else "plain")


def member(make_user: Any, fleet: Fleet, role: FleetRole) -> User:
    user = make_user()
    FleetMembership.objects.create(user=user, fleet=fleet, role=role)
    return user


def address(route: str, world: World) -> str:
    """The route with the ids of the world's rows."""
    if "report-schedules" in route:
        route = route.replace("<int:schedule_id>", str(world["report_schedule_id"]))
    path = re.sub(r"<\w+:(\w+)>", lambda found: str(world.get(found[1], found[0])), route)
    path = path.replace("<str:name>", "positions").replace("<str:queue>", "positions")
    path = path.replace("<str:task>", "process_position_batch").replace("<slug:kind>", "email")
    return path + QUERIES.get(route, "").format(**world)


QUERIES = {"/api/positions": "?device={device_id}", "/api/devices/nearest": "?lat=1&lon=2"}


def body_of(method: str, route: str, world: World) -> Any:
    """A body that would be right for those who may."""
    make = BODIES.get((method, route))
    return {} if make is None else make(world)


def picked(*names: str, **more: Any) -> Any:
    return lambda world: {**{name: world[name] for name in names}, **more}


def _fix(world: World) -> dict[str, Any]:
    return {"device_id": world["unique_id"], "timestamp": timezone.now().isoformat(), "latitude": 1, "longitude": 2}


NAMED = {"name": "Renamed"}
SCHEDULE = {"name": "Tidy up", "task": "cleanup_old_events", "kwargs": {"days_to_keep": 30}, "type": "daily"}
RULE = {"name": "Night", "event_kinds": ["geofence_exit"], "channels": ["email"], "roles": ["manager"]}
LETTER = {"name": "Letter", "kinds": ["trips"], "formats": ["csv"], "period": "weekly", "local_time": "07:00"}
BODIES = {
    ("POST", "/api/fleets"): lambda world: {"name": "South"},
    ("PATCH", "/api/fleets/<int:fleet_id>"): lambda world: NAMED,
    ("POST", "/api/devices"): picked("fleet_id", unique_id="new-1", name="New"),
    ("PATCH", "/api/devices/<int:device_id>"): lambda world: NAMED,
    ("POST", "/api/devices/bulk"): lambda world: {
        "devices": [{"fleet_id": world["fleet_id"], "unique_id": "new-2", "name": "New"}]
    },
    ("PATCH", "/api/devices/bulk"): lambda world: {"devices": [{"id": world["device_id"], "name": "Renamed"}]},
    ("PATCH", "/api/devices/<int:device_id>/access"): lambda world: {"phone_number": "+5511999990000"},
    ("POST", "/api/commands"): picked("device_id", type="position_request"),
    ("POST", "/api/commands/bulk"): lambda world: {"device_ids": [world["device_id"]], "type": "position_request"},
    ("POST", "/api/commands/saved"): picked("fleet_id", name="Ask", type="position_request"),
    ("PATCH", "/api/commands/saved/<int:saved_id>"): lambda world: NAMED,
    ("POST", "/api/fleets/<int:fleet_id>/members"): picked("user_id", role="viewer"),
    ("PATCH", "/api/fleets/<int:fleet_id>/members/<int:user_id>"): lambda world: {"role": "viewer"},
    ("POST", "/api/geofences"): picked("fleet_id", name="New", area=CIRCLE),
    ("PATCH", "/api/geofences/<int:geofence_id>"): lambda world: NAMED,
    ("POST", "/api/maintenance"): picked("device_id", name="Tyres", every_days=90),
    ("PATCH", "/api/maintenance/<int:plan_id>"): lambda world: NAMED,
    ("POST", "/api/tasks/position/process-batch"): lambda world: [_fix(world)],
    ("POST", "/api/tasks/position/process"): _fix,
    ("POST", "/api/tasks/position/statistics"): picked("device_id"),
    ("POST", "/api/tasks/position/status"): picked("device_id"),
    ("POST", "/api/tasks/report/device"): picked("device_id", **RANGE),
    ("POST", "/api/tasks/report/fleet"): picked("fleet_id", **RANGE),
    ("POST", "/api/tasks/report/daily"): picked("fleet_id"),
    ("POST", "/api/tasks/report/export"): picked("report_id", format="csv"),
    ("POST", "/api/tasks/notification/geofence"): picked("device_id", "geofence_id", event_type="enter"),
    ("POST", "/api/tasks/notification/offline"): picked("device_id", offline_minutes=30),
    ("POST", "/api/tasks/notification/speed"): picked("device_id", speed=120, speed_limit=90),
    ("POST", "/api/tasks/notification/maintenance"): picked("device_id", "plan_id"),
    ("POST", "/api/tasks/notification/daily-summary"): picked("user_id"),
    ("POST", "/api/tasks/notification/system"): lambda world: {"subject": "Disk", "message": "Full."},
    ("POST", "/api/tasks/cancel"): lambda world: {"ids": [str(world["task_id"])]},
    ("POST", "/api/tasks/run-now"): lambda world: {"ids": [str(world["task_id"])]},
    ("POST", "/api/tasks/retry"): lambda world: {"ids": [str(world["task_id"])]},
    ("POST", "/api/tasks/schedules"): lambda world: SCHEDULE,
    ("POST", "/api/tasks/schedules/validate"): lambda world: SCHEDULE,
    ("PUT", "/api/tasks/schedules/<int:schedule_id>"): lambda world: SCHEDULE,
    ("PATCH", "/api/tasks/schedules/<int:schedule_id>"): lambda world: NAMED,
    ("POST", "/api/rules"): picked("fleet_id", **RULE),
    ("PATCH", "/api/rules/<int:rule_id>"): lambda world: NAMED,
    ("POST", "/api/rules/dry-run"): picked("event_id"),
    ("POST", "/api/report-schedules"): lambda world: {
        **LETTER, "fleet_id": world["fleet_id"], "recipient_ids": [world["user_id"]],
    },
    ("PATCH", "/api/report-schedules/<int:schedule_id>"): lambda world: NAMED,
    ("PATCH", "/api/destinations/<int:destination_id>"): lambda world: NAMED,
}  # fmt: skip
