"""Filters of fleets and devices, and the filtered fixes."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from tasks_app.admin.common import ReadOnlyAdmin
from tasks_app.admin.long_lists import LongListAdmin
from tasks_app.admin.model_admin import StackedInline
from tasks_app.models import FilterCount, FilteredFix, FilterSettings


class FilterSettingsInline(StackedInline):
    """On the page of a fleet or of a device; a field left empty leaves the matter to the fleet, then to the default."""

    model = FilterSettings
    extra = 0
    max_num = 1
    fieldsets = (
        (None, {"fields": (("drop_invalid", "max_accuracy_meters"), ("max_future_seconds", "max_past_seconds"))}),
        (_("Jumps"), {"fields": (("max_jump_kph", "jump_confirmations", "jump_timeout_seconds"),)}),
        (_("Fewer fixes"), {"fields": (("min_period_seconds", "static_meters", "static_silence_seconds"),)}),
    )


class FleetFiltersInline(FilterSettingsInline):
    fk_name = "fleet"


class DeviceFiltersInline(FilterSettingsInline):
    fk_name = "device"


@admin.register(FilterCount)
class FilterCountAdmin(LongListAdmin, ReadOnlyAdmin):
    list_display = ("day", "device", "reason", "count")
    list_filter = ("reason", "device__fleet")
    list_select_related = ("device",)
    search_fields = ("device__name", "device__unique_id")
    date_hierarchy = "day"


@admin.register(FilteredFix)
class FilteredFixAdmin(LongListAdmin, ReadOnlyAdmin):
    list_display = ("fix_time", "device", "reason", "latitude", "longitude", "received_at")
    list_filter = ("reason", "device__fleet")
    list_select_related = ("device",)
    search_fields = ("device__name", "device__unique_id")
    fields: Any = ("device", "reason", ("fix_time", "received_at"), ("latitude", "longitude"), "data")
