"""Importing files of positions: the upload form, and the outcome of each file."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from tasks_app.admin.common import MISSING, badge, format_bytes, format_time
from tasks_app.admin.jobs import job_url
from tasks_app.admin.model_admin import ModelAdmin
from tasks_app.models import PositionUpload
from tasks_app.models.uploads import UploadState
from tasks_app.services.intake import InvalidUpload, check_file, create_upload

BADGES = {
    UploadState.PENDING: "info",
    UploadState.RUNNING: "primary",
    UploadState.DONE: "success",
    UploadState.FAILED: "danger",
    UploadState.CANCELLED: "",
}
OPTIONS = ("file", "format", "device", "fleet", "time_zone")


class UploadForm(forms.ModelForm):
    """The file is required here, although the row outlives it."""

    class Meta:
        model = PositionUpload
        fields = OPTIONS
        labels = {"file": gettext_lazy("File")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "file" in self.fields:
            self.fields["file"].required = True
            self.fields["file"].help_text = gettext_lazy(
                "CSV, GPX, GeoJSON, JSON or Traccar's CSV export; .gz too. Nobody is alerted of what it holds."
            )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if file := data.get("file"):
            try:
                check_file(file.name, file.size, data.get("format") or "")
            except InvalidUpload as error:
                self.add_error(error.field, str(error))
        return data


@admin.register(PositionUpload)
class PositionUploadAdmin(ModelAdmin):
    """To send a file needs add_position, and to create devices with it add_device; to look view_positionupload."""

    form = UploadForm
    list_display = ("name", "state_badge", "read", "stored", "rejected", "requested_by", "created")
    list_filter = ("state",)
    list_filter_sheet = False
    list_select_related = ("requested_by",)
    search_fields = ("name",)
    autocomplete_fields = ("device", "fleet")
    fieldsets = (
        (None, {"fields": (("name", "size"), ("state_badge", "job"), "error", ("requested_by", "created"))}),
        (
            gettext_lazy("Positions"),
            {
                "fields": (
                    ("read", "stored"),
                    ("duplicates", "devices_created"),
                    "reasons",
                    "unknown_quantities",
                    "remarks",
                )
            },
        ),
        (gettext_lazy("Options"), {"fields": (("format", "time_zone"), ("device", "fleet"))}),
    )
    readonly_fields = (
        *(
            "size",
            "state_badge",
            "job",
            "created",
            "read",
            "stored",
            "duplicates",
            "rejected",
            "devices_created",
            "reasons",
            "remarks",
            "unknown_quantities",
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tasks_app.add_position")

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_add_permission(request) or super().has_view_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_fieldsets(self, request: HttpRequest, obj: PositionUpload | None = None) -> Any:
        """Without the right to add devices, no fleet to add them to."""
        if obj:
            return self.fieldsets
        fields = [name for name in OPTIONS if name != "fleet" or request.user.has_perm("tasks_app.add_device")]
        return ((None, {"fields": fields}),)

    def save_model(self, request: HttpRequest, obj: PositionUpload, form: Any, change: bool) -> None:
        data = form.cleaned_data
        upload = create_upload(
            file=data["file"],
            requested_by=request.user,
            device=data.get("device"),
            fleet=data.get("fleet"),
            file_format=data["format"],
            time_zone=data["time_zone"],
        )
        obj.pk, obj.name = upload.pk, upload.name

    # --- Columns ---

    @display(description=gettext_lazy("state"), ordering="state")
    def state_badge(self, upload: PositionUpload) -> SafeString:
        return badge(BADGES[UploadState(upload.state)], upload.get_state_display())

    @display(description=gettext_lazy("created"), ordering="created_at")
    def created(self, upload: PositionUpload) -> SafeString | str:
        return format_time(upload.created_at)

    @display(description=gettext_lazy("size"))
    def size(self, upload: PositionUpload) -> str:
        return format_bytes(upload.size_bytes)

    @display(description=gettext_lazy("job"))
    def job(self, upload: PositionUpload) -> SafeString:
        return format_html('<a class="tk-link" href="{}">{}</a>', job_url(upload.job_id), _("Progress and log"))

    @display(description=gettext_lazy("read"))
    def read(self, upload: PositionUpload) -> str:
        return _count(upload, "read")

    @display(description=gettext_lazy("stored"))
    def stored(self, upload: PositionUpload) -> str:
        return _count(upload, "stored")

    @display(description=gettext_lazy("duplicates"))
    def duplicates(self, upload: PositionUpload) -> str:
        return _count(upload, "duplicates")

    @display(description=gettext_lazy("devices created"))
    def devices_created(self, upload: PositionUpload) -> str:
        return _count(upload, "devices_created")

    @display(description=gettext_lazy("rejected"))
    def rejected(self, upload: PositionUpload) -> str:
        counts = upload.counts
        if not counts:
            return MISSING
        return number_format(sum(counts["rejected"].values()) + sum(counts["filtered"].values()))

    @display(description=gettext_lazy("rejected or filtered, by reason"))
    def reasons(self, upload: PositionUpload) -> SafeString | str:
        reasons = {**upload.counts.get("rejected", {}), **upload.counts.get("filtered", {})}
        rows = (
            (number_format(count), code, upload.counts["examples"].get(code, "")) for code, count in reasons.items()
        )
        return format_html_join("", "<div>{} × {}: {}</div>", rows) or MISSING

    @display(description=gettext_lazy("quantities left out, as they cannot be right"))
    def unknown_quantities(self, upload: PositionUpload) -> SafeString | str:
        counts = upload.counts.get("unknown_quantities", {})
        rows = ((number_format(count), name) for name, count in counts.items())
        return format_html_join("", "<div>{} × {}</div>", rows) or MISSING

    @display(description=gettext_lazy("remarks"))
    def remarks(self, upload: PositionUpload) -> SafeString | str:
        rows = ((remark,) for remark in upload.counts.get("remarks", []))
        return format_html_join("", "<div>{}</div>", rows) or MISSING


def _count(upload: PositionUpload, name: str) -> str:
    return number_format(upload.counts[name]) if name in upload.counts else MISSING
