"""Retention settings, one page; and the archives of positions."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from tasks_app.admin.common import ReadOnlyAdmin, format_bytes, format_time
from tasks_app.admin.model_admin import ModelAdmin
from tasks_app.models import PositionArchive, RetentionSettings
from tasks_app.queries.retention import GIGABYTE, retention_settings


def setting_behind(field: str) -> Any:
    """The value used while this field is empty."""
    if field.endswith("_days") and field.removesuffix("_days") in settings.RETENTION_DAYS:
        return settings.RETENTION_DAYS[field.removesuffix("_days")]
    behind = {
        "archive_positions": settings.ARCHIVE_POSITIONS,
        "duplicate_meters": settings.DUPLICATE_POSITION_METERS,
        "duplicate_seconds": settings.DUPLICATE_POSITION_SECONDS,
        "business_hours": settings.BUSINESS_HOURS,
        "storage_alert_days": settings.STORAGE_ALERT_DAYS,
        "storage_budget_gigabytes": settings.STORAGE_BUDGET_BYTES / GIGABYTE or None,
    }
    return behind.get(field)


def breakable(text: str) -> str:
    """A long word that a narrow page may break anywhere."""
    return format_html('<span class="tk-mono">{}</span>', text)


@admin.register(RetentionSettings)
class RetentionSettingsAdmin(ModelAdmin):
    """The list is skipped: there is one row, which is made when it is first saved."""

    fieldsets = (
        (
            gettext_lazy("Positions"),
            {
                "fields": (("positions_days", "archive_positions"), ("archives_days", "device_days_days")),
                "description": gettext_lazy("A field left empty follows the environment, whose value is shown."),
            },
        ),
        (
            gettext_lazy("History"),
            {
                "fields": (
                    ("events_days", "notifications_days"),
                    ("reports_days", "audit_days"),
                    ("jobs_succeeded_days", "jobs_failed_days"),
                    ("filtered_days", "filter_counts_days"),
                    ("quarantine_days", "uploads_days"),
                    "storage_samples_days",
                )
            },
        ),
        (
            gettext_lazy("Duplicates"),
            {"fields": (("duplicate_meters", "duplicate_seconds"), "thin_standing_seconds")},
        ),
        (
            gettext_lazy("Database"),
            {"fields": (("storage_budget_gigabytes", "storage_alert_days"), "business_hours")},
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> RetentionSettings | None:
        if object_id != "1":
            return None
        kept = retention_settings()
        return kept if self.has_change_permission(request, kept) else _with_settings_behind(kept)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:tasks_app_retentionsettings_change", args=[1]))

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        for name, field in form.base_fields.items():
            behind = setting_behind(name)
            if behind not in (None, "") and not isinstance(behind, bool):
                field.widget.attrs["placeholder"] = behind if isinstance(behind, str) else number_format(behind)
        if "archive_positions" in form.base_fields:
            default = _("As the environment says: %(value)s") % {
                "value": _("yes") if settings.ARCHIVE_POSITIONS else _("no")
            }
            form.base_fields["archive_positions"].widget.choices[0] = ("unknown", default)
        return form


def _with_settings_behind(kept: RetentionSettings) -> RetentionSettings:
    """The values that hold, for readers, who have no fields with a placeholder."""
    for field in kept._meta.fields:
        if getattr(kept, field.name) in (None, ""):
            setattr(kept, field.name, setting_behind(field.name))
    return kept


@admin.register(PositionArchive)
class PositionArchiveAdmin(ReadOnlyAdmin):
    list_display = ("day", "row_count", "size", "created", "restored", "file")
    date_hierarchy = "day"
    fields: Any = (("day", "row_count"), ("size", "created"), "checksum", "name", ("restored_at", "restored_until"))
    readonly_fields = ("row_count", "size", "created", "checksum", "name")

    @display(description=gettext_lazy("rows"), ordering="rows")
    def row_count(self, archive: PositionArchive) -> str:
        return number_format(archive.rows, force_grouping=True)

    @display(description=gettext_lazy("size"), ordering="size_bytes")
    def size(self, archive: PositionArchive) -> str:
        return format_bytes(archive.size_bytes)

    @display(description="SHA-256")
    def checksum(self, archive: PositionArchive) -> str:
        return breakable(archive.sha256)

    @display(description=gettext_lazy("file"))
    def name(self, archive: PositionArchive) -> str:
        """Not a link: the storage is no folder of the web server, and `restore_positions` is the way back."""
        return breakable(str(archive.file.name))

    @display(description=gettext_lazy("created"), ordering="created_at")
    def created(self, archive: PositionArchive) -> Any:
        return format_time(archive.created_at)

    @display(description=gettext_lazy("restored"), ordering="restored_at")
    def restored(self, archive: PositionArchive) -> Any:
        return format_time(archive.restored_at)
