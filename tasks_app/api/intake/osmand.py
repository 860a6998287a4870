"""`/ingest/osmand`: Traccar Client on phones, in all its generations, and every tracker that speaks OsmAnd's protocol.

A phone repeats whatever is not answered with 2xx, for ever and before anything else. So only what its owner can correct
(key, identifier) and what passes by itself (a full buffer) is refused; a fix that cannot be right is kept aside instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers, status
from rest_framework.request import Request

from tasks_app.api.intake.base import DEVICE_AUTH, IngestView
from tasks_app.api.intake.commands import command_for
from tasks_app.api.intake.ordinary import Ordinary
from tasks_app.api.intake.senders import (
    IDENTITY_CODES,
    KEY_PARAMETERS,
    bad_body,
    key_holder,
    known_or_registered,
    sender_named,
)
from tasks_app.api.parsers import JSON_MEDIA_TYPE, media_type_of, read_body
from tasks_app.api.schema import describe
from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix
from tasks_app.ingest.message import DeviceMessage
from tasks_app.ingest.osmand import Parameters, form_parameters, parse_json, parse_parameters
from tasks_app.models import Device, FixSource
from tasks_app.services.commands import may_wait
from tasks_app.services.intake import QuarantineEntry, quarantine_messages, take_in

MAX_BODY_BYTES = 64 * 1024


COMMAND_TEXT = {(200, "text/plain"): OpenApiTypes.STR}


class OsmandParameters(serializers.Serializer[Any]):
    """Query or form; every other parameter becomes an attribute."""

    id = serializers.CharField(help_text="The device's unique identifier; deviceid is understood too.")
    lat = serializers.FloatField(required=False, help_text="Without a place it is a sign of life.")
    lon = serializers.FloatField(required=False)
    location = serializers.CharField(required=False, help_text="lat,lon in one.")
    timestamp = serializers.CharField(
        required=False, help_text="Epoch seconds or milliseconds, ISO-8601, or yyyy-MM-dd HH:mm:ss; now if missing."
    )
    speed = serializers.FloatField(required=False, help_text="Knots, unless INGEST_OSMAND_SPEED_UNIT says otherwise.")
    bearing = serializers.FloatField(required=False, help_text="Degrees; heading is understood too.")
    altitude = serializers.FloatField(required=False, help_text="Meters.")
    accuracy = serializers.FloatField(required=False, help_text="Meters.")
    batt = serializers.FloatField(required=False, help_text="Percent.")
    charge = serializers.BooleanField(required=False)
    valid = serializers.BooleanField(required=False)
    alarm = serializers.CharField(required=False)


class OsmandJson(serializers.Serializer[Any]):
    """Traccar Client 9."""

    device_id = serializers.CharField()
    location = serializers.DictField(
        help_text="timestamp, coords {latitude, longitude, speed in m/s, ...}, battery, ..."
    )


@dataclass(frozen=True, slots=True)
class _Raw:
    """A request before it is understood: a JSON body, or parameters and the text they came in."""

    text: bytes | str
    parameters: Parameters | None

    def parse(self, now: datetime) -> DeviceMessage:
        if self.parameters is None:
            assert isinstance(self.text, bytes)
            return parse_json(self.text, now=now)
        zone, unit = timezone.get_default_timezone(), settings.INGEST_OSMAND_SPEED_UNIT
        return parse_parameters(self.parameters, now=now, zone=zone, speed_unit=unit)


class OsmandView(IngestView):
    """One message of one phone or tracker. The answer to one that was taken in is 200, its body the text of a command."""

    @describe(
        "Send one position (OsmAnd protocol, query)",
        name="ingest_osmand_get",
        tag="ingest",
        parameters=[OsmandParameters],
        answers=COMMAND_TEXT,
        errors=(400, 429),
        auth=DEVICE_AUTH,
    )
    def get(self, request: Request, path_key: str = "") -> HttpResponse:
        return _receive(request, path_key)

    @describe(
        "Send one position (Traccar Client: query, JSON or form)",
        name="ingest_osmand",
        tag="ingest",
        parameters=[OsmandParameters],
        request={JSON_MEDIA_TYPE: OsmandJson, "application/x-www-form-urlencoded": OsmandParameters},
        answers=COMMAND_TEXT,
        errors=(400, 404, 413, 429),
        description="A fix that cannot be right is kept in the quarantine and answered 200 too.",
        auth=DEVICE_AUTH,
    )
    def post(self, request: Request, path_key: str = "") -> HttpResponse:
        return _receive(request, path_key)


class OsmandAliasView(OsmandView):
    """The same at addresses that need no page of their own: with a slash behind, and with the key in the path."""

    schema = None


def _receive(request: Request, path_key: str) -> HttpResponse:
    received_at = timezone.now()
    holder = key_holder(request, path_key)
    raw = _read(request)
    try:
        message = raw.parse(received_at)
    except BodyError as error:
        return _unreadable(holder, raw, error, received_at)
    device = sender_named(request, holder, message.device_id)
    unknown = status.HTTP_404_NOT_FOUND if raw.parameters is None else status.HTTP_400_BAD_REQUEST
    device = known_or_registered(request, device, message, unknown)
    take_in(message, device=device, source=FixSource.OSMAND, body=raw.text, received_at=received_at)
    # Traccar Client 9, which sends JSON, reads no answer.
    command = None if raw.parameters is None else command_for(holder, "osmand")
    return HttpResponse() if command is None else HttpResponse(command, "text/plain; charset=utf-8")


def ordinary_osmand(request: Request, device: Device, now: datetime) -> Ordinary | None:
    """Read an ordinary message of this device; None for any other. Raises what the view would answer."""
    if may_wait(device.pk):
        return None
    message = _read(request).parse(now)
    if message.device_id != device.unique_id or not isinstance(message.content, Fix):
        return None
    return Ordinary([message.content], HttpResponse())


def _read(request: Request) -> _Raw:
    """The query where it says anything beside the key, else the body as a form; JSON where the body says it is."""
    if media_type_of(request).startswith(JSON_MEDIA_TYPE):
        return _Raw(read_body(request._request, MAX_BODY_BYTES), None)
    parameters = {name: values for name, values in request.query_params.lists() if name not in KEY_PARAMETERS}
    if parameters:
        return _Raw(request._request.META.get("QUERY_STRING", ""), parameters)
    body = read_body(request._request, MAX_BODY_BYTES)
    return _Raw(body, {name: values for name, values in _form(body).items() if name not in KEY_PARAMETERS})


def _form(body: bytes) -> dict[str, list[str]]:
    try:
        return form_parameters(body)
    except BodyError as error:
        raise bad_body(error) from error


def _unreadable(holder: Device | None, raw: _Raw, error: BodyError, received_at: datetime) -> HttpResponse:
    """Quarantine the body of an authenticated device; others get the error."""
    if holder is None or error.code in IDENTITY_CODES:
        raise bad_body(error) from error
    entry = QuarantineEntry(error.code, error.detail, raw.text, holder.unique_id)
    quarantine_messages([entry], device=holder, source=FixSource.OSMAND, received_at=received_at)
    return HttpResponse()
