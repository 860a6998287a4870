"""The form of a geofence."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from tasks_app.models import Geofence
from tasks_app.queries.access import AnyUser, Right, visible_fleets
from tasks_app.web.area_field import AreaField
from tasks_app.web.doubted_area import DoubtedAreaForm
from tasks_app.web.versions import UnchangedMeanwhile


class GeofenceForm(DoubtedAreaForm, UnchangedMeanwhile):
    """A geofence of one of the fleets that `user` manages; an existing one stays in its fleet."""

    area = AreaField(
        label=_("Area"), help_text=_("Drawn on the map, or as text: GeoJSON (longitude first), WKT or KML.")
    )

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
        )

    def __init__(self, *args: Any, user: AnyUser, right: Right, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk is None:
            fleets = visible_fleets(user, right).order_by("name", "id")
            self.fields["fleet"].queryset = fleets  # type: ignore[attr-defined]
            self.initial["fleet"] = fleets.first()
        else:
            self.fields["fleet"].disabled = True
        self.fields["area"].widget.own_id = self.instance.pk
