"""Events, to look at."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.fields import TimestampField
from tasks_app.api.pagination import PageQuery, keyset_page, page_body
from tasks_app.api.schema import describe, page_of
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


class EventListQuery(PageQuery):
    """Filters of the event list."""

    device = serializers.IntegerField(min_value=1, max_value=2**63 - 1, required=False)
    kind = serializers.ChoiceField(choices=EventKind.choices, required=False)

    def get_fields(self) -> dict[str, serializers.Field]:
        # `from` is a Python keyword and cannot be a class attribute.
        return {**super().get_fields(), "from": TimestampField(required=False), "to": TimestampField(required=False)}


class EventListView(ApiView):
    """Events of the devices the caller sees, newest first."""

    rights = {"GET": VIEW_EVENTS}

    @describe(
        "List events",
        name="events_list",
        tag="fleet",
        parameters=[EventListQuery],
        answers={200: page_of(EventSerializer, "EventPage")},
    )
    def get(self, request: Request) -> Response:
        query = self.parameters(EventListQuery)
        filters = {"device": "device_id", "kind": "kind", "from": "occurred_at__gte", "to": "occurred_at__lt"}
        wanted = {lookup: query[name] for name, lookup in filters.items() if name in query}
        events = visible_events(request.user).filter(**wanted)
        rows, cursor = keyset_page(
            events, order=("occurred_at", "id"), limit=query["limit"], cursor=query.get("cursor")
        )
        return Response(page_body(request, cursor, EventSerializer(rows, many=True).data))
