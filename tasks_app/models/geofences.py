"""Geofences: areas whose entering and leaving is an event."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from tasks_app.geo.areas import InvalidArea, validate_area, validate_members
from tasks_app.geo.windows import InvalidWindows, validate_windows
from tasks_app.models.fleets import METERS_VALIDATORS, SECONDS_VALIDATORS, SPEED_LIMIT_VALIDATORS, Fleet
from tasks_app.models.lines import ONE_LINE
from tasks_app.utils.refusals import refusal_text

AREA_KINDS = {
    "Circle": _("Circle"),
    "LineString": _("Corridor"),
    "Polygon": _("Polygon"),
    "MultiPolygon": _("Several polygons"),
}


def validate_area_field(value: Any) -> None:
    """Django validator around the rules of `geo.areas`."""
    try:
        validate_area(value)
        validate_members(value)
    except InvalidArea as error:
        raise ValidationError(refusal_text(error)) from error


def validate_windows_field(value: Any) -> None:
    """Django validator around the rules of `geo.windows`."""
    try:
        validate_windows(value)
    except InvalidWindows as error:
        raise ValidationError(refusal_text(error)) from error


class Geofence(models.Model):
    """An area of one fleet. `area` is GeoJSON in (longitude, latitude) order, plus the type Circle (see geo.geofence).

    Enters and exits are recorded in `windows` only (see geo.windows; none means always), in the fleet's time zone.
    """

    fleet = models.ForeignKey(Fleet, on_delete=models.CASCADE, related_name="geofences", verbose_name=_("fleet"))
    name = models.CharField(_("name"), max_length=100, validators=[ONE_LINE])
    area = models.JSONField(_("area"), validators=[validate_area_field])
    is_active = models.BooleanField(_("active"), default=True)
    speed_limit_kph = models.FloatField(
        _("speed limit (km/h)"), null=True, blank=True, validators=SPEED_LIMIT_VALIDATORS
    )
    tolerance_meters = models.FloatField(
        _("tolerance (m)"),
        null=True,
        blank=True,
        validators=METERS_VALIDATORS,
        help_text=_("A device has left only when it is farther outside than this. Empty uses the fleet's."),
    )
    dwell_seconds = models.PositiveIntegerField(
        _("dwell (seconds)"),
        null=True,
        blank=True,
        validators=SECONDS_VALIDATORS,
        help_text=_("How long a device must stay before entering or leaving is recorded. Empty uses the fleet's."),
    )
    windows = models.JSONField(_("windows"), default=list, blank=True, validators=[validate_windows_field])
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("geofence")
        verbose_name_plural = _("geofences")
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["fleet", "name"], name="geofence_name_once_per_fleet"),
            models.CheckConstraint(
                name="geofence_speed_limit_sane",
                condition=models.Q(speed_limit_kph__isnull=True)
                | models.Q(speed_limit_kph__gt=0, speed_limit_kph__lte=500),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def shape(self) -> str:
        """The kind of the area in words; empty for one that is not valid."""
        kind = self.area.get("type") if isinstance(self.area, dict) else None
        return str(AREA_KINDS.get(kind or "", ""))
