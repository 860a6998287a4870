"""Jobs about one device: its figures over a period, and its status."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.enqueueing import EnqueuedSerializer, start
from tasks_app.api.fields import IdField, StrictSerializer, TimestampField
from tasks_app.api.permissions import device_for
from tasks_app.api.schema import describe
from tasks_app.models import DeviceStatus, FleetRole
from tasks_app.queries.access import Right
from tasks_app.queries.statistics import cached_statistics
from tasks_app.services.devices import PERIODS


class StatisticsBody(StrictSerializer):
    """Which device, over which time until now."""

    device_id = IdField(help_text="The device's row number.")
    period = serializers.ChoiceField(choices=list(PERIODS), default="24h")


class DeviceStatusBody(StrictSerializer):
    """Which device; without a status it is found out from when the device was last heard of."""

    device_id = IdField(help_text="The device's row number.")
    status = serializers.ChoiceField(choices=DeviceStatus.choices, required=False)


class StatisticsSerializer(serializers.Serializer[Any]):
    """A device's figures over a period."""

    device_id = serializers.IntegerField()
    period = serializers.CharField(help_text=", ".join(PERIODS))
    start = TimestampField()
    end = TimestampField()
    positions = serializers.IntegerField()
    distance_meters = serializers.FloatField()
    moving_seconds = serializers.FloatField()
    idle_seconds = serializers.FloatField(help_text="Standing with the ignition on; part of stopped.")
    stopped_seconds = serializers.FloatField()
    gap_seconds = serializers.FloatField(help_text="Gaps between fixes in which the device moved.")
    max_speed_kph = serializers.FloatField()
    average_speed_kph = serializers.FloatField()


class DeviceStatisticsView(ApiView):
    """Figures of a device: the cached ones, or a job that computes them."""

    rights = {"POST": Right(FleetRole.OPERATOR, "tasks_app.view_position")}

    @describe(
        "Compute a device's statistics",
        name="position_statistics",
        tag="positions",
        request=StatisticsBody,
        answers={200: StatisticsSerializer, 202: EnqueuedSerializer},
        errors=(404,),
        description="200 with the figures where they were computed before and nothing came of the device since; else a job "
        "computes them, and they are its result.",
    )
    def post(self, request: Request) -> Response:
        body = self.body(StatisticsBody)
        device = device_for(request.user, body["device_id"], self.asked)
        if (found := cached_statistics(device.pk, body["period"])) is not None:
            return Response(found)
        return start(request, "calculate_device_statistics", device.pk, body["period"])


class DeviceStatusView(ApiView):
    """Brings a device's status up to date."""

    rights = {"POST": Right(FleetRole.OPERATOR, "tasks_app.change_device")}

    @describe(
        "Update a device's status",
        name="position_status",
        tag="positions",
        request=DeviceStatusBody,
        answers={202: EnqueuedSerializer},
        errors=(404,),
    )
    def post(self, request: Request) -> Response:
        body = self.body(DeviceStatusBody)
        device = device_for(request.user, body["device_id"], self.asked)
        return start(request, "update_device_status", device.pk, body.get("status"))
