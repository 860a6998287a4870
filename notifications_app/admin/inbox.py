"""The admin pages of notifications and of people's preferences."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from notifications_app.admin.deliveries import DeliveryInline
from notifications_app.models import Notification, NotificationPreference
from notifications_app.services.texts import fill_bodies
from tasks_app.admin.common import ReadOnlyAdmin
from tasks_app.admin.long_lists import LongListAdmin
from tasks_app.admin.model_admin import ModelAdmin


@admin.register(Notification)
class NotificationAdmin(LongListAdmin, ReadOnlyAdmin):
    list_display = ("created_at", "user", "kind", "subject", "device", "read_at")
    list_filter = ("kind",)
    list_filter_sheet = False
    list_select_related = ("user", "device")
    search_fields = ("subject", "user__username", "device__name")
    date_hierarchy = "created_at"
    fields = ("user", "kind", "subject", "text", "device", "event", "created_at", "read_at", "acknowledged_at")
    inlines = (DeliveryInline,)

    @display(description=_("text"))
    def text(self, notification: Notification) -> SafeString:
        fill_bodies([notification])
        return format_html('<span class="tk-text">{}</span>', notification.body_text)


@admin.register(NotificationPreference)
class NotificationPreferenceAdmin(ModelAdmin):
    list_display = ("user", "language", "time_zone", "quiet_from", "quiet_to", "daily_summary")
    list_filter = ("daily_summary", "language")
    list_filter_sheet = False
    list_select_related = ("user",)
    search_fields = ("user__username",)
    autocomplete_fields = ("user",)

    def get_readonly_fields(self, request: HttpRequest, obj: NotificationPreference | None = None) -> tuple[str, ...]:
        """Keep the person of stored preferences: with another one they would be stored in place of that one's."""
        return ("user",) if obj else ()
