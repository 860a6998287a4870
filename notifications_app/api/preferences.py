"""The caller's notification preferences."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from notifications_app.models import NotificationPreference
from tasks_app.api.base import ApiView
from tasks_app.api.fields import ClockField, StrictModelSerializer, editable_fields
from tasks_app.api.rows import saved
from tasks_app.api.schema import describe
from tasks_app.queries.access import OWN


class PreferenceSerializer(StrictModelSerializer):
    """Language, zone, units, quiet hours, digest and daily summary. Times of day are on the caller's own clock."""

    quiet_from = ClockField(required=False, allow_null=True)
    quiet_to = ClockField(required=False, allow_null=True)
    digest_daily_at = ClockField(required=False, allow_null=True)
    daily_summary_at = ClockField(required=False)

    class Meta:
        model = NotificationPreference
        fields = editable_fields(NotificationPreference)


class PreferenceView(ApiView):
    """The caller's own preferences."""

    rights = {"GET": OWN, "PATCH": OWN}

    @describe("Own preferences", name="preferences", tag="notifications", answers={200: PreferenceSerializer})
    def get(self, request: Request) -> Response:
        return Response(PreferenceSerializer(_own(request.user)).data)

    @describe(
        "Change own preferences",
        name="preferences_update",
        tag="notifications",
        request=PreferenceSerializer(partial=True),
        answers={200: PreferenceSerializer},
    )
    def patch(self, request: Request) -> Response:
        own = _own(request.user)
        return Response(PreferenceSerializer(saved(own, self.body(PreferenceSerializer, changing=own))).data)


def _own(user: Any) -> NotificationPreference:
    return NotificationPreference.objects.filter(user=user).first() or NotificationPreference(user=user)
