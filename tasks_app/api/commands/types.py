"""The types of commands that a device can be sent, with their parameters and bounds."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.permissions import device_for
from tasks_app.api.schema import describe
from tasks_app.ingest.trackers.command_types import CommandType, Parameter
from tasks_app.models import CommandWay, Device
from tasks_app.queries.access import SEND_COMMANDS
from tasks_app.queries.commands import offered_types, types_of, ways_of


class CommandParameterSerializer(serializers.Serializer[Any]):
    """A parameter. Its bounds are those of a number, or of the length of a text; null for neither."""

    name = serializers.CharField()
    title = serializers.CharField()
    kind = serializers.ChoiceField(choices=["integer", "text", "boolean"])
    minimum = serializers.IntegerField(allow_null=True)
    maximum = serializers.IntegerField(allow_null=True)
    is_required = serializers.BooleanField()
    default_value = serializers.JSONField(allow_null=True)


class CommandTypeSerializer(serializers.Serializer[Any]):
    """A type of commands."""

    type = serializers.CharField()
    title = serializers.CharField()
    is_dangerous = serializers.BooleanField(help_text="It needs a right of its own, and a confirmation.")
    is_idempotent = serializers.BooleanField(help_text="It may be sent again where nobody knows whether it arrived.")
    ways = serializers.ListField(child=serializers.ChoiceField(choices=CommandWay.choices))
    expiry_seconds = serializers.IntegerField(help_text="How long it holds unless said.")
    min_expiry_seconds = serializers.IntegerField()
    max_expiry_seconds = serializers.IntegerField()
    parameters = CommandParameterSerializer(many=True)


class CommandTypesSerializer(serializers.Serializer[Any]):
    """The types that a device can be sent, by the ways it has."""

    results = CommandTypeSerializer(many=True)


class DeviceCommandTypesView(ApiView):
    """The types of commands for one device."""

    rights = {"GET": SEND_COMMANDS}

    @describe(
        "Types of commands for a device",
        name="device_command_types",
        tag="commands",
        answers={200: CommandTypesSerializer},
        errors=(404,),
        description="For operators of its fleet: what its protocol and ways can express, and the caller may send.",
    )
    def get(self, request: Request, device_id: int) -> Response:
        device = device_for(request.user, device_id, self.asked)
        return Response({"results": [_type(kind, device) for kind in offered_types(device, request.user)]})


def _type(kind: CommandType, device: Device) -> dict[str, Any]:
    names = ("is_dangerous", "is_idempotent", "expiry_seconds", "min_expiry_seconds", "max_expiry_seconds")
    return {
        "type": kind.name,
        "title": str(kind.label),
        **{name: getattr(kind, name) for name in names},
        "ways": [way for way in ways_of(device) if kind.name in types_of(device, way)],
        "parameters": [_parameter(one) for one in kind.parameters],
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    bounds = (None, None) if parameter.kind == "boolean" else (parameter.minimum, parameter.maximum)
    return {
        "name": parameter.name,
        "title": str(parameter.label),
        "kind": parameter.kind,
        "minimum": bounds[0],
        "maximum": bounds[1],
        "is_required": parameter.is_required,
        "default_value": parameter.default,
    }
