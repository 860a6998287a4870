"""Devices, their states, and the nearest ones to a place."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.fields import (
    IdField,
    QueryFloatField,
    StrictModelSerializer,
    StrictSerializer,
    TimestampField,
    editable_fields,
)
from tasks_app.api.lists import BY_ID, Filters, RowList, by_choice, by_id, by_text
from tasks_app.api.permissions import device_for, fleet_for
from tasks_app.api.rows import deleted, saved
from tasks_app.api.schema import describe
from tasks_app.api.sparse import fields_query
from tasks_app.models import Device, DeviceState, DeviceStatus, FleetRole
from tasks_app.queries.access import ADD_DEVICES, CHANGE_DEVICES, VIEW_DEVICES, Right, visible_devices
from tasks_app.queries.devices import devices_of_status, latest_position, nearest_devices

# Half way round the Earth: the farthest two places can be from each other.
FARTHEST_METERS = 20_037_508.0
MAX_NEAREST = 100
DERIVED = "The device sent no speed: it is that of the way from the position before."


class DeviceSerializer(StrictModelSerializer):
    """A device."""

    fleet_id = IdField()
    status = serializers.SerializerMethodField()

    class Meta:
        model = Device
        fields = ["id", "fleet_id", *editable_fields(Device), "status", "created_at"]
        read_only_fields = ["id", "created_at"]

    def get_status(self, device: Device) -> str:
        state: DeviceState | None = getattr(device, "state", None)
        return state.status if state else "unknown"


class PlacedDeviceSerializer(serializers.Serializer[Any]):
    """A device and its newest fix."""

    device = DeviceSerializer(source="*")
    fix_time = TimestampField(source="state.fix_time")
    latitude = serializers.FloatField(source="state.latitude")
    longitude = serializers.FloatField(source="state.longitude")
    speed_kph = serializers.FloatField(source="state.speed_kph", allow_null=True)
    is_speed_derived = serializers.BooleanField(source="state.is_speed_derived", help_text=DERIVED)
    course_degrees = serializers.FloatField(source="state.course_degrees", allow_null=True)


class NearDeviceSerializer(serializers.Serializer[Any]):
    """A device and how far away it is."""

    device = DeviceSerializer()
    distance_meters = serializers.FloatField()
    fix_time = TimestampField(source="device.state.fix_time")
    latitude = serializers.FloatField(source="device.state.latitude")
    longitude = serializers.FloatField(source="device.state.longitude")
    speed_kph = serializers.FloatField(source="device.state.speed_kph", allow_null=True)
    is_speed_derived = serializers.BooleanField(source="device.state.is_speed_derived", help_text=DERIVED)


class NearestSerializer(serializers.Serializer[Any]):
    """The nearest devices, the nearest first."""

    results = NearDeviceSerializer(many=True)


class DeviceStateSerializer(serializers.ModelSerializer[DeviceState]):
    """State of a device after its newest fix."""

    status = serializers.CharField()
    last_seen_at = TimestampField(allow_null=True)
    offline_since = TimestampField(allow_null=True)
    fix_time = TimestampField(allow_null=True)
    overspeed_since = TimestampField(allow_null=True)
    geofence_ids = serializers.ListField(child=serializers.IntegerField())

    class Meta:
        model = DeviceState
        fields = ["device_id", *editable_fields(DeviceState)]
        read_only_fields = fields


class DeviceFilters(Filters):
    """Filters of the device list."""

    fleet = by_id("fleet_id")
    unique_id = by_text("unique_id", max_length=128)
    name = by_text("name", max_length=100, lookup="icontains", help_text="A part of it.")
    status = by_choice(DeviceStatus.choices, method="of_status")

    def of_status(self, rows: QuerySet[Device], name: str, value: str) -> QuerySet[Device]:
        """Find the devices that are shown with this status."""
        return devices_of_status(rows, value)


DEVICES = RowList(
    DeviceSerializer,
    filters=DeviceFilters,
    orderings={**BY_ID, "name": ("name", "id"), "unique_id": ("unique_id",), "created_at": ("created_at", "id")},
)


class NearestQuery(StrictSerializer):
    """A place, and how far to look."""

    lat = QueryFloatField(min_value=-90, max_value=90, help_text="Degrees.")
    lon = QueryFloatField(min_value=-180, max_value=180, help_text="Degrees.")
    limit = serializers.IntegerField(min_value=1, max_value=MAX_NEAREST, default=10)
    max_distance_meters = QueryFloatField(min_value=0, max_value=FARTHEST_METERS, default=FARTHEST_METERS)
    fleet = serializers.IntegerField(min_value=1, max_value=2**63 - 1, required=False)


class DeviceListView(ApiView):
    """The devices the caller sees, newest first."""

    rights = {"GET": VIEW_DEVICES, "POST": ADD_DEVICES}

    @describe(
        "List devices",
        name="devices_list",
        tag="fleet",
        parameters=DEVICES.parameters,
        answers={200: DEVICES.page_serializer("DevicePage")},
    )
    def get(self, request: Request) -> Response:
        return DEVICES.answer(request, visible_devices(request.user).select_related("state"))

    @describe(
        "Make a device",
        name="devices_create",
        tag="fleet",
        request=DeviceSerializer,
        answers={201: DeviceSerializer},
        errors=(404,),
        description="For managers of its fleet.",
    )
    def post(self, request: Request) -> Response:
        values = self.body(DeviceSerializer)
        fleet_for(request.user, values["fleet_id"], self.asked)
        return Response(DeviceSerializer(saved(Device(), values)).data, status=status.HTTP_201_CREATED)


class DeviceView(ApiView):
    """One device."""

    rights = {
        "GET": VIEW_DEVICES,
        "PATCH": CHANGE_DEVICES,
        "DELETE": Right(FleetRole.MANAGER, "tasks_app.delete_device"),
    }

    @describe(
        "A device",
        name="devices_retrieve",
        tag="fleet",
        parameters=[fields_query(DeviceSerializer)],
        answers={200: DeviceSerializer},
        errors=(404,),
    )
    def get(self, request: Request, device_id: int) -> Response:
        return Response(self.shown(DeviceSerializer, device_for(request.user, device_id, self.asked)))

    @describe(
        "Change a device",
        name="devices_update",
        tag="fleet",
        request=DeviceSerializer(partial=True),
        answers={200: DeviceSerializer},
        errors=(404,),
        description="For managers of its fleet; to move it, also of the fleet it comes into.",
    )
    def patch(self, request: Request, device_id: int) -> Response:
        device = device_for(request.user, device_id, self.asked)
        values = self.body(DeviceSerializer, changing=device)
        if values.get("fleet_id", device.fleet_id) != device.fleet_id:
            fleet_for(request.user, values["fleet_id"], self.asked)
        return Response(DeviceSerializer(saved(device, values)).data)

    @describe(
        "Delete a device",
        name="devices_delete",
        tag="fleet",
        answers={204: None},
        errors=(404, 409),
        description="Its events go with it; its positions are removed by the next cleanup_orphaned_data.",
    )
    def delete(self, request: Request, device_id: int) -> Response:
        return deleted(device_for(request.user, device_id, self.asked))


class DeviceStateView(ApiView):
    """The present state of one device."""

    rights = {"GET": VIEW_DEVICES}

    @describe(
        "State of a device", name="device_state", tag="fleet", answers={200: DeviceStateSerializer}, errors=(404,)
    )
    def get(self, request: Request, device_id: int) -> Response:
        device = device_for(request.user, device_id, self.asked)
        state = latest_position(device.pk)
        if state is None:
            return Response(DeviceStateSerializer(DeviceState(device=device)).data)
        return Response({name: state[name] for name in DeviceStateSerializer.Meta.fields})


class NearestDevicesView(ApiView):
    """Devices near a place."""

    rights = {"GET": VIEW_DEVICES}

    @describe(
        "The devices nearest to a place",
        name="devices_nearest",
        tag="fleet",
        parameters=[NearestQuery],
        answers={200: NearestSerializer},
        description="By each device's newest fix, however old it is, which `fix_time` says.",
    )
    def get(self, request: Request) -> Response:
        query = self.parameters(NearestQuery)
        devices = visible_devices(request.user)
        if "fleet" in query:
            devices = devices.filter(fleet_id=query["fleet"])
        near = nearest_devices(
            devices,
            latitude=query["lat"],
            longitude=query["lon"],
            limit=query["limit"],
            max_distance_meters=query["max_distance_meters"],
        )
        return Response({"results": NearDeviceSerializer(near, many=True).data})
