"""Geofences: visible to members of the fleet, edited by its managers; and the devices inside one."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import ApiView
from tasks_app.api.devices import PlacedDeviceSerializer
from tasks_app.api.errors import Conflict
from tasks_app.api.fields import (
    FiniteFloatField,
    IdField,
    StorableJSONField,
    StrictModelSerializer,
    TimestampField,
    WindowsField,
    editable_fields,
)
from tasks_app.api.lists import BY_ID, Filters, RowList, by_id, by_text
from tasks_app.api.permissions import fleet_for, geofence_for
from tasks_app.api.rows import deleting, saving
from tasks_app.api.schema import describe
from tasks_app.api.sparse import fields_query
from tasks_app.geo.areas import MAX_WIDTH_METERS, InvalidArea, validate_area
from tasks_app.geo.wkt import area_from_wkt
from tasks_app.models import FleetRole, Geofence
from tasks_app.queries.access import VIEW_GEOFENCES, Right, visible_devices, visible_geofences
from tasks_app.queries.geofences import devices_inside
from tasks_app.services.geofences import ChangedMeanwhile, delete_geofence, save_geofence
from tasks_app.utils.clock import exact_time
from tasks_app.utils.iso_times import iso_utc
from tasks_app.utils.refusals import refusal_text

OF_WKT = ("wkt_order", "corridor_width_meters")


class AreaField(StorableJSONField):
    """An area as GeoJSON, or as WKT text (which `GeofenceSerializer` reads, since it knows the order)."""


class AreaScheme(OpenApiSerializerFieldExtension):
    """How the OpenAPI schema describes it: answers have no WKT."""

    target_class = AreaField

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        """Return the schema of the field in a body or an answer."""
        geometry = {"type": "object", "additionalProperties": True, "description": "GeoJSON geometry, or a Circle."}
        text = {"type": "string", "description": "WKT: POLYGON, MULTIPOLYGON, LINESTRING or CIRCLE (x y, radius)."}
        return geometry if direction == "response" else {"oneOf": [geometry, text]}


class GeofenceSerializer(StrictModelSerializer):
    """A geofence."""

    fleet_id = IdField()
    area = AreaField()
    wkt_order = serializers.ChoiceField(
        choices=["lonlat", "latlon"], write_only=True, required=False, help_text="Order in a WKT area; Traccar: latlon."
    )
    corridor_width_meters = FiniteFloatField(
        min_value=0.1,
        max_value=MAX_WIDTH_METERS,
        write_only=True,
        required=False,
        help_text="Whole width of a LINESTRING in WKT; twice Traccar's polylineDistance.",
    )
    windows = WindowsField()
    updated_at = TimestampField(read_only=True)
    unchanged_since = TimestampField(
        write_only=True,
        required=False,
        help_text="The `updated_at` that was read: 409 `changed_meanwhile` where another change came after it.",
    )

    class Meta:
        model = Geofence
        fields = [
            "id",
            "fleet_id",
            *editable_fields(Geofence),
            "updated_at",
            "unchanged_since",
            "wkt_order",
            "corridor_width_meters",
        ]
        read_only_fields = ["id"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The area, whichever way it was written, as GeoJSON. What would say nothing about it is refused."""
        is_text = isinstance(attrs.get("area"), str)
        problems = {} if is_text else {name: [_("Only an area in WKT takes this.")] for name in OF_WKT if name in attrs}
        if self.instance is None and "unchanged_since" in attrs:
            problems["unchanged_since"] = [_("Only a change takes this.")]
        order, width_meters = attrs.pop("wkt_order", "lonlat"), attrs.pop("corridor_width_meters", None)
        try:
            if is_text:
                attrs["area"] = area_from_wkt(attrs["area"], order=order, corridor_width_meters=width_meters)
                if width_meters is not None and attrs["area"]["type"] != "LineString":
                    problems["corridor_width_meters"] = [_("Only a LINESTRING has a width.")]
            elif "area" in attrs:
                validate_area(attrs["area"])
        except InvalidArea as error:
            problems["area"] = [refusal_text(error)]
        if problems:
            raise serializers.ValidationError(problems)
        return attrs


class GeofenceFilters(Filters):
    """Filters of the list."""

    fleet = by_id("fleet_id")
    name = by_text("name", max_length=100, lookup="icontains", help_text="A part of it.")


GEOFENCES = RowList(GeofenceSerializer, filters=GeofenceFilters, orderings={**BY_ID, "name": ("name", "id")})
INSIDE = RowList(PlacedDeviceSerializer)


class GeofenceListView(ApiView):
    """The geofences of the caller's fleets."""

    rights = {"GET": VIEW_GEOFENCES, "POST": Right(FleetRole.MANAGER, "tasks_app.add_geofence")}

    @describe(
        "List geofences",
        name="geofences_list",
        tag="fleet",
        parameters=GEOFENCES.parameters,
        answers={200: GEOFENCES.page_serializer("GeofencePage")},
    )
    def get(self, request: Request) -> Response:
        return GEOFENCES.answer(request, visible_geofences(request.user))

    @describe(
        "Make a geofence",
        name="geofences_create",
        tag="fleet",
        request=GeofenceSerializer,
        answers={201: GeofenceSerializer},
        errors=(404,),
        description=(
            "For managers of its fleet. `area` is GeoJSON in longitude, latitude order, or WKT text: standard order, or "
            "Traccar's with `wkt_order=latlon`."
        ),
    )
    def post(self, request: Request) -> Response:
        values = self.body(GeofenceSerializer)
        fleet_for(request.user, values["fleet_id"], self.asked)
        with saving():
            geofence = save_geofence(Geofence(), values, user=request.user)
        return Response(GeofenceSerializer(geofence).data, status=status.HTTP_201_CREATED)


class GeofenceView(ApiView):
    """One geofence."""

    rights = {
        "GET": VIEW_GEOFENCES,
        "PATCH": Right(FleetRole.MANAGER, "tasks_app.change_geofence"),
        "DELETE": Right(FleetRole.MANAGER, "tasks_app.delete_geofence"),
    }

    @describe(
        "A geofence",
        name="geofences_retrieve",
        tag="fleet",
        parameters=[fields_query(GeofenceSerializer)],
        answers={200: GeofenceSerializer},
        errors=(404,),
    )
    def get(self, request: Request, geofence_id: int) -> Response:
        return Response(self.shown(GeofenceSerializer, geofence_for(request.user, geofence_id, self.asked)))

    @describe(
        "Change a geofence",
        name="geofences_update",
        tag="fleet",
        request=GeofenceSerializer(partial=True),
        answers={200: GeofenceSerializer},
        errors=(404, 409),
        description="For managers of its fleet; its fleet cannot be changed. Each change is kept in its history.",
    )
    def patch(self, request: Request, geofence_id: int) -> Response:
        geofence = geofence_for(request.user, geofence_id, self.asked)
        values = self.body(GeofenceSerializer, changing=geofence)
        if values.get("fleet_id", geofence.fleet_id) != geofence.fleet_id:
            raise serializers.ValidationError({"fleet_id": [_("A geofence stays in its fleet.")]})
        since = values.pop("unchanged_since", None)
        try:
            with saving():
                saved = save_geofence(geofence, values, user=request.user, unchanged_since=since)
        except ChangedMeanwhile as error:
            detail = _("It was changed after it was read, at %(time)s.") % {"time": exact_time(error.updated_at)}
            raise Conflict("changed_meanwhile", detail, state=iso_utc(error.updated_at)) from error
        return Response(GeofenceSerializer(saved).data)

    @describe("Delete a geofence", name="geofences_delete", tag="fleet", answers={204: None}, errors=(404, 409))
    def delete(self, request: Request, geofence_id: int) -> Response:
        geofence = geofence_for(request.user, geofence_id, self.asked)
        with deleting():
            delete_geofence(geofence, user=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class GeofenceDevicesView(ApiView):
    """Devices inside a geofence now."""

    rights = {"GET": VIEW_GEOFENCES}

    @describe(
        "The devices inside a geofence",
        name="geofences_devices",
        tag="fleet",
        parameters=INSIDE.parameters,
        answers={200: INSIDE.page_serializer("PlacedDevicePage")},
        errors=(404,),
        description="As the pipeline decided by each device's newest fix.",
    )
    def get(self, request: Request, geofence_id: int) -> Response:
        geofence = geofence_for(request.user, geofence_id, self.asked)
        devices = devices_inside(geofence).filter(pk__in=visible_devices(request.user)).select_related("state")
        return INSIDE.answer(request, devices)
