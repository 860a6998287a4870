"""Geofences, with a drawing of their area."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from tasks_app.admin.common import MISSING
from tasks_app.admin.exchange import ImportExportAdmin
from tasks_app.admin.fleets.geofence_sketch import area_svg
from tasks_app.admin.resources import GeofenceResource
from tasks_app.admin.windows import WindowsField
from tasks_app.models import Geofence
from tasks_app.queries.geofences import devices_inside
from tasks_app.web.area_field import AreaField, AreaWidget
from tasks_app.web.versions import UnchangedMeanwhile

LISTED_INSIDE = 20


class AdminAreaWidget(AreaWidget, UnfoldAdminTextareaWidget):
    """The map and text field of an area, as the theme has text fields."""


class GeofenceForm(UnchangedMeanwhile, forms.ModelForm):
    area = AreaField(label=_("Area"), widget=AdminAreaWidget)
    windows = WindowsField(label=_("Windows"), required=False)

    class Meta:
        model = Geofence
        fields = (
            "fleet",
            "name",
            "area",
            "is_active",
            "speed_limit_kph",
            "tolerance_meters",
            "dwell_seconds",
            "windows",
            "version",
        )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if "area" in self.fields:
            self.fields["area"].widget.own_id = self.instance.pk


@admin.register(Geofence)
class GeofenceAdmin(ImportExportAdmin, ModelAdmin):
    resource_classes = (GeofenceResource,)
    form = GeofenceForm
    list_display = ("name", "fleet", "area_kind", "speed_limit_kph", "is_active", "updated_at")
    list_filter = ("fleet", "is_active")
    list_filter_sheet = False
    list_select_related = ("fleet",)
    search_fields = ("name",)
    autocomplete_fields = ("fleet",)
    readonly_fields = ("sketch", "inside", "updated_at")
    fieldsets = (
        (None, {"fields": (("name", "fleet"), ("speed_limit_kph", "is_active"))}),
        (
            _("When a device has entered or left"),
            {
                "fields": (("tolerance_meters", "dwell_seconds"), "windows"),
                "description": _(
                    "Windows are those of the week, in the fleet's time zone, in which entering and leaving is recorded; "
                    "none means always. A window that ends before it begins ends on the next day."
                ),
            },
        ),
        (
            _("Area"),
            {
                "fields": ("area", "sketch", "inside", "version"),
                "description": _(
                    "Drawn on the map, or as text: KML, WKT, or GeoJSON in longitude, latitude order: a Polygon, a "
                    "MultiPolygon, a LineString with width_meters, "
                    'or {"type": "Circle", "coordinates": [longitude, latitude], "radius_meters": 250}.'
                ),
            },
        ),
    )

    @display(description=_("area"))
    def area_kind(self, geofence: Geofence) -> Any:
        return geofence.shape or MISSING

    @display(description=_("sketch"))
    def sketch(self, geofence: Geofence) -> str:
        return area_svg(geofence.area) or MISSING

    @display(description=_("inside now"))
    def inside(self, geofence: Geofence) -> str:
        names = [str(device) for device in devices_inside(geofence).order_by("name", "id")[: LISTED_INSIDE + 1]]
        more = ["…"] if len(names) > LISTED_INSIDE else []
        return ", ".join([*names[:LISTED_INSIDE], *more]) or MISSING
