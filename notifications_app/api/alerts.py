"""Alerts on request: by operators for the devices they operate, by staff for the system."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.enqueueing import EnqueuedSerializer, start
from tasks_app.api.fields import (
    FiniteFloatField,
    IdField,
    LineField,
    StrictBooleanField,
    StrictCharField,
    StrictSerializer,
    TimestampField,
)
from tasks_app.api.permissions import device_for, geofence_for
from tasks_app.api.schema import describe
from tasks_app.models import FleetRole, MaintenancePlan
from tasks_app.queries.access import Right, has_everywhere
from tasks_app.services.argument_bounds import MAX_MINUTES, MAX_SPEED_KPH

SEND = "notifications_app.add_notification"
SEND_ALERTS = Right(FleetRole.OPERATOR, SEND)
LEVELS = ("info", "warning", "error", "critical")


class PlaceBody(StrictSerializer):
    """Time and place of the event; every field is optional."""

    timestamp = TimestampField(required=False)
    latitude = FiniteFloatField(min_value=-90, max_value=90, required=False)
    longitude = FiniteFloatField(min_value=-180, max_value=180, required=False)

    def as_json(self, place: dict[str, Any] | None) -> dict[str, Any]:
        """The task's argument: the time as text again."""
        return {name: self.fields[name].to_representation(value) for name, value in (place or {}).items()}


class GeofenceBody(StrictSerializer):
    """A device entered or left a geofence."""

    device_id = IdField()
    geofence_id = IdField()
    event_type = serializers.ChoiceField(choices=("enter", "exit"))
    position = PlaceBody(required=False)


class OfflineBody(StrictSerializer):
    """A device is silent."""

    device_id = IdField()
    offline_minutes = FiniteFloatField(min_value=0, max_value=MAX_MINUTES)


class SpeedBody(StrictSerializer):
    """A device is too fast; both speeds in km/h."""

    device_id = IdField()
    speed = FiniteFloatField(min_value=0, max_value=MAX_SPEED_KPH)
    speed_limit = FiniteFloatField(min_value=0, max_value=MAX_SPEED_KPH)
    position = PlaceBody(required=False)


class MaintenanceBody(StrictSerializer):
    """A maintenance plan of a device."""

    device_id = IdField()
    plan_id = IdField()


class SummaryBody(StrictSerializer):
    """The user of the summary, by default the caller. Summaries of other users are for staff."""

    user_id = IdField(required=False)
    everyone = StrictBooleanField(default=False)


class SystemBody(StrictSerializer):
    """A message to all administrators."""

    subject = LineField(max_length=150)
    message = StrictCharField(max_length=5000)
    level = serializers.ChoiceField(choices=LEVELS, default="warning")


def alert(summary: str, name: str, body: type[StrictSerializer]) -> Any:
    """Return the OpenAPI description of an alert endpoint."""
    return describe(
        summary,
        name=f"notification_{name}",
        tag="notifications",
        request=body,
        answers={202: EnqueuedSerializer},
        errors=(404,),
    )


class GeofenceAlertView(ApiView):
    """Sends a geofence alert."""

    budget = "alerts"
    rights = {"POST": SEND_ALERTS}

    @alert("Send a geofence alert", "geofence", GeofenceBody)
    def post(self, request: Request) -> Response:
        body = self.body(GeofenceBody)
        device = device_for(request.user, body["device_id"], self.asked)
        geofence = geofence_for(request.user, body["geofence_id"], self.asked)
        if geofence.fleet_id != device.fleet_id:
            raise Http404
        place = PlaceBody().as_json(body.get("position"))
        return start(request, "send_geofence_alert", device.pk, geofence.pk, body["event_type"], place)


class OfflineAlertView(ApiView):
    """Sends an offline alert."""

    budget = "alerts"
    rights = {"POST": SEND_ALERTS}

    @alert("Send an offline alert", "offline", OfflineBody)
    def post(self, request: Request) -> Response:
        body = self.body(OfflineBody)
        device = device_for(request.user, body["device_id"], self.asked)
        return start(request, "send_device_offline_alert", device.pk, body["offline_minutes"])


class SpeedAlertView(ApiView):
    """Sends a speed alert."""

    budget = "alerts"
    rights = {"POST": SEND_ALERTS}

    @alert("Send a speed alert", "speed", SpeedBody)
    def post(self, request: Request) -> Response:
        body = self.body(SpeedBody)
        device = device_for(request.user, body["device_id"], self.asked)
        place = PlaceBody().as_json(body.get("position"))
        return start(request, "send_speed_alert", device.pk, body["speed"], body["speed_limit"], place)


class MaintenanceReminderView(ApiView):
    """Sends a maintenance reminder."""

    budget = "alerts"
    rights = {"POST": SEND_ALERTS}

    @alert("Send a maintenance reminder", "maintenance", MaintenanceBody)
    def post(self, request: Request) -> Response:
        body = self.body(MaintenanceBody)
        device = device_for(request.user, body["device_id"], self.asked)
        if not MaintenancePlan.objects.filter(pk=body["plan_id"], device=device).exists():
            raise Http404
        return start(request, "send_maintenance_reminder", device.pk, body["plan_id"])


class DailySummaryView(ApiView):
    """Sends the daily summary now."""

    budget = "alerts"
    rights = {"POST": Right(None, SEND, is_own=True)}

    @alert("Send the daily summary", "daily_summary", SummaryBody)
    def post(self, request: Request) -> Response:
        body = self.body(SummaryBody)
        user_id = None if body["everyone"] else body.get("user_id", request.user.pk)
        if user_id != request.user.pk and not has_everywhere(request.user, self.asked):
            raise PermissionDenied(_("Only staff may send the summary of others."))
        if user_id is not None and not get_user_model().objects.filter(pk=user_id, is_active=True).exists():
            raise Http404
        return start(request, "send_daily_summary", user_id)


class SystemAlertView(ApiView):
    """Sends a system alert to the administrators. Staff only."""

    budget = "alerts"
    rights = {"POST": Right(None, SEND)}

    @alert("Alert the administrators (staff)", "system", SystemBody)
    def post(self, request: Request) -> Response:
        body = self.body(SystemBody)
        return start(request, "send_system_alert", body["subject"], body["message"], body["level"])
