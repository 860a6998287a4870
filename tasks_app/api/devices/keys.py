"""Keys with which devices send: made, replaced and revoked by the managers of their fleet."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import PrivateView
from tasks_app.api.errors import Conflict
from tasks_app.api.permissions import device_for
from tasks_app.api.schema import describe
from tasks_app.queries.access import CHANGE_DEVICES, VIEW_DEVICES
from tasks_app.services.devices import KeyExists, issue_key, revoke_key

SHOWN_ONCE = "The key is in this answer and nowhere else: only its hash is stored."


class KeyStateSerializer(serializers.Serializer[Any]):
    """Whether a device has a key."""

    device_id = serializers.IntegerField()
    has_key = serializers.BooleanField()


class DeviceKeySerializer(serializers.Serializer[Any]):
    """A new key, which is not shown again."""

    device_id = serializers.IntegerField()
    key = serializers.CharField()


class DeviceKeyView(PrivateView):
    """The key of a device."""

    rights = {"GET": VIEW_DEVICES, "POST": CHANGE_DEVICES, "DELETE": CHANGE_DEVICES}

    @describe(
        "Whether a device has a key",
        name="device_key",
        tag="fleet",
        answers={200: KeyStateSerializer},
        errors=(404,),
    )
    def get(self, request: Request, device_id: int) -> Response:
        device = device_for(request.user, device_id, self.asked)
        return Response({"device_id": device.pk, "has_key": bool(device.ingest_key_hash)})

    @describe(
        "Make the key of a device",
        name="device_key_create",
        tag="fleet",
        request=None,
        answers={201: DeviceKeySerializer},
        errors=(404, 409),
        description=f"{SHOWN_ONCE} A device that has one is a 409: rotate it.",
    )
    def post(self, request: Request, device_id: int) -> Response:
        device = device_for(request.user, device_id, self.asked)
        try:
            key = issue_key(device=device)
        except KeyExists as error:
            detail = _("The device has a key already, which a new one would end: rotate it.")
            raise Conflict("key_exists", detail, state="has_key") from error
        return Response({"device_id": device.pk, "key": key}, status=status.HTTP_201_CREATED)

    @describe(
        "Revoke the key of a device",
        name="device_key_delete",
        tag="fleet",
        answers={204: None},
        errors=(404,),
        description="What the device sends with it is refused from now on. Revoking none is no error.",
    )
    def delete(self, request: Request, device_id: int) -> Response:
        revoke_key(device=device_for(request.user, device_id, self.asked))
        return Response(status=status.HTTP_204_NO_CONTENT)


class DeviceKeyRotateView(PrivateView):
    """A new key in place of the present one."""

    rights = {"POST": CHANGE_DEVICES}

    @describe(
        "Replace the key of a device",
        name="device_key_rotate",
        tag="fleet",
        request=None,
        answers={201: DeviceKeySerializer},
        errors=(404,),
        description=f"{SHOWN_ONCE} The former key is refused from now on.",
    )
    def post(self, request: Request, device_id: int) -> Response:
        device = device_for(request.user, device_id, self.asked)
        key = issue_key(device=device, rotate=True)
        return Response({"device_id": device.pk, "key": key}, status=status.HTTP_201_CREATED)
