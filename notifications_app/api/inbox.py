"""A person's own notifications."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from notifications_app.models import Notification
from notifications_app.models.kinds import message_kind_choices
from notifications_app.queries.inbox import visible_notifications
from notifications_app.queries.inbox_cache import recent_notifications, unread_count
from notifications_app.services.inbox import acknowledge, mark_read
from notifications_app.services.texts import fill_bodies
from tasks_app.api.base import ApiView
from tasks_app.api.fields import IdField, StrictSerializer, TimestampField
from tasks_app.api.lists import Filters, RowList, by_choice, by_flag, by_id
from tasks_app.api.pagination import MAX_LIMIT
from tasks_app.api.schema import describe
from tasks_app.queries.access import OWN


class NotificationSerializer(serializers.ModelSerializer[Notification]):
    """One message."""

    kind = serializers.CharField()
    text = serializers.CharField(source="body_text")
    created_at = TimestampField()
    read_at = TimestampField(allow_null=True)
    acknowledged_at = TimestampField(allow_null=True)

    class Meta:
        model = Notification
        fields = ["id", "kind", "subject", "text", "device_id", "event_id", "created_at", "read_at", "acknowledged_at"]
        read_only_fields = fields


class RecentNotificationSerializer(NotificationSerializer):
    """One message without its text."""

    class Meta(NotificationSerializer.Meta):
        fields = [name for name in NotificationSerializer.Meta.fields if name != "text"]
        read_only_fields = fields

    text = None  # type: ignore[assignment]


class RecentSerializer(serializers.Serializer[Any]):
    """The newest notifications with the unread count."""

    unread = serializers.IntegerField(help_text="Unread notifications in total.")
    results = RecentNotificationSerializer(many=True)


class UnreadSerializer(serializers.Serializer[Any]):
    """The unread count."""

    unread = serializers.IntegerField()


class NotificationFilters(Filters):
    """Filters of the notification list."""

    unread = by_flag("read_at", "isnull")
    kind = by_choice(message_kind_choices(), "kind")
    device = by_id("device_id")


NOTIFICATIONS = RowList(
    NotificationSerializer, filters=NotificationFilters, orderings={"created_at": ("created_at", "id")}
)


class MarkReadBody(StrictSerializer):
    """The notifications to mark; by default all of the caller's."""

    ids = serializers.ListField(child=IdField(), min_length=1, max_length=MAX_LIMIT, required=False)


class MarkedSerializer(serializers.Serializer[Any]):
    """The number of changed notifications."""

    changed = serializers.IntegerField(help_text="Notifications that were unread before.")


class NotificationListView(ApiView):
    """The caller's notifications, newest first."""

    rights = {"GET": OWN}

    @describe(
        "List own notifications",
        name="notifications_list",
        tag="notifications",
        parameters=NOTIFICATIONS.parameters,
        answers={200: NOTIFICATIONS.page_serializer("NotificationPage")},
    )
    def get(self, request: Request) -> Response:
        return NOTIFICATIONS.answer(request, visible_notifications(request.user), prepare=_with_texts)


def _with_texts(page: list[Notification]) -> list[Notification]:
    fill_bodies(page)
    return page


class RecentView(ApiView):
    """The newest notifications and the unread count, from the cache."""

    rights = {"GET": OWN}

    @describe(
        "The newest 50 own notifications and how many are unread",
        name="notifications_recent",
        tag="notifications",
        answers={200: RecentSerializer},
    )
    def get(self, request: Request) -> Response:
        return Response(recent_notifications(request.user))


class UnreadCountView(ApiView):
    """The number of the caller's unread notifications."""

    rights = {"GET": OWN}

    @describe(
        "Count own unread notifications",
        name="notifications_unread_count",
        tag="notifications",
        answers={200: UnreadSerializer},
    )
    def get(self, request: Request) -> Response:
        return Response({"unread": unread_count(request.user)})


class AcknowledgeView(ApiView):
    """Acknowledges a notification; repeating the request is no error."""

    rights = {"POST": OWN}

    @describe(
        "Acknowledge one notification",
        name="notification_acknowledge",
        tag="notifications",
        answers={200: MarkedSerializer},
        errors=(404,),
        description="The notification counts as read, and its event is not escalated any further.",
    )
    def post(self, request: Request, notification_id: int) -> Response:
        if not visible_notifications(request.user).filter(pk=notification_id).exists():
            raise Http404
        changed = acknowledge(user=request.user, now=timezone.now(), notification_ids=[notification_id])
        return Response({"changed": changed})


class MarkReadView(ApiView):
    """Marks the caller's notifications as read."""

    rights = {"POST": OWN}

    @describe(
        "Mark own notifications as read",
        name="notifications_mark_read",
        tag="notifications",
        request=MarkReadBody,
        answers={200: MarkedSerializer},
    )
    def post(self, request: Request) -> Response:
        ids = self.body(MarkReadBody).get("ids")
        return Response({"changed": mark_read(user=request.user, now=timezone.now(), notification_ids=ids)})


class MarkOneReadView(ApiView):
    """Marks one notification as read; repeating the request is no error."""

    rights = {"POST": OWN}

    @describe(
        "Mark one notification as read",
        name="notification_mark_read",
        tag="notifications",
        answers={200: MarkedSerializer},
        errors=(404,),
    )
    def post(self, request: Request, notification_id: int) -> Response:
        if not visible_notifications(request.user).filter(pk=notification_id).exists():
            raise Http404
        changed = mark_read(user=request.user, now=timezone.now(), notification_ids=[notification_id])
        return Response({"changed": changed})
