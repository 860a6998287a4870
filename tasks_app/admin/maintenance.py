"""Maintenance plans: their intervals, how they stand, and when the work was last done."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from tasks_app.admin.common import badge
from tasks_app.models import MaintenancePlan, MaintenanceStatus

STATUS_BADGES = {
    MaintenanceStatus.OK: "success",
    MaintenanceStatus.DUE_SOON: "warning",
    MaintenanceStatus.DUE: "danger",
}


@admin.register(MaintenancePlan)
class MaintenancePlanAdmin(ModelAdmin):
    list_display = (
        "name",
        "device",
        "status_badge",
        "every_kilometers",
        "every_engine_hours",
        "every_days",
        "is_active",
    )
    list_filter = ("status", "device__fleet", "is_active")
    list_filter_sheet = False
    list_select_related = ("device",)
    search_fields = ("name", "device__name", "device__unique_id")
    autocomplete_fields = ("device",)
    readonly_fields = ("status_badge",)
    fieldsets = (
        (None, {"fields": (("name", "device"), ("is_active", "status_badge"))}),
        (_("Interval"), {"fields": (("every_kilometers", "every_engine_hours"), ("every_days", "due_soon_percent"))}),
        (
            _("Last done"),
            {"fields": ("last_done_at", ("last_done_odometer_meters", "last_done_engine_seconds"))},
        ),
    )

    @display(description=_("status"), ordering="status")
    def status_badge(self, plan: MaintenancePlan) -> SafeString:
        return badge(STATUS_BADGES[MaintenanceStatus(plan.status)], plan.get_status_display())
