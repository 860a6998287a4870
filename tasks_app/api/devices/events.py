"""Events, to look at."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.fields import TimestampField
from tasks_app.api.lists import Filters, RowList, between, by_choice, by_id
from tasks_app.api.schema import describe
from tasks_app.models import Event, EventKind
from tasks_app.queries.access import VIEW_EVENTS, visible_events


class EventSerializer(serializers.ModelSerializer[Event]):
    """An event."""

    kind = serializers.CharField()
    occurred_at = TimestampField()
    data = serializers.DictField(child=serializers.JSONField())  # type: ignore[assignment]

    class Meta:
        model = Event
        fields = ["id", "kind", "device_id", "geofence_id", "occurred_at", "latitude", "longitude", "data"]
        read_only_fields = fields


class EventFilters(Filters):
    """Filters of the event list."""

    device = by_id("device_id")
    fleet = by_id("device__fleet_id")
    geofence = by_id("geofence_id")
    kind = by_choice(EventKind.choices, "kind")

    @classmethod
    def get_filters(cls) -> dict[str, Any]:
        return {**super().get_filters(), **between("occurred_at")}


EVENTS = RowList(EventSerializer, filters=EventFilters, orderings={"occurred_at": ("occurred_at", "id")})


class EventListView(ApiView):
    """Events of the devices the caller sees, newest first."""

    rights = {"GET": VIEW_EVENTS}

    @describe(
        "List events",
        name="events_list",
        tag="fleet",
        parameters=EVENTS.parameters,
        answers={200: EVENTS.page_serializer("EventPage")},
    )
    def get(self, request: Request) -> Response:
        return EVENTS.answer(request, visible_events(request.user))
