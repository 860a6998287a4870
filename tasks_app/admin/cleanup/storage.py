"""The page "Storage": size and growth of each table, and how long the budget lasts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from tasks_app.admin.cleanup.storage_chart import storage_svg
from tasks_app.admin.common import MISSING, ReadOnlyAdmin, format_bytes
from tasks_app.models import StorageSample
from tasks_app.queries.retention import storage_alert_days
from tasks_app.queries.storage import storage_forecast
from tasks_app.queries.storage_forecast import StorageForecast, TableForecast

FAR_DAYS = 3650
# The largest tables have a line each, all others one together.
LINES = 15


@admin.register(StorageSample)
class StorageSampleAdmin(ReadOnlyAdmin):
    """Its list is the page."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = storage_forecast(now=timezone.now())
        context = {
            **self.admin_site.each_context(request),
            "title": _("Storage"),
            "opts": self.opts,
            "cards": storage_cards(found),
            "chart": storage_svg(found),
            "rows": [table_row(table) for table in shortened(found.tables)],
            "settings_url": reverse("admin:tasks_app_retentionsettings_changelist")
            if request.user.is_superuser
            else "",
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "tasks_app/admin/storage.html", context)


def storage_cards(found: StorageForecast) -> list[dict[str, str]]:
    """The figures that matter most: size, growth, budget and how long it lasts."""
    budget = format_bytes(found.budget_bytes) if found.budget_bytes else _("none")
    return [
        {"label": _("Database"), "text": format_bytes(found.size_bytes), "kind": ""},
        {"label": _("Growth in a day"), "text": signed_bytes(found.bytes_per_day), "kind": ""},
        {"label": _("Budget"), "text": budget, "kind": ""},
        {"label": _("Until it is reached"), "text": days_text(found), "kind": urgency(found)},
    ]


def urgency(found: StorageForecast) -> str:
    """danger within the days of warning, success with a budget that lasts longer, else empty."""
    if not found.budget_bytes:
        return ""
    return "danger" if found.days_left is not None and found.days_left <= storage_alert_days() else "success"


def days_text(found: StorageForecast) -> str:
    """How long the budget lasts, for people."""
    if not found.budget_bytes or (found.bytes_per_day is None and found.days_left is None):
        return MISSING
    if found.days_left is None or found.days_left > FAR_DAYS:
        return _("10 years or more")
    return _("reached") if not found.days_left else _("%d days") % found.days_left


def signed_bytes(size: float | None) -> str:
    if size is None:
        return MISSING
    text = format_bytes(round(abs(size)))
    return f"+{text}" if size >= 0 else f"−{text}"


def shortened(tables: list[TableForecast]) -> list[TableForecast]:
    """The largest tables, and the others as one."""
    others = tables[LINES:]
    if len(others) < 2:
        return tables
    name = _("%d smaller tables") % len(others)
    growth = [sum(getattr(table, field) or 0 for table in others) for field in ("rows_per_day", "bytes_per_day")]
    is_known = any(table.bytes_per_day is not None for table in others)
    rows, size_bytes = (sum(getattr(table, field) for table in others) for field in ("rows", "size_bytes"))
    return [*tables[:LINES], TableForecast(name, rows, size_bytes, *(growth if is_known else (None, None)))]


def table_row(table: TableForecast) -> dict[str, str]:
    """One line of the table of tables."""
    rows_per_day = (
        MISSING if table.rows_per_day is None else number_format(round(table.rows_per_day), force_grouping=True)
    )
    return {
        "name": table.table,
        "rows": number_format(table.rows, force_grouping=True),
        "size": format_bytes(table.size_bytes),
        "rows_per_day": rows_per_day,
        "bytes_per_day": signed_bytes(table.bytes_per_day),
    }
