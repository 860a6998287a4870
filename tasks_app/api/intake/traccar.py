"""`/ingest/traccar`: messages forwarded by a Traccar server, one position or event in each request."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import Throttled
from rest_framework.request import Request

from tasks_app.api.errors import ApiError
from tasks_app.api.intake.base import SERVER_AUTH, IngestView
from tasks_app.api.intake.senders import (
    IDENTITY_CODES,
    active_device_named,
    bad_body,
    known_or_registered,
    server_of_token,
)
from tasks_app.api.parsers import read_body
from tasks_app.api.schema import describe
from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.message import DeviceMessage
from tasks_app.ingest.traccar_forward import parse_forward
from tasks_app.models import Device, FixSource
from tasks_app.services.intake import QuarantineEntry, quarantine_entries, take_in


class ForwardedBody(serializers.Serializer[Any]):
    """As Traccar's forward.type=json and event.forward.type=json send it."""

    device = serializers.DictField(help_text="uniqueId says which device it is.")
    position = serializers.DictField(required=False, help_text="Speed in knots.")
    event = serializers.DictField(required=False)


class TraccarView(IngestView):
    """One forwarded position or event. Trusted by the server's token, not by keys of devices."""

    @describe(
        "Take in what a Traccar server forwards",
        name="ingest_traccar",
        tag="ingest",
        request=ForwardedBody,
        answers={200: None},
        errors=(413, 429),
        description="Send TRACCAR_FORWARD_TOKEN as `Authorization: Bearer ...`. A fix that cannot be right is kept in the "
        "quarantine and answered 200; one of an unknown device is kept too, and answered 400.",
        auth=SERVER_AUTH,
    )
    def post(self, request: Request) -> HttpResponse:
        received_at = timezone.now()
        server_of_token(request)
        body = read_body(request._request, settings.MAX_BATCH_BYTES)
        try:
            message = parse_forward(body, now=received_at)
        except BodyError as error:
            if error.code in IDENTITY_CODES:
                raise bad_body(error) from error
            _keep(QuarantineEntry(error.code, error.detail, body), received_at)
            return HttpResponse()
        device = _device_of(request, message, body, received_at)
        take_in(message, device=device, source=FixSource.TRACCAR, body=body, received_at=received_at)
        return HttpResponse()


def _device_of(request: Request, message: DeviceMessage, body: bytes, received_at: datetime) -> Device:
    """Raises ApiError or Throttled for an unknown one, whose message is kept to show which devices have to be entered."""
    device = active_device_named(request, message.device_id)
    try:
        return known_or_registered(request, device, message, is_trusted=True)
    except (ApiError, Throttled) as error:
        _keep(QuarantineEntry(str(error.get_codes()), str(error.detail), body, message.device_id), received_at)
        raise


def _keep(entry: QuarantineEntry, received_at: datetime) -> None:
    quarantine_entries([entry], source=FixSource.TRACCAR, device_pk=None, received_at=received_at)
