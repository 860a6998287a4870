"""Stored positions, to look at: page by page, or a whole range as few points or as GeoJSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from operator import attrgetter
from typing import Any

import numpy as np
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.fields import IdListField, TimestampField
from tasks_app.api.pagination import PageQuery, merged_page, page_body
from tasks_app.api.permissions import devices_for
from tasks_app.api.schema import describe, page_of
from tasks_app.api.sparse import FieldsField, pruned
from tasks_app.geo.antimeridian import crossing_latitudes
from tasks_app.models import Device, Position
from tasks_app.queries.access import VIEW_POSITIONS
from tasks_app.queries.routes import simplified_route
from tasks_app.utils.iso_times import iso_utc

MAX_DAYS = 31
MAX_DEVICES = 20
MAX_POINTS, DEFAULT_POINTS = 5000, 1000
# Of all devices of one answer together.
MAX_POINTS_OF_ALL = 20_000


class StoredPositionSerializer(serializers.ModelSerializer[Position]):
    """A stored position; speed and course are null where the device sent none."""

    fix_time = TimestampField()
    received_at = TimestampField()
    attributes = serializers.DictField(child=serializers.JSONField(), allow_null=True)

    class Meta:
        model = Position
        fields = [
            "device_id",
            "fix_time",
            "received_at",
            "latitude",
            "longitude",
            "altitude_meters",
            "speed_kph",
            "course_degrees",
            "accuracy_meters",
            "attributes",
        ]
        read_only_fields = fields


class RouteGeometrySerializer(serializers.Serializer[Any]):
    """A line, a Point where there is one position only, lines that end at the 180th meridian where the way crosses it."""

    type = serializers.ChoiceField(choices=["LineString", "MultiLineString", "Point"])
    coordinates = serializers.ListField(child=serializers.JSONField(), help_text="[longitude, latitude, altitude]")


class RoutePropertiesSerializer(serializers.Serializer[Any]):
    """Properties of the line: its device, and lists with one value for each position, null for those that only cut the line.

    For several lines they are lists of lists.
    """

    device_id = serializers.CharField(help_text="The device's unique identifier.")
    device = serializers.IntegerField(help_text="The device's row number.")
    name = serializers.CharField()
    coordTimes = serializers.ListField(child=TimestampField())
    speed_kph = serializers.ListField(child=serializers.FloatField(allow_null=True))
    course_degrees = serializers.ListField(child=serializers.FloatField(allow_null=True))
    accuracy_meters = serializers.ListField(child=serializers.FloatField(allow_null=True))


class RouteFeatureSerializer(serializers.Serializer[Any]):
    """The route of one device."""

    type = serializers.ChoiceField(choices=["Feature"])
    geometry = RouteGeometrySerializer()
    properties = RoutePropertiesSerializer()


class RouteCollectionSerializer(serializers.Serializer[Any]):
    """GeoJSON (RFC 7946): a feature for each device that has positions in the range."""

    type = serializers.ChoiceField(choices=["FeatureCollection"])
    features = RouteFeatureSerializer(many=True)


class PositionListQuery(PageQuery):
    """Which devices, and when: the last day unless said."""

    device = IdListField(most=MAX_DEVICES, help_text="The devices' row numbers, with commas between them.")
    format = serializers.ChoiceField(choices=["json", "geojson"], default="json")
    ordering = serializers.ChoiceField(
        choices=["-fix_time", "fix_time"],
        default="-fix_time",
        help_text="Order of the pages; a minus: the last ones first.",
    )
    max_points = serializers.IntegerField(
        min_value=2,
        max_value=MAX_POINTS,
        required=False,
        help_text="Answer the whole range at once, with at most this many positions of each device that draw the same line.",
    )

    def get_fields(self) -> dict[str, Any]:
        # `from` is a Python keyword and cannot be a class attribute.
        return {
            **super().get_fields(),
            "from": TimestampField(required=False),
            "to": TimestampField(required=False),
            "fields": FieldsField(StoredPositionSerializer),
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        end = attrs.get("to") or timezone.now()
        start = attrs.get("from") or end - timedelta(days=1)
        if not timedelta(0) < end - start <= timedelta(days=MAX_DAYS):
            detail = _("The range must go forward and cover at most %(days)d days.") % {"days": MAX_DAYS}
            raise serializers.ValidationError({"to": [detail]})
        return {**attrs, "from": start, "to": end, "max_points": self._points(attrs)}

    def _points(self, attrs: dict[str, Any]) -> int | None:
        """How many points of each device, None for pages."""
        if attrs["format"] == "json" and "max_points" not in attrs:
            return None
        if unfit := [name for name in ("cursor", "limit", "ordering") if name in self.initial_data]:
            detail = _("A range that is simplified has no pages.")
            raise serializers.ValidationError({name: [detail] for name in unfit})
        if attrs["format"] == "geojson" and "fields" in attrs:
            raise serializers.ValidationError({"fields": [_("GeoJSON has its own fields.")]})
        most = MAX_POINTS_OF_ALL // len(attrs["device"])
        if attrs.get("max_points", 0) > most:
            detail = _("With so many devices at most %(most)d points of each are answered.") % {"most": most}
            raise serializers.ValidationError({"max_points": [detail]})
        return attrs.get("max_points", DEFAULT_POINTS)


class PositionListView(ApiView):
    """Positions of devices within `[from, to)`."""

    rights = {"GET": VIEW_POSITIONS}

    @describe(
        "List the positions of devices",
        name="positions_list",
        tag="positions",
        parameters=[PositionListQuery],
        answers={
            200: PolymorphicProxySerializer(
                "Positions",
                serializers=[page_of(StoredPositionSerializer, "PositionPage"), RouteCollectionSerializer],
                resource_type_field_name=None,
            )
        },
        errors=(404,),
        description=(
            "Newest first, page by page. With `max_points` the whole range at once, thinned to the positions that draw the "
            "same line. With `format=geojson` the same (1000 points unless said) as one LineString for each device, oldest "
            "position first, which the import reads again."
        ),
    )
    def get(self, request: Request) -> Response:
        query = self.parameters(PositionListQuery)
        devices = sorted(devices_for(request.user, query["device"], self.asked), key=lambda device: device.pk)
        if query["max_points"] is None:
            return self._page(request, query, devices)
        routes = [simplified_route(d.pk, query["from"], query["to"], max_points=query["max_points"]) for d in devices]
        if query["format"] == "geojson":
            features = [_feature(device, route) for device, route in zip(devices, routes, strict=True) if route]
            return Response({"type": "FeatureCollection", "features": features})
        rows = sorted((row for route in routes for row in route), key=_newest_first)
        return Response(page_body(request, None, _shown(rows, query)))

    def _page(self, request: Request, query: dict[str, Any], devices: Sequence[Device]) -> Response:
        wanted = {"fix_time__gte": query["from"], "fix_time__lt": query["to"]}
        rows = [Position.objects.filter(device=device, **wanted) for device in devices]
        order = ("fix_time", "device_id") if len(rows) > 1 else ("fix_time",)
        ordering = "fix_time" if query["ordering"] == "fix_time" else ""
        page, cursor = merged_page(
            rows, order=order, limit=query["limit"], cursor=query.get("cursor"), ordering=ordering
        )
        # A range that ends now would be another one on each page.
        span = {name: iso_utc(query[name]) for name in ("from", "to")}
        return Response(page_body(request, cursor, _shown(page, query), **span))


def _shown(rows: Sequence[Position], query: dict[str, Any]) -> Any:
    return pruned(StoredPositionSerializer(rows, many=True), query.get("fields")).data


def _newest_first(position: Position) -> tuple[float, int]:
    return -position.fix_time.timestamp(), -position.device_id


def _feature(device: Device, route: Sequence[Position]) -> dict[str, Any]:
    """The route as GeoJSON; its lists of values are named as the import reads them."""
    lines = _lines(route)
    several = len(lines) > 1
    kind = "MultiLineString" if several else "LineString" if len(route) > 1 else "Point"
    coordinates: Any = [[place for place, _position in line] for line in lines]
    if not several:
        coordinates = coordinates[0] if len(route) > 1 else coordinates[0][0]

    def values(of: Callable[[Position], Any]) -> list[Any]:
        found = [[None if position is None else of(position) for _place, position in line] for line in lines]
        return found if several else found[0]

    return {
        "type": "Feature",
        "geometry": {"type": kind, "coordinates": coordinates},
        "properties": {
            "device_id": device.unique_id,
            "device": device.pk,
            "name": device.name,
            "coordTimes": values(lambda position: iso_utc(position.fix_time)),
            **{name: values(attrgetter(name)) for name in ("speed_kph", "course_degrees", "accuracy_meters")},
        },
    }


def _lines(route: Sequence[Position]) -> list[list[tuple[list[float], Position | None]]]:
    """The places of the route, cut at the 180th meridian (RFC 7946, section 3.1.9) by places that are no positions."""
    places = np.array([(position.latitude, position.longitude) for position in route])
    crossings = crossing_latitudes(*places[:-1].T, *places[1:].T).tolist()
    lines: list[list[tuple[list[float], Position | None]]] = [[]]
    for position, latitude in zip(route, [math.nan, *crossings], strict=True):
        if not math.isnan(latitude):
            side = math.copysign(180.0, position.longitude)
            lines[-1].append(([-side, latitude], None))
            lines.append([([side, latitude], None)])
        lines[-1].append((_coordinates(position), position))
    return lines


def _coordinates(position: Position) -> list[float]:
    altitude = [] if position.altitude_meters is None else [position.altitude_meters]
    return [position.longitude, position.latitude, *altitude]
