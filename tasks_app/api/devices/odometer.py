"""The odometer of a device, set to the reading of the vehicle's own."""

from __future__ import annotations

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.devices.servicing import MAX_METERS
from tasks_app.api.devices.views import DeviceStateSerializer
from tasks_app.api.fields import FiniteFloatField, StrictSerializer
from tasks_app.api.permissions import device_for
from tasks_app.api.schema import describe
from tasks_app.models import FleetRole
from tasks_app.queries.access import Right
from tasks_app.services.devices import set_odometer


class OdometerBody(StrictSerializer):
    """Reading of the odometer."""

    odometer_meters = FiniteFloatField(min_value=0, max_value=MAX_METERS)


class DeviceOdometerView(ApiView):
    """The odometer of one device."""

    rights = {"PUT": Right(FleetRole.MANAGER, "tasks_app.change_device")}

    @describe(
        "Set the odometer of a device",
        name="device_odometer",
        tag="fleet",
        request=OdometerBody,
        answers={200: DeviceStateSerializer},
        errors=(404,),
        description="For managers of its fleet. What the device drives from now on is added to it.",
    )
    def put(self, request: Request, device_id: int) -> Response:
        device = device_for(request.user, device_id, self.asked)
        state = set_odometer(device, self.body(OdometerBody)["odometer_meters"], now=timezone.now())
        return Response(DeviceStateSerializer(state).data)
