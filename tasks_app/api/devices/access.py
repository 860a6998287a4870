"""How a device is reached: its protocol, the ways of its commands, its networks and number."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.fields import StrictModelSerializer, TimestampField, editable_fields
from tasks_app.api.permissions import device_for
from tasks_app.api.rows import saved
from tasks_app.api.schema import describe
from tasks_app.models import Device, DeviceAccess
from tasks_app.models.device_access import MAX_PASSWORD_CHARACTERS, MIN_PASSWORD_CHARACTERS, validate_password
from tasks_app.queries.access import CHANGE_DEVICES


class DeviceAccessSerializer(StrictModelSerializer):
    """How a device is reached. `ways` are tried in their order; none of them for those that the device has.

    `password` is the tracker's own, which its commands bear: it is stored encrypted and never shown, "" forgets it.
    """

    password = serializers.CharField(
        write_only=True,
        required=False,
        allow_blank=True,
        min_length=MIN_PASSWORD_CHARACTERS,
        max_length=MAX_PASSWORD_CHARACTERS,
        validators=[validate_password],
        trim_whitespace=False,
    )
    has_password = serializers.BooleanField(read_only=True)
    last_connected_at = TimestampField(read_only=True, allow_null=True)

    class Meta:
        model = DeviceAccess
        fields = [*editable_fields(DeviceAccess), "password", "has_password", "last_connected_at"]


class DeviceAccessView(ApiView):
    """How one device is reached."""

    rights = {"GET": CHANGE_DEVICES, "PATCH": CHANGE_DEVICES}

    @describe(
        "How a device is reached",
        name="device_access",
        tag="fleet",
        answers={200: DeviceAccessSerializer},
        errors=(404,),
        description="For managers of its fleet.",
    )
    def get(self, request: Request, device_id: int) -> Response:
        return Response(DeviceAccessSerializer(_access_of(device_for(request.user, device_id, self.asked))).data)

    @describe(
        "Change how a device is reached",
        name="device_access_update",
        tag="fleet",
        request=DeviceAccessSerializer(partial=True),
        answers={200: DeviceAccessSerializer},
        errors=(404,),
        description="For managers of its fleet.",
    )
    def patch(self, request: Request, device_id: int) -> Response:
        access = _access_of(device_for(request.user, device_id, self.asked))
        values = self.body(DeviceAccessSerializer, changing=access)
        return Response(DeviceAccessSerializer(saved(access, values)).data)


def _access_of(device: Device) -> DeviceAccess:
    """Return the row of the device, a new one for a device without."""
    return DeviceAccess.objects.filter(device=device).first() or DeviceAccess(device=device)
