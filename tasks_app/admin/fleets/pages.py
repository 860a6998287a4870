"""Fleets and their memberships."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from tasks_app.admin.accounts import MembershipFormSet
from tasks_app.admin.fleets.filters import FleetFiltersInline
from tasks_app.admin.model_admin import ModelAdmin, TabularInline
from tasks_app.models import Fleet, FleetMembership
from tasks_app.web.device_access import LinesField


class MembershipInline(TabularInline):
    model = FleetMembership
    extra = 0
    autocomplete_fields = ("user",)
    formset = MembershipFormSet

    def get_formset(self, request: HttpRequest, obj: Fleet | None = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)
        formset.editor = request.user
        return formset


class FleetForm(forms.ModelForm):
    tracker_networks = LinesField(
        label=_("Networks of trackers"),
        widget=UnfoldAdminTextareaWidget,
        help_text=_(
            "Addresses its trackers may connect from, such as 203.0.113.0/24, one on a line; empty allows all."
        ),
    )

    class Meta:
        model = Fleet
        fields = ("tracker_networks",)


@admin.register(Fleet)
class FleetAdmin(ModelAdmin):
    form = FleetForm
    list_display = ("name", "device_count", "member_count", "time_zone", "speed_limit_kph", "offline_after_minutes")
    search_fields = ("name",)
    # Counts leave the rows without the order of the model, and suggestions of fleets come in pages.
    ordering = ("name", "id")
    readonly_fields = ("created_at",)
    fieldsets = (
        (None, {"fields": (("name", "time_zone"), ("offline_after_minutes", "battery_low_percent"))}),
        (_("Overspeed"), {"fields": ("speed_limit_kph", ("overspeed_tolerance_kph", "overspeed_min_seconds"))}),
        (_("Trackers"), {"fields": ("tracker_networks", "rule_commands")}),
        (_("Geofences"), {"fields": (("geofence_tolerance_meters", "geofence_dwell_seconds"),)}),
        (_("Retention"), {"fields": (("positions_days_to_keep", "keep_positions_forever"),)}),
    )
    inlines = (MembershipInline, FleetFiltersInline)

    def get_fieldsets(self, request: HttpRequest, obj: Fleet | None = None) -> Any:
        """Return the groups of fields, and of a fleet that is there when it was made."""
        return [*self.fieldsets, (None, {"fields": ("created_at",)})] if obj else self.fieldsets

    def get_queryset(self, request: HttpRequest) -> QuerySet[Fleet]:
        counts = {"devices_total": Count("devices", distinct=True), "members_total": Count("members", distinct=True)}
        return super().get_queryset(request).annotate(**counts)

    @display(description=_("devices"), ordering="devices_total")
    def device_count(self, fleet: Fleet) -> int:
        return fleet.devices_total  # type: ignore[attr-defined]

    @display(description=_("members"), ordering="members_total")
    def member_count(self, fleet: Fleet) -> int:
        return fleet.members_total  # type: ignore[attr-defined]
