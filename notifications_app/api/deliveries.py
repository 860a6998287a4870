"""The delivery log: deliveries with their attempts and the receivers' answers."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from notifications_app.models import Delivery, DeliveryAttempt, DeliveryState
from notifications_app.models.kinds import channel_choices
from notifications_app.queries.deliveries import VIEW_DELIVERIES, visible_deliveries
from notifications_app.services.deliveries import NotRetryable, retry_delivery
from tasks_app.api.base import ApiView
from tasks_app.api.errors import Conflict
from tasks_app.api.fields import IdField, TimestampField
from tasks_app.api.lists import BY_ID, Filters, RowList, by_choice, by_id
from tasks_app.api.schema import describe
from tasks_app.api.sparse import fields_query
from tasks_app.models import Scope
from tasks_app.queries.access import Right, has_everywhere


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """One delivery. `address` and `last_error` hold no secrets."""

    channel = serializers.CharField()
    state = serializers.CharField()
    user = serializers.CharField(source="notification.user.username")
    kind = serializers.CharField(source="notification.kind")
    subject = serializers.CharField(source="notification.subject")
    created_at = TimestampField()
    hold_until = TimestampField(allow_null=True)
    sent_at = TimestampField(allow_null=True)

    class Meta:
        model = Delivery
        fields = [
            "id", "notification_id", "user", "kind", "subject", "channel", "destination_id", "address", "state",
            "attempt_count", "last_error", "created_at", "hold_until", "sent_at", "merged_into_id",
        ]  # fmt: skip
        read_only_fields = fields


class AttemptSerializer(serializers.ModelSerializer[DeliveryAttempt]):
    """One attempt; `sending` without an end is running, or its sender died."""

    outcome = serializers.CharField()
    started_at = TimestampField()
    finished_at = TimestampField(allow_null=True)
    duration_seconds = serializers.FloatField(allow_null=True)

    class Meta:
        model = DeliveryAttempt
        fields = [
            "number",
            "outcome",
            "address",
            "answer",
            "started_at",
            "finished_at",
            "duration_seconds",
            "request_id",
        ]
        read_only_fields = fields


class DeliveryDetailSerializer(DeliverySerializer):
    """One delivery with its attempts."""

    attempts = AttemptSerializer(many=True)

    class Meta(DeliverySerializer.Meta):
        fields = [*DeliverySerializer.Meta.fields, "attempts"]
        read_only_fields = fields


class DeliveryFilters(Filters):
    """Filters of the delivery log."""

    state = by_choice(DeliveryState.choices, "state")
    channel = by_choice(channel_choices(), "channel")
    notification_id = by_id("notification_id")
    destination_id = by_id("destination_id")
    merged_into_id = by_id("merged_into_id", help_text="The deliveries merged into this digest.")
    user_id = by_id("notification__user_id", help_text="For staff: deliveries to this user.")


DELIVERIES = RowList(DeliverySerializer, filters=DeliveryFilters, orderings=BY_ID)


class DeliveryListView(ApiView):
    """The caller's deliveries, newest first; staff with the permission see everybody's."""

    rights = {"GET": VIEW_DELIVERIES}

    @describe(
        "List deliveries",
        name="deliveries_list",
        tag="notifications",
        parameters=DELIVERIES.parameters,
        answers={200: DELIVERIES.page_serializer("DeliveryPage")},
    )
    def get(self, request: Request) -> Response:
        return DELIVERIES.answer(request, visible_deliveries(request.user))


class DeliveryView(ApiView):
    """One delivery."""

    rights = {"GET": VIEW_DELIVERIES}

    @describe(
        "A delivery with every attempt",
        name="deliveries_retrieve",
        tag="notifications",
        parameters=[fields_query(DeliveryDetailSerializer)],
        answers={200: DeliveryDetailSerializer},
        errors=(404,),
    )
    def get(self, request: Request, delivery_id: int) -> Response:
        return Response(self.shown(DeliveryDetailSerializer, delivery_for(request.user, delivery_id)))


class DeliveryRetryView(ApiView):
    """Tries a failed delivery again: one's own, or with the permission to change deliveries."""

    scopes_to_change = (Scope.OPERATE,)

    rights = {"POST": Right(None, "notifications_app.change_delivery", is_own=True)}

    @describe(
        "Try a failed delivery again",
        name="deliveries_retry",
        tag="notifications",
        answers={202: DeliveryDetailSerializer},
        errors=(404, 409),
    )
    def post(self, request: Request, delivery_id: int) -> Response:
        delivery = delivery_for(request.user, delivery_id)
        if delivery.notification.user_id != request.user.pk and not has_everywhere(request.user, self.asked):
            raise PermissionDenied
        try:
            retry_delivery(delivery)
        except NotRetryable as error:
            raise Conflict("not_failed", str(error), state=delivery.state) from error
        delivery.refresh_from_db()
        return Response(DeliveryDetailSerializer(delivery).data, status=status.HTTP_202_ACCEPTED)


class DeliveryQueuedSerializer(serializers.Serializer[Any]):
    """The delivery of a test, whose state is its result."""

    delivery_id = IdField()


def delivery_for(user: Any, delivery_id: int) -> Delivery:
    """Raises Http404 for one that the user may not see."""
    delivery = visible_deliveries(user).filter(pk=delivery_id).first()
    if delivery is None:
        raise Http404
    return delivery
