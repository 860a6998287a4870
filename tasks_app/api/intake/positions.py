"""`/ingest/positions`: one position or a batch in the product's own JSON, sent by a device with its key."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.errors import TooLarge
from tasks_app.api.ingest_limits import count_device
from tasks_app.api.intake.base import DEVICE_AUTH, IngestView
from tasks_app.api.intake.batches import BatchBody, PositionSerializer, RejectedSerializer, unknown_field
from tasks_app.api.intake.ordinary import Ordinary
from tasks_app.api.intake.senders import bad_body, key_holder, known_or_registered, sender_named
from tasks_app.api.parsers import JSON_MEDIA_TYPE, raw_json_body
from tasks_app.api.schema import describe
from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.json_batch import decode_json, parse_batch
from tasks_app.ingest.message import DeviceMessage, stated_device_id
from tasks_app.models import Device, FixSource
from tasks_app.services.intake import MAX_PER_CALL, QuarantineEntry, add_to_buffer, quarantine_messages
from tasks_app.services.positions import count_received, count_rejected, count_unknown

MAX_REJECTED_SHOWN = 100


class TakenInSerializer(serializers.Serializer[Any]):
    """Outcome of the positions."""

    accepted = serializers.IntegerField(help_text="Stored within seconds, once.")
    unknown_quantities = unknown_field()
    rejected_count = serializers.IntegerField()
    rejected = RejectedSerializer(many=True, help_text="The first hundred. They are kept; do not send them again.")


class IngestPositionsView(IngestView):
    """Positions of one device."""

    @describe(
        "Send positions of one device",
        name="ingest_positions",
        tag="ingest",
        request=PolymorphicProxySerializer(
            component_name="IngestPositions", serializers=[PositionSerializer, BatchBody], resource_type_field_name=None
        ),
        answers={200: TakenInSerializer, 202: TakenInSerializer},
        errors=(413, 429),
        description="An object, a list, or a list under `positions`; device_id may be left out, the key says it, "
        "and the place of an alarm. 202 when "
        "something was accepted, 200 when nothing was: neither has to be sent again.",
        auth=DEVICE_AUTH,
    )
    def post(self, request: Request) -> Response:
        received_at = timezone.now()
        holder = key_holder(request)
        items = _items(raw_json_body(request, settings.MAX_BATCH_BYTES))
        device = _sender(request, holder, items, received_at)
        mine = [_of_device(item, device) for item in items]
        parsed = parse_batch([item for item in mine if not isinstance(item, RejectedFix)], now=received_at)
        add_to_buffer(parsed.fixes, list(parsed.unlocated.values()), received_at=received_at)
        count_received(FixSource.POSITIONS, len(items))
        unknown = count_unknown(parsed.fixes, FixSource.POSITIONS)
        rejected = _rejected(mine, parsed.rejected)
        _keep(items, rejected, device, received_at)
        accepted = len(parsed.fixes) + len(parsed.unlocated)
        code = status.HTTP_202_ACCEPTED if accepted else status.HTTP_200_OK
        return Response(_outcome(accepted, unknown, rejected), status=code)


def ordinary_positions(request: Request, device: Device, now: datetime) -> Ordinary | None:
    """Read an ordinary message of this device; None for any other. Raises what the view would answer."""
    items = _items(raw_json_body(request, settings.MAX_BATCH_BYTES))
    parsed = parse_batch([_of_device(item, device) for item in items], now=now)
    if len(parsed.fixes) < len(items):
        return None
    body = msgspec.json.encode(_outcome(len(items), {}, []))
    return Ordinary(parsed.fixes, HttpResponse(body, JSON_MEDIA_TYPE, status.HTTP_202_ACCEPTED))


def _outcome(accepted: int, unknown: dict[str, int], rejected: list[RejectedFix]) -> dict[str, Any]:
    shown = msgspec.to_builtins(rejected[:MAX_REJECTED_SHOWN])
    counts = {"accepted": accepted, "unknown_quantities": unknown, "rejected_count": len(rejected)}
    return {**counts, "rejected": shown}


def _items(body: bytes) -> list[object]:
    """The raw positions. Raises ApiError."""
    try:
        decoded = decode_json(body)
    except BodyError as error:
        raise bad_body(error) from error
    if isinstance(decoded, dict):
        decoded = decoded.get("positions", [decoded])
    if not isinstance(decoded, list) or not decoded:
        raise bad_body(
            BodyError("wrong_shape", _("Send a position, a list of them, or an object with a list 'positions'."))
        )
    if len(decoded) > settings.MAX_BATCH_FIXES:
        raise TooLarge(
            _("At most %(limit)d positions at once.") % {"limit": settings.MAX_BATCH_FIXES}, "too_many_fixes"
        )
    return decoded


def _sender(request: Request, holder: Device | None, items: list[object], now: datetime) -> Device:
    """The holder of the key; without one, the device of the first position. Raises ApiError and as `sender_named`."""
    if holder is not None:
        count_device(holder, len(items))
        return holder
    first = items[0] if isinstance(items[0], dict) else {}
    try:
        unique_id = stated_device_id(first.get("device_id"))
    except BodyError as error:
        raise bad_body(error) from error
    parsed = parse_batch(items[:1], now=now)
    device = sender_named(request, None, unique_id)
    content: Fix | RejectedFix | None = parsed.fixes[0] if parsed.fixes else None
    if parsed.rejected:
        content = parsed.rejected[0]
    message = DeviceMessage(unique_id, content, parsed.unlocated.get(0))
    return known_or_registered(request, device, message)


def _of_device(item: object, device: Device) -> object:
    """The item, with the device's identifier where it has none; a RejectedFix where it has another one's."""
    if not isinstance(item, dict):
        return item
    stated = item.get("device_id")
    if stated is None:
        return {**item, "device_id": device.unique_id}
    if stated != device.unique_id:
        return RejectedFix(0, "wrong_device", _("The key belongs to another device."))
    return item


def _rejected(mine: list[object], refused: list[RejectedFix]) -> list[RejectedFix]:
    """All refusals by their place in the body; `refused` counts parsed items only."""
    places = [place for place, item in enumerate(mine) if not isinstance(item, RejectedFix)]
    foreign = [
        RejectedFix(place, one.code, one.detail) for place, one in enumerate(mine) if isinstance(one, RejectedFix)
    ]
    parsed = [RejectedFix(places[one.index], one.code, one.detail) for one in refused]
    return sorted([*foreign, *parsed], key=lambda one: one.index)


def _keep(items: list[object], rejected: list[RejectedFix], device: Device, received_at: datetime) -> None:
    if not rejected:
        return
    entries = [
        QuarantineEntry(one.code, one.detail, _text(items[one.index]), device.unique_id)
        for one in rejected[:MAX_PER_CALL]
    ]
    quarantine_messages(entries, device=device, source=FixSource.POSITIONS, received_at=received_at)
    count_rejected(FixSource.POSITIONS, [one.code for one in rejected[MAX_PER_CALL:]])


def _text(item: object) -> str:
    try:
        return json.dumps(item, ensure_ascii=False)
    except (RecursionError, ValueError):
        return ""
