"""Devices and what is known of each, to look at."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.fields import MomentField
from tasks_app.api.pagination import PageQuery, keyset_page, page_body
from tasks_app.api.permissions import device_for
from tasks_app.api.schema import describe, page_of
from tasks_app.models import Device, DeviceState, FleetRole
from tasks_app.queries.access import visible_devices


class DeviceSerializer(serializers.ModelSerializer[Device]):
    """A device."""

    kind = serializers.CharField()
    status = serializers.SerializerMethodField()

    class Meta:
        model = Device
        fields = ["id", "unique_id", "name", "kind", "fleet_id", "is_active", "speed_limit_kph", "status"]
        read_only_fields = fields

    def get_status(self, device: Device) -> str:
        state: DeviceState | None = getattr(device, "state", None)
        return state.status if state else "unknown"


class DeviceStateSerializer(serializers.ModelSerializer[DeviceState]):
    """What is known of a device after its newest fix."""

    status = serializers.CharField()
    last_seen_at = MomentField(allow_null=True)
    fix_time = MomentField(allow_null=True)
    geofence_ids = serializers.ListField(child=serializers.IntegerField())

    class Meta:
        model = DeviceState
        fields = [
            "device_id",
            "status",
            "last_seen_at",
            "fix_time",
            "latitude",
            "longitude",
            "altitude_meters",
            "speed_kph",
            "course_degrees",
            "accuracy_meters",
            "attributes",
            "is_moving",
            "ignition",
            "odometer_meters",
            "engine_seconds",
            "geofence_ids",
        ]
        read_only_fields = fields


class DeviceListQuery(PageQuery):
    """Filters of the device list."""

    fleet = serializers.IntegerField(min_value=1, max_value=2**63 - 1, required=False)
    unique_id = serializers.CharField(max_length=128, required=False)


class DeviceListView(ApiView):
    """The devices the caller sees, newest first."""

    @describe(
        "List devices",
        name="devices_list",
        tag="fleet",
        parameters=[DeviceListQuery],
        answers={200: page_of(DeviceSerializer, "DevicePage")},
    )
    def get(self, request: Request) -> Response:
        query = self.parameters(DeviceListQuery)
        devices = visible_devices(request.user).select_related("state")
        if "fleet" in query:
            devices = devices.filter(fleet_id=query["fleet"])
        if "unique_id" in query:
            devices = devices.filter(unique_id=query["unique_id"])
        rows, cursor = keyset_page(devices, order=("id",), limit=query["limit"], cursor=query.get("cursor"))
        return Response(page_body(request, cursor, DeviceSerializer(rows, many=True).data))


class DeviceStateView(ApiView):
    """The present state of one device."""

    @describe(
        "State of a device", name="device_state", tag="fleet", answers={200: DeviceStateSerializer}, errors=(404,)
    )
    def get(self, request: Request, device_id: int) -> Response:
        device = device_for(request.user, device_id, FleetRole.VIEWER)
        state = DeviceState.objects.filter(device=device).first()
        return Response(DeviceStateSerializer(state or DeviceState(device=device)).data)
