"""Import and export of rows in the admin: in the theme's forms, by permission, of bounded size."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from import_export.admin import ExportMixin, ImportExportMixin
from import_export.forms import ConfirmImportForm
from import_export.tmp_storages import CacheStorage
from unfold.contrib.import_export.forms import ExportForm, ImportForm

from tasks_app.admin.common import format_bytes
from tasks_app.admin.table_formats import FORMATS, MAX_TABLE_BYTES, InvalidTable
from tasks_app.services.audit import Subject, record
from tasks_app.web.quantities import format_number

MAX_EXPORT_ROWS = 50_000
# Files of one session that wait to be confirmed; of more the oldest is forgotten.
MAX_WAITING = 5


class BoundedImportForm(ImportForm):
    """Takes a file of a size that can be read while a person waits."""

    def clean_import_file(self) -> UploadedFile:
        file: UploadedFile = self.cleaned_data["import_file"]
        if (file.size or 0) > MAX_TABLE_BYTES:
            raise forms.ValidationError(_("At most %(most)s are accepted.") % {"most": format_bytes(MAX_TABLE_BYTES)})
        return file


class FileForm(ExportForm):
    """Is answered with a file, so its page stays."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["format"].widget.attrs["data-answer"] = "file"


class ConfirmForm(ConfirmImportForm):
    """Form of a checked import file; the library trusts its numbers."""

    def clean_format(self) -> str:
        return _one_of(self.cleaned_data["format"], len(FORMATS))

    def clean_resource(self) -> str:
        return _one_of(self.cleaned_data["resource"] or "0", 1)


class WaitingFile(CacheStorage):
    """A checked file until it is confirmed: in the cache, which every web process reaches and which forgets it."""

    CACHE_LIFETIME = 3600

    def save(self, data: bytes) -> None:
        super().save(b64encode(zlib.compress(data)).decode())

    def read(self) -> bytes | None:
        packed = super().read()
        return zlib.decompress(b64decode(packed)) if packed else None


class ExportAdmin(ExportMixin):
    """Users who may see the rows may export those of the list, up to MAX_EXPORT_ROWS."""

    export_form_class = FileForm
    export_formats = FORMATS

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def export_action(self, request: HttpRequest) -> HttpResponse:
        if self.get_export_queryset(request).order_by()[: MAX_EXPORT_ROWS + 1].count() > MAX_EXPORT_ROWS:
            messages.error(
                request,
                _("At most %(most)s rows are exported at once; filter them first.")
                % {"most": format_number(MAX_EXPORT_ROWS)},
            )
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        return super().export_action(request)

    def get_export_data(self, file_format: Any, request: HttpRequest, queryset: Any, **kwargs: Any) -> Any:
        """The file, of which the audit keeps who got it."""
        data = super().get_export_data(file_format, request, queryset, **kwargs)
        audit_export(self.opts, file_format)
        return data


def audit_export(options: Any, file_format: Any) -> None:
    """Record that the rows of a model left as a file."""
    subject = Subject(options.label_lower, None, str(options.verbose_name_plural))
    record("export", subject, given={"format": file_format.get_extension()})


class ImportExportAdmin(ImportExportMixin, ExportAdmin):
    """Importing makes rows and changes them: it needs both permissions, and the file this session had checked."""

    import_form_class = BoundedImportForm
    confirm_form_class = ConfirmForm
    import_formats = FORMATS
    tmp_storage_class = WaitingFile

    def has_import_permission(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request) and self.has_change_permission(request)

    def get_import_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_import_resource_kwargs(request, **kwargs), "user": request.user}

    def get_confirm_form_initial(self, request: HttpRequest, import_form: Any) -> dict[str, Any]:
        initial = super().get_confirm_form_initial(request, import_form)
        if import_form:
            waiting = request.session.get(self._waiting_key, [])
            request.session[self._waiting_key] = [*waiting, initial["import_file_name"]][-MAX_WAITING:]
        return initial

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Import a file this session had checked; the name it is asked by says nothing else."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        name = request.POST.get("import_file_name", "")
        waiting = request.session.get(self._waiting_key, [])
        if name not in waiting or WaitingFile(name=name).read() is None:
            messages.error(request, _("That file is no longer waiting to be imported; send it again."))
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_import")
        request.session[self._waiting_key] = [other for other in waiting if other != name]
        return super().process_import(request, **kwargs)

    def add_data_read_fail_error_to_form(self, form: forms.Form, error: Exception) -> None:
        if isinstance(error, InvalidTable):
            form.add_error("import_file", str(error))
        else:
            super().add_data_read_fail_error_to_form(form, error)

    @property
    def _waiting_key(self) -> str:
        return f"waiting-imports-{self.opts.label_lower}"


def _one_of(text: str, count: int) -> str:
    if text not in map(str, range(count)):
        raise forms.ValidationError(_("Unknown choice."))
    return text
