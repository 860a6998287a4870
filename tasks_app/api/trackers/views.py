"""`/api/trackers`: the trackers that are connected now, of the devices the caller sees."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.fields import TimestampField
from tasks_app.api.pagination import PageQuery, page_body
from tasks_app.api.schema import describe, page_of
from tasks_app.ingest.trackers.registry import PROTOCOLS
from tasks_app.models import Device
from tasks_app.queries.access import VIEW_DEVICES, visible_devices
from tasks_app.queries.trackers import ConnectedTracker, connected_trackers

# Devices whose sessions are looked for together.
DEVICES_AT_ONCE = 500


class TrackerSerializer(serializers.Serializer[Any]):
    """A tracker and its connection."""

    device_id = serializers.IntegerField(source="device_pk")
    unique_id = serializers.CharField(source="device_id")
    protocol = serializers.CharField()
    transport = serializers.CharField(help_text="tcp or udp.")
    node = serializers.CharField(help_text="The gateway process that holds the connection.")
    connected_at = TimestampField(source="since")
    last_seen_at = TimestampField()
    address = serializers.CharField(help_text="The tracker's own, or that of its mobile network.")
    bytes_received = serializers.IntegerField()
    bytes_sent = serializers.IntegerField()
    frames = serializers.IntegerField(help_text="Received on this connection.")


class TrackerListQuery(PageQuery):
    """Filters of the list."""

    protocol = serializers.ChoiceField(choices=sorted(PROTOCOLS), required=False)
    fleet = serializers.IntegerField(min_value=1, max_value=2**63 - 1, required=False)
    device = serializers.IntegerField(
        min_value=1, max_value=2**63 - 1, required=False, help_text="Its id; the list is empty if it is not connected."
    )


class TrackerListView(ApiView):
    """The trackers that are connected to the gateways of all hosts."""

    rights = {"GET": VIEW_DEVICES}

    @describe(
        "List connected trackers",
        name="trackers_list",
        tag="fleet",
        parameters=[TrackerListQuery],
        answers={200: page_of(TrackerSerializer, "TrackerPage")},
        description="Of the devices the caller sees, by the device's id. Figures are at most some seconds old.",
    )
    def get(self, request: Request) -> Response:
        query = self.parameters(TrackerListQuery)
        after = _read_cursor(query.get("cursor"))
        devices = visible_devices(request.user)
        if "fleet" in query:
            devices = devices.filter(fleet_id=query["fleet"])
        if "device" in query:
            devices = devices.filter(pk=query["device"])
        shown = _connected_after(devices, after, query.get("protocol"), query["limit"] + 1)
        page = shown[: query["limit"]]
        cursor = str(page[-1].device_pk) if len(shown) > len(page) else None
        return Response(page_body(request, cursor, TrackerSerializer(page, many=True).data))


def _connected_after(devices: QuerySet[Device], after: int, protocol: str | None, most: int) -> list[ConnectedTracker]:
    """Return the connected ones among these devices, by primary key; no more sessions are read than it takes to find them."""
    found: list[ConnectedTracker] = []
    while len(found) < most:
        some = dict(devices.filter(pk__gt=after).order_by("pk").values_list("unique_id", "pk")[:DEVICES_AT_ONCE])
        if not some:
            break
        sessions = [one for one in connected_trackers(some) if some[one.device_id] == one.device_pk]
        wanted = [one for one in sessions if protocol in (None, one.protocol)]
        found += sorted(wanted, key=lambda one: one.device_pk)
        after = max(some.values())
    return found[:most]


def _read_cursor(cursor: str | None) -> int:
    """Return the device after which the page begins. Raises ValidationError."""
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 19):
        raise serializers.ValidationError({"cursor": [_("This is not a cursor of this list.")]})
    return int(cursor)
