"""Who is told of what, and what was said."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from notifications_app.admin.deliveries import DeliveryInline
from notifications_app.models import ChannelKind, Notification, NotificationPreference, Rule
from notifications_app.services.bodies import fill_bodies
from tasks_app.admin.common import ReadOnlyAdmin
from tasks_app.models import EventKind


class RuleForm(forms.ModelForm):
    event_kinds = forms.MultipleChoiceField(
        label=_("Event kinds"), choices=EventKind.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    channels = forms.MultipleChoiceField(
        label=_("Channels"), choices=ChannelKind.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )

    class Meta:
        model = Rule
        fields = ("name", "fleet", "is_active", "event_kinds", "channels", "users", "devices", "geofences")

    def clean(self) -> dict[str, Any] | None:
        """Devices and geofences named in a rule belong to the rule's fleet."""
        cleaned = super().clean() or self.cleaned_data
        fleet = cleaned.get("fleet")
        for name in ("devices", "geofences"):
            chosen = cleaned.get(name)
            if fleet and chosen is not None and chosen.exclude(fleet=fleet).exists():
                self.add_error(name, _("Choose only from the rule's fleet."))
        return cleaned


@admin.register(Rule)
class RuleAdmin(ModelAdmin):
    form = RuleForm
    list_display = ("name", "fleet", "event_kind_labels", "channel_labels", "is_active")
    list_filter = ("fleet", "is_active")
    list_filter_sheet = False
    list_select_related = ("fleet",)
    search_fields = ("name",)
    autocomplete_fields = ("fleet", "users", "devices", "geofences")
    fieldsets = (
        (None, {"fields": (("name", "fleet"), "is_active")}),
        (_("When"), {"fields": ("event_kinds", ("devices", "geofences"))}),
        (_("Tell"), {"fields": ("users", "channels")}),
    )

    @display(description=_("event kinds"))
    def event_kind_labels(self, rule: Rule) -> str:
        return ", ".join(_labels(EventKind, rule.event_kinds))

    @display(description=_("channels"))
    def channel_labels(self, rule: Rule) -> str:
        return ", ".join(_labels(ChannelKind, rule.channels))


def _labels(choices: Any, values: list[str]) -> list[str]:
    return [str(choices(value).label) if value in choices.values else value for value in values]


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "user", "kind", "subject", "device", "read_at")
    list_filter = ("kind",)
    list_filter_sheet = False
    list_select_related = ("user", "device")
    search_fields = ("subject", "user__username", "device__name")
    date_hierarchy = "created_at"
    show_full_result_count = False
    fields = ("user", "kind", "subject", "text", "device", "event", "created_at", "read_at", "acknowledged_at")
    inlines = (DeliveryInline,)

    @display(description=_("text"))
    def text(self, notification: Notification) -> str:
        fill_bodies([notification])
        return notification.body_text


@admin.register(NotificationPreference)
class NotificationPreferenceAdmin(ModelAdmin):
    list_display = ("user", "language", "time_zone", "daily_summary")
    list_filter = ("daily_summary", "language")
    list_filter_sheet = False
    list_select_related = ("user",)
    search_fields = ("user__username",)
    autocomplete_fields = ("user",)
