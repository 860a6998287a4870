"""`/ingest/owntracks`: the OwnTracks apps in HTTP mode. The answer is a JSON list, empty but for a command to the phone.

An app repeats whatever is not answered 2xx before anything newer. So, as for other phones, only what its owner can correct
and what passes by itself is refused; what cannot be right, and what is encrypted, is kept aside.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from django.http import HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from tasks_app.api.ingest_limits import count_device
from tasks_app.api.intake.base import DEVICE_AUTH, IngestView
from tasks_app.api.intake.commands import command_for
from tasks_app.api.intake.ordinary import Ordinary
from tasks_app.api.intake.senders import bad_body, key_holder, known_or_registered, refused, sender_named
from tasks_app.api.parsers import read_body
from tasks_app.api.schema import describe
from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix
from tasks_app.ingest.owntracks import Names, decode_messages, is_response, names_in, parse_message, usable_name
from tasks_app.models import Device, FixSource
from tasks_app.queries.senders import device_named
from tasks_app.services.commands import answer_position_request, may_wait
from tasks_app.services.intake import QuarantineEntry, quarantine_messages, take_in_all

MAX_BODY_BYTES = 256 * 1024


class OwnTracksMessage(serializers.Serializer[Any]):
    """As the apps post it; a list of messages is taken too."""

    _type = serializers.CharField(help_text="location and transition are fixes; others are signs of life.")
    tst = serializers.IntegerField(required=False, help_text="Epoch seconds.")
    lat = serializers.FloatField(required=False)
    lon = serializers.FloatField(required=False)
    vel = serializers.FloatField(required=False, help_text="km/h.")
    cog = serializers.FloatField(required=False, help_text="Degrees.")
    alt = serializers.FloatField(required=False, help_text="Meters.")
    acc = serializers.FloatField(required=False, help_text="Meters.")
    batt = serializers.FloatField(required=False, help_text="Percent.")
    topic = serializers.CharField(required=False, help_text="owntracks/user/device.")
    tid = serializers.CharField(required=False)


class OwnTracksView(IngestView):
    """Messages of one phone."""

    @describe(
        "Send messages of OwnTracks",
        name="ingest_owntracks",
        tag="ingest",
        request=OwnTracksMessage,
        answers={200: OpenApiTypes.ANY},
        errors=(400, 413, 429),
        description="HTTP Basic with the device's key as password; the user name is free. The answer is a list, empty "
        "but for a command to the phone, also where a fix cannot be right or is encrypted: it is kept in the quarantine.",
        auth=DEVICE_AUTH,
    )
    def post(self, request: Request) -> HttpResponse:
        received_at = timezone.now()
        holder = key_holder(request)
        body = read_body(request._request, MAX_BODY_BYTES)
        try:
            raw = decode_messages(body)
        except BodyError as error:
            _keep_unreadable(holder, body, error, received_at)
        else:
            if raw:
                _take_in(request, holder, raw, received_at)
        command = command_for(holder, "owntracks")
        return JsonResponse([] if command is None else [msgspec.json.decode(command)], safe=False)


class OwnTracksAliasView(OwnTracksView):
    """The same at the address with a slash behind."""

    schema = None


def ordinary_owntracks(request: Request, device: Device, now: datetime) -> Ordinary | None:
    """Read an ordinary message of this device; None for any other. Raises what the view would answer."""
    if may_wait(device.pk):
        return None
    raw = decode_messages(read_body(request._request, MAX_BODY_BYTES))
    if not raw or any(is_response(one) for one in raw) or device.unique_id not in _names(request, raw[0]).identifiers():
        return None
    messages = [parse_message(one, device_id=device.unique_id, now=now) for one in raw]
    fixes = [one.content for one in messages if isinstance(one.content, Fix)]
    return Ordinary(fixes, JsonResponse([], safe=False)) if len(fixes) == len(raw) else None


def _keep_unreadable(holder: Device | None, body: bytes, error: BodyError, received_at: datetime) -> None:
    """Quarantine the body of an authenticated device. Raises ApiError for others."""
    if holder is None:
        raise bad_body(error) from error
    entry = QuarantineEntry(error.code, error.detail, body, holder.unique_id)
    quarantine_messages([entry], device=holder, source=FixSource.OWNTRACKS, received_at=received_at)


def _take_in(request: Request, holder: Device | None, raw: list[object], received_at: datetime) -> None:
    names = _names(request, raw[0])
    device = _known(request, holder, names, len(raw))
    device_id = device.unique_id if device else _first_identifier(names)
    messages = [parse_message(one, device_id=device_id, now=received_at) for one in raw]
    if device is None:
        best = next((one for one in messages if isinstance(one.content, Fix)), messages[0])
        device = known_or_registered(request, None, best)
    bodies = [msgspec.json.encode(one) for one in raw]
    take_in_all(messages, bodies, device=device, source=FixSource.OWNTRACKS, received_at=received_at)
    if holder is not None and any(is_response(one) for one in raw):
        answer_position_request(holder, now=received_at)


def _names(request: Request, message: object) -> Names:
    """Identifier of the phone: from the headers of the app, the query, else the message."""
    stated = names_in(message)
    user = request.headers.get("X-Limit-U") or request.query_params.get("u")
    device = request.headers.get("X-Limit-D") or request.query_params.get("d")
    return Names(usable_name(user) or stated.user, usable_name(device) or stated.device, stated.letters)


def _known(request: Request, holder: Device | None, names: Names, count: int) -> Device | None:
    """The holder of the key; without one, the device that has one of these names, None where none has.

    Raises PermissionDenied where the key is used in another device's phone, and as `sender_named`.
    """
    if holder is None:
        found = (sender_named(request, None, name) for name in names.identifiers())
        device = next((device for device in found if device is not None), None)
        if device is not None and count > 1:
            count_device(device, count - 1)
        return device
    if holder.unique_id not in names.identifiers() and device_named(names.device) is not None:
        raise refused(request, PermissionDenied(_("The key belongs to another device."), "wrong_device"))
    count_device(holder, count)
    return holder


def _first_identifier(names: Names) -> str:
    identifiers = names.identifiers()
    if not identifiers:
        detail = _("Name the device: X-Limit-D, ?d= or the topic owntracks/user/device.")
        raise bad_body(BodyError("missing_device_id", detail))
    return identifiers[0]
