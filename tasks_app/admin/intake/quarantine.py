"""Messages of devices that could not be right."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from tasks_app.admin.common import ReadOnlyAdmin, format_time
from tasks_app.admin.long_lists import LongListAdmin
from tasks_app.models import QuarantinedFix


@admin.register(QuarantinedFix)
class QuarantinedFixAdmin(LongListAdmin, ReadOnlyAdmin):
    list_display = ("received", "device", "unique_id", "source", "code", "detail", "repeated")
    list_filter = ("source", "code", "device__fleet")
    list_filter_sheet = False
    list_select_related = ("device",)
    search_fields = ("unique_id", "device__name", "detail")
    date_hierarchy = "received_at"
    fields = ("received_at", "count", "last_received_at", "device", "unique_id", "source", "code", "detail", "body")

    @display(description=_("received"), ordering="id")
    def received(self, row: QuarantinedFix) -> SafeString | str:
        return format_time(row.received_at)

    @display(description=_("times received"))
    def repeated(self, row: QuarantinedFix) -> SafeString | str:
        if row.last_received_at is None:
            return str(row.count)
        return format_html("{} ({})", row.count, format_time(row.last_received_at))
