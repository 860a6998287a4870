"""Maintenance plans: their intervals, how they stand, and when the work was last done."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import action, display

from tasks_app.admin.common import badge
from tasks_app.admin.model_admin import ModelAdmin, TabularInline
from tasks_app.models import MaintenancePlan, MaintenanceRecord, MaintenanceStatus
from tasks_app.queries.servicing import with_status_now
from tasks_app.services.devices import mark_done
from tasks_app.web.quantities import MISSING, format_number

STATUS_BADGES = {
    MaintenanceStatus.OK: "success",
    MaintenanceStatus.DUE_SOON: "warning",
    MaintenanceStatus.DUE: "danger",
}


class MaintenanceRecordInline(TabularInline):
    model = MaintenanceRecord
    extra = 0
    fields = ("done_at", "odometer_meters", "engine_seconds", "note", "marked_by")
    readonly_fields = fields
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class StatusNowFilter(admin.SimpleListFilter):
    """By how the plans stand now."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(MaintenanceStatus.choices)

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(status_now=self.value()) if self.value() else queryset


@admin.register(MaintenancePlan)
class MaintenancePlanAdmin(ModelAdmin):
    list_display = (
        "name",
        "device",
        "status_badge",
        "kilometers",
        "engine_hours",
        "every_days",
        "is_active",
    )
    list_filter = (StatusNowFilter, "device__fleet", "is_active")
    list_filter_sheet = False
    list_select_related = ("device",)
    search_fields = ("name", "device__name", "device__unique_id")
    autocomplete_fields = ("device",)
    readonly_fields = ("status_badge",)
    inlines = (MaintenanceRecordInline,)
    actions = ("mark_as_done",)
    fieldsets = (
        (None, {"fields": (("name", "device"), ("is_active", "status_badge"))}),
        (_("Interval"), {"fields": (("every_kilometers", "every_engine_hours"), ("every_days", "due_soon_percent"))}),
        (
            _("Last done"),
            {"fields": ("last_done_at", ("last_done_odometer_meters", "last_done_engine_seconds"))},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[MaintenancePlan]:
        return with_status_now(super().get_queryset(request), now=timezone.now())

    @display(description=_("status"), ordering="status_now")
    def status_badge(self, plan: MaintenancePlan) -> SafeString | str:
        if plan.pk is None:
            return MISSING
        status = MaintenanceStatus(plan.status_now)  # type: ignore[attr-defined]
        return badge(STATUS_BADGES[status], status.label)

    @display(description=_("every (km)"), ordering="every_kilometers")
    def kilometers(self, plan: MaintenancePlan) -> str:
        return _interval(plan.every_kilometers)

    @display(description=_("every (engine hours)"), ordering="every_engine_hours")
    def engine_hours(self, plan: MaintenancePlan) -> str:
        return _interval(plan.every_engine_hours)

    @action(description=_("Mark the work as done now"), permissions=["change"])
    def mark_as_done(self, request: HttpRequest, queryset: QuerySet[MaintenancePlan]) -> None:
        plans = list(queryset.order_by("pk"))
        for plan in plans:
            mark_done(plan, now=timezone.now(), user=request.user)
            self.log_change(request, plan, str(_("Marked the work as done.")))
        text = ngettext("The work of %d plan is done.", "The work of %d plans is done.", len(plans)) % len(plans)
        self.message_user(request, text, messages.SUCCESS)


def _interval(value: float | None) -> str:
    """Return an interval without a fraction where it has none."""
    return MISSING if value is None else format_number(value, 0 if value.is_integer() else 1)
