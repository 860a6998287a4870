"""Making and changing many devices in one request: all of them, or each that is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import serializers, status
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.devices.views import DeviceSerializer
from tasks_app.api.errors import ApiError, problem_of
from tasks_app.api.fields import IdField, StrictSerializer
from tasks_app.api.permissions import device_for, fleet_for
from tasks_app.api.rows import saved
from tasks_app.api.schema import ErrorSerializer, describe
from tasks_app.models import Device
from tasks_app.queries.access import ADD_DEVICES, CHANGE_DEVICES
from tasks_app.services.transactions import run_in_transaction

MAX_DEVICES = 500


class BulkBody(StrictSerializer):
    """The devices, and what becomes of them when some are not right."""

    store = serializers.ChoiceField(
        choices=["all", "each"],
        default="all",
        help_text="all, unless said: all of them or none. each: those that are right.",
    )
    # Read one by one, so that each error has its number.
    devices = serializers.ListField(child=serializers.DictField(), min_length=1, max_length=MAX_DEVICES)


class ChangedDeviceSerializer(DeviceSerializer):
    """A device's number and what is to be changed of it."""

    id = IdField()

    class Meta(DeviceSerializer.Meta):
        read_only_fields = ["created_at"]


class NewDevicesBody(BulkBody):
    """New devices, each as in making one."""

    devices = DeviceSerializer(many=True, min_length=1, max_length=MAX_DEVICES)  # type: ignore[call-arg, assignment]


class ChangedDevicesBody(BulkBody):
    """Devices by `id`, each with what is to be changed."""

    devices = ChangedDeviceSerializer(many=True, partial=True, min_length=1, max_length=MAX_DEVICES)  # type: ignore[call-arg, assignment]


class BulkErrorSerializer(ErrorSerializer):
    """An item that was refused: its place in the request, and the error that it would get alone."""

    index = serializers.IntegerField()


class BulkDevicesSerializer(serializers.Serializer[Any]):
    """The devices that were stored, and the items that were not."""

    results = DeviceSerializer(many=True)
    errors = BulkErrorSerializer(many=True)  # type: ignore[assignment]


class BulkRefusedSerializer(ErrorSerializer):
    """Nothing was stored."""

    errors = BulkErrorSerializer(  # type: ignore[assignment]
        many=True, required=False, help_text="Of the items; missing where the request itself is refused."
    )


# 403 and 404 where that is the error of every item that is not right.
REFUSED = dict.fromkeys((400, 403, 404), BulkRefusedSerializer)


class DeviceBulkView(ApiView):
    """Many devices."""

    rights = {"POST": ADD_DEVICES, "PATCH": CHANGE_DEVICES}

    @describe(
        "Make many devices",
        name="devices_bulk_create",
        tag="fleet",
        request=NewDevicesBody,
        answers={201: BulkDevicesSerializer, **REFUSED},
        description=f"At most {MAX_DEVICES}. For managers of their fleets. A 400 when nothing was stored.",
    )
    def post(self, request: Request) -> Response:
        def make(item: dict[str, Any]) -> Device:
            values = _read(DeviceSerializer(data=item))
            fleet_for(request.user, values["fleet_id"], self.asked)
            return saved(Device(), values)

        return self._answer(self.body(BulkBody), make, status.HTTP_201_CREATED)

    @describe(
        "Change many devices",
        name="devices_bulk_update",
        tag="fleet",
        request=ChangedDevicesBody,
        answers={200: BulkDevicesSerializer, **REFUSED},
        description=f"At most {MAX_DEVICES}. For managers of their fleets; to move them, also of those they come into.",
    )
    def patch(self, request: Request) -> Response:
        def change(item: dict[str, Any]) -> Device:
            number = _read(_DeviceNumber(data={"id": item.get("id")}))["id"]
            device = device_for(request.user, number, self.asked)
            values = _read(DeviceSerializer(device, data=item, partial=True))
            if values.get("fleet_id", device.fleet_id) != device.fleet_id:
                fleet_for(request.user, values["fleet_id"], self.asked)
            return saved(device, values)

        return self._answer(self.body(BulkBody), change, status.HTTP_200_OK)

    def _answer(self, body: dict[str, Any], store: Callable[[dict[str, Any]], Device], code: int) -> Response:
        # Two requests that name the same devices in another order may lock each other out.
        stored, errors = run_in_transaction(lambda: _stored(body, store))
        return Response({"results": DeviceSerializer(stored, many=True).data, "errors": errors}, status=code)


def _stored(
    body: dict[str, Any], store: Callable[[dict[str, Any]], Device]
) -> tuple[list[Device], list[dict[str, Any]]]:
    """Store the items of a request; return the devices, and the errors of the others. Raises ApiError."""
    stored: list[Device] = []
    errors: list[dict[str, Any]] = []
    codes: set[int] = set()
    for index, item in enumerate(body["devices"]):
        try:
            with transaction.atomic():
                stored.append(store(item))
        except (APIException, Http404) as error:
            problem = problem_of(error)
            assert problem is not None
            errors.append({"index": index, **problem.body})
            codes.add(problem.status_code)
    if errors and (body["store"] == "all" or not stored):
        raise _refusal(codes, errors)
    return stored, errors


def _refusal(codes: set[int], errors: list[dict[str, Any]]) -> ApiError:
    """Return the error of a request of which nothing is stored: that of its items, where it is the same of all."""
    code = codes.pop() if len(codes) == 1 else status.HTTP_400_BAD_REQUEST
    detail = _("%(count)d of the devices are not right; nothing was stored.") % {"count": len(errors)}
    return ApiError(code, "bulk_invalid", detail, errors=errors)


class _DeviceNumber(StrictSerializer):
    """The number of a device to change."""

    id = IdField()


def _read(serializer: serializers.BaseSerializer[Any]) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data
