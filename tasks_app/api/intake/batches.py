"""Taking in positions: quick, one query, and every fix that is refused is named with its reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import msgspec
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.enqueueing import EnqueuedSerializer, accepted, enqueue_quietly
from tasks_app.api.errors import ApiError
from tasks_app.api.parsers import raw_json_body
from tasks_app.api.permissions import role_too_low
from tasks_app.api.schema import ErrorSerializer, describe
from tasks_app.ingest.fix import RejectedFix
from tasks_app.ingest.json_batch import BodyError, SentPosition, decode_body, decode_json, parse_batch
from tasks_app.ingest.ordinary_batch import ordinary_batch
from tasks_app.ingest.serialise import alarm_to_item, fix_to_item
from tasks_app.ingest.validate import QUANTITIES
from tasks_app.models import FleetRole
from tasks_app.queries.access import SEND_POSITIONS, visible_devices
from tasks_app.queries.devices import operated_devices
from tasks_app.services.intake import BATCH_TASK, enqueue_batch, enqueue_positions
from tasks_app.services.positions import BATCH, count_received, count_rejected

MAX_REJECTED_SHOWN = 100
TOO_LARGE_CODES = {"body_too_large", "too_many_fixes"}


class PositionSerializer(serializers.Serializer[Any]):
    """One fix as a device sends it; the first four are required."""

    device_id = serializers.CharField(max_length=128, help_text="The device's unique identifier, not its row number.")
    timestamp = serializers.CharField(help_text="ISO-8601 with a zone, or epoch seconds or milliseconds as a number.")
    latitude = serializers.FloatField(min_value=-90, max_value=90)
    longitude = serializers.FloatField(min_value=-180, max_value=180)
    speed = serializers.FloatField(required=False, allow_null=True, help_text="km/h")
    course = serializers.FloatField(required=False, allow_null=True, help_text="Degrees from north.")
    altitude = serializers.FloatField(required=False, allow_null=True, help_text="Meters.")
    accuracy = serializers.FloatField(required=False, allow_null=True, help_text="Meters.")
    attributes = serializers.DictField(child=serializers.JSONField(), required=False, allow_null=True)
    unknown = serializers.ListField(
        child=serializers.ChoiceField(choices=QUANTITIES),
        required=False,
        allow_null=True,
        help_text="Quantities the sender found to be wrong; any of them that cannot be right is unknown, and the fix stays.",
    )


class BatchBody(serializers.Serializer[Any]):
    """A batch; a bare list of positions is taken too."""

    positions = PositionSerializer(many=True)


def unknown_field() -> serializers.DictField:
    """How many fixes were taken in without a quantity."""
    help_text = "By quantity: how many fixes were taken in without it, since what was sent cannot be right."
    return serializers.DictField(child=serializers.IntegerField(), help_text=help_text)


class RejectedSerializer(serializers.Serializer[Any]):
    """A fix that was refused: its place in the batch and why."""

    index = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()


class BatchAcceptedSerializer(EnqueuedSerializer):
    """The job, and the outcome of the fixes."""

    accepted = serializers.IntegerField()
    unknown_quantities = unknown_field()
    rejected_count = serializers.IntegerField()
    rejected = RejectedSerializer(many=True, help_text="The first hundred.")


class NothingAcceptedSerializer(ErrorSerializer):
    """No fix of the batch can be right, or the body is no batch, which has no count of fixes."""

    rejected_count = serializers.IntegerField(required=False)
    rejected = RejectedSerializer(many=True, required=False, help_text="The first hundred.")


POSITION_KEYS = frozenset(PositionSerializer().fields)


@dataclass(frozen=True, slots=True)
class Sorted:
    """The items of a batch that go on, their indexes, and the ones that do not; how many go on without which quantity."""

    accepted: list[Any]
    indexes: list[int]
    rejected: list[RejectedFix]
    unknown: dict[str, int]


class ProcessBatchView(ApiView):
    """A batch of positions."""

    budget = "ingest"
    rights = {"POST": SEND_POSITIONS}

    @describe(
        "Process a batch of positions",
        name="position_process_batch",
        tag="positions",
        request=BatchBody,
        answers={202: BatchAcceptedSerializer, 400: NothingAcceptedSerializer},
        errors=(413, 415),
        description="Bad fixes do not cost the good ones. Fixes of devices that the caller does not operate are refused. "
        "An alarm (attributes.alarm) needs no place.",
    )
    def post(self, request: Request) -> Response:
        body = raw_json_body(request, settings.MAX_BATCH_BYTES)
        positions = ordinary_batch(body, max_fixes=settings.MAX_BATCH_FIXES, now=timezone.now())
        batch = sort_ordinary(request.user, positions) if positions else sort_out(request.user, read_batch(body))
        count_refused(batch.rejected)
        if not batch.accepted:
            raise nothing_accepted(batch.rejected)
        enqueue = enqueue_positions if positions else enqueue_batch
        job_id = enqueue(batch.accepted, batch.indexes, requested_by=request.user)
        counts = {"accepted": len(batch.accepted), "unknown_quantities": batch.unknown}
        return accepted(request, job_id, BATCH_TASK, **counts, **rejected_body(batch.rejected))


class ProcessPositionView(ApiView):
    """One position."""

    budget = "ingest"
    rights = {"POST": SEND_POSITIONS}

    @describe(
        "Process one position",
        name="position_process",
        tag="positions",
        request=PositionSerializer,
        answers={202: EnqueuedSerializer, 400: NothingAcceptedSerializer},
        errors=(413, 415),
    )
    def post(self, request: Request) -> Response:
        item = read_item(request)
        batch = sort_out(request.user, [item])
        count_refused(batch.rejected)
        if not batch.accepted:
            raise nothing_accepted(batch.rejected)
        job_id = enqueue_quietly(request, "process_single_position", batch.accepted)
        return accepted(request, job_id, "process_single_position")


def read_batch(body: bytes) -> list[Any]:
    """The raw items of a batch. Raises ApiError."""
    try:
        return decode_body(body, max_bytes=settings.MAX_BATCH_BYTES, max_fixes=settings.MAX_BATCH_FIXES)
    except BodyError as error:
        too_large = error.code in TOO_LARGE_CODES
        code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE if too_large else status.HTTP_400_BAD_REQUEST
        raise ApiError(code, error.code, error.detail) from error


def read_item(request: Request) -> Any:
    """The raw item of a body that holds one. Raises ApiError, UnsupportedMediaType."""
    try:
        return decode_json(raw_json_body(request, settings.MAX_BATCH_BYTES))
    except BodyError as error:
        raise ApiError(status.HTTP_400_BAD_REQUEST, error.code, error.detail) from error


def sort_ordinary(user: Any, positions: list[SentPosition]) -> Sorted:
    """Do what `sort_out` does for positions that are all good."""
    sent_ids = {one.device_id for one in positions}
    operated = operated_devices(user, sent_ids)
    if len(operated) == len(sent_ids) and all(operated.values()):
        return Sorted(positions, list(range(len(positions))), [], {})
    _raise_if_only_viewer(user, sent_ids, operated)
    indexes = [index for index, one in enumerate(positions) if operated.get(one.device_id)]
    rejected = [
        _refused_device(index, is_known=one.device_id in operated)
        for index, one in enumerate(positions)
        if not operated.get(one.device_id)
    ]
    return Sorted([positions[index] for index in indexes], indexes, rejected, {})


def sort_out(user: Any, items: list[Any]) -> Sorted:
    """Part the items that can be right and are of devices `user` operates from the others.

    Raises PermissionDenied when every good fix is of a device that `user` may only look at.
    """
    parsed = parse_batch(items, now=timezone.now())
    fixes = dict(zip(parsed.indexes, parsed.fixes, strict=True))
    senders = [(index, fix.device_id) for index, fix in fixes.items()]
    if parsed.unlocated:
        senders = sorted([*senders, *((index, unlocated.device_id) for index, unlocated in parsed.unlocated.items())])
    sent_ids = {device_id for _, device_id in senders}
    operated = operated_devices(user, sent_ids)
    good: list[Any] = []
    indexes, rejected = [], list(parsed.rejected)
    unknown: Counter[str] = Counter()
    for index, device_id in senders:
        if not operated.get(device_id):
            rejected.append(_refused_device(index, is_known=device_id in operated))
            continue
        indexes.append(index)
        if index in parsed.unlocated:
            # Written anew: the rest of such an item may be what made it no fix.
            good.append(alarm_to_item(parsed.unlocated[index]))
        elif fixes[index].unknown:
            # Written anew as well: what cannot be right may be what cannot be stored.
            good.append(fix_to_item(fixes[index]))
            unknown.update(fixes[index].unknown)
        else:
            good.append(_known_part(items[index]))
    _raise_if_only_viewer(user, sent_ids, operated)
    rejected.sort(key=lambda one: one.index)
    return Sorted(good, indexes, rejected, dict(unknown))


def count_refused(rejected: list[RejectedFix]) -> None:
    """Count fixes that become no part of a job; those that do are counted where they are stored."""
    if rejected:
        count_received(BATCH, len(rejected))
        count_rejected(BATCH, [one.code for one in rejected])


def nothing_accepted(rejected: list[RejectedFix]) -> ApiError:
    """The 400 of a batch without one good fix."""
    detail = _("No position of the batch can be accepted.")
    return ApiError(status.HTTP_400_BAD_REQUEST, "no_valid_fixes", detail, **rejected_body(rejected))


def rejected_body(rejected: list[RejectedFix]) -> dict[str, Any]:
    """How many, and the first of them."""
    return {"rejected_count": len(rejected), "rejected": msgspec.to_builtins(rejected[:MAX_REJECTED_SHOWN])}


def _known_part(item: dict[str, Any]) -> dict[str, Any]:
    """The item without unknown keys: they are not checked, and one that cannot be stored would cost the whole batch."""
    return item if item.keys() <= POSITION_KEYS else {key: item[key] for key in item.keys() & POSITION_KEYS}


def _refused_device(index: int, *, is_known: bool) -> RejectedFix:
    if is_known:
        return RejectedFix(index, "inactive_device", _("The device is not active."))
    return RejectedFix(index, "unknown_device", _("There is no such device among those you operate."))


def _raise_if_only_viewer(user: Any, unique_ids: set[str], operated: dict[str, bool]) -> None:
    if unique_ids and not operated and visible_devices(user).filter(unique_id__in=unique_ids).exists():
        raise PermissionDenied(role_too_low(FleetRole.OPERATOR))
