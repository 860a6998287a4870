"""Geofences, with a drawing of their area."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from tasks_app.admin.common import MISSING
from tasks_app.admin.exchange import ImportExportAdmin
from tasks_app.admin.fleets.geofence_sketch import area_svg
from tasks_app.admin.model_admin import ModelAdmin
from tasks_app.admin.resources import GeofenceResource
from tasks_app.admin.windows import WindowsField
from tasks_app.models import Geofence
from tasks_app.queries.geofences import devices_inside
from tasks_app.services.geofences import change_message
from tasks_app.utils.clock import exact_time
from tasks_app.web.area_field import AreaField, AreaWidget
from tasks_app.web.doubted_area import DoubtedAreaForm
from tasks_app.web.geofence_changes import changes_of
from tasks_app.web.versions import UnchangedMeanwhile

LISTED_INSIDE = 20
LISTED_CHANGES = 20


class AdminAreaWidget(AreaWidget, UnfoldAdminTextareaWidget):
    """The map and text field of an area, as the theme has text fields."""


class GeofenceForm(DoubtedAreaForm, UnchangedMeanwhile):
    area = AreaField(label=_("Area"), widget=AdminAreaWidget)
    windows = WindowsField(label=_("Windows"), required=False)

    class Meta:
        model = Geofence
        fields = (
            "fleet",
            "name",
            "area",
            "is_confirmed",
            "is_active",
            "speed_limit_kph",
            "tolerance_meters",
            "dwell_seconds",
            "windows",
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
    readonly_fields = ("sketch", "inside", "changes", "updated_at")
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
                "fields": ("area", "is_confirmed", "sketch", "inside", "changes"),
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

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> list[dict[str, Any]]:
        """Return what the history keeps, with former and new values as the pages at / and the API record them."""
        return change_message(form.instance, None if add else form.initial)

    @display(description=_("changes"))
    def changes(self, geofence: Geofence) -> str:
        found = changes_of(geofence, LISTED_CHANGES) if geofence.pk else []
        lines = ((exact_time(one.at), one.user, " · ".join(one.texts)) for one in found)
        return format_html_join("", "<p>{} · {} · {}</p>", lines) or MISSING

    @display(description=_("inside now"))
    def inside(self, geofence: Geofence) -> str:
        names = [str(device) for device in devices_inside(geofence).order_by("name", "id")[: LISTED_INSIDE + 1]]
        more = ["…"] if len(names) > LISTED_INSIDE else []
        return ", ".join([*names[:LISTED_INSIDE], *more]) or MISSING
