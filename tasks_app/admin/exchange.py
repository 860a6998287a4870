"""Import and export of rows in the admin: in the theme's forms, by permission, of bounded size."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from import_export.admin import ExportMixin, ImportExportMixin
from import_export.formats.base_formats import CSV, JSON, XLSX
from unfold.contrib.import_export.forms import ExportForm, ImportForm

MAX_EXPORT_ROWS = 50_000
FORMATS = (CSV, XLSX, JSON)


class ExportAdmin(ExportMixin):
    """Whoever may see the rows may export those the list shows, as long as they are not too many."""

    export_form_class = ExportForm
    export_formats = FORMATS

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def export_action(self, request: HttpRequest) -> HttpResponse:
        if self.get_export_queryset(request).order_by()[: MAX_EXPORT_ROWS + 1].count() > MAX_EXPORT_ROWS:
            messages.error(
                request, _("At most %(most)d rows are exported at once; filter them first.") % {"most": MAX_EXPORT_ROWS}
            )
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        return super().export_action(request)


class ImportExportAdmin(ImportExportMixin, ExportAdmin):
    """Importing makes rows and changes them: it needs both permissions."""

    import_form_class = ImportForm
    import_formats = FORMATS

    def has_import_permission(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request) and self.has_change_permission(request)

    def get_import_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_import_resource_kwargs(request, **kwargs), "user": request.user}
