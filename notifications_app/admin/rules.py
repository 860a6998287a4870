"""The admin pages of rules, notifications and preferences."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.postgres.forms import SimpleArrayField
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from notifications_app.admin.deliveries import DeliveryInline
from notifications_app.admin.dry_run import dry_run_page
from notifications_app.messages.rule_description import rule_sentence
from notifications_app.models import (
    EscalationStep,
    Notification,
    NotificationPreference,
    Rule,
)
from notifications_app.models.kinds import channel_choices, rule_kind_choices
from notifications_app.queries.rule_rows import NAMED
from notifications_app.services.rules import permitted_people
from notifications_app.services.texts import fill_bodies
from tasks_app.admin.common import MISSING, ReadOnlyAdmin, WithoutLinkRows
from tasks_app.admin.windows import WindowsField
from tasks_app.models import FleetRole


class RuleForm(forms.ModelForm):
    event_kinds = forms.MultipleChoiceField(
        label=_("Event kinds"), choices=rule_kind_choices, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    channels = forms.MultipleChoiceField(
        label=_("Channels"), choices=channel_choices, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    roles = forms.MultipleChoiceField(
        label=_("Roles"),
        choices=FleetRole.choices,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    alarms = SimpleArrayField(
        forms.CharField(max_length=40),
        label=_("Alarms"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Only these alarms, as the devices call them, with commas between them. Empty: all."),
    )
    windows = WindowsField(
        label=_("Only at these times"),
        required=False,
        help_text=_(
            "In the fleet's time zone; none: always. A window that ends before it begins ends on the next day."
        ),
    )

    class Meta:
        model = Rule
        fields = "__all__"  # noqa: DJ007 - every column of a rule is for staff to edit

    def clean(self) -> dict[str, Any] | None:
        """Check that devices and geofences belong to the rule's fleet and that its people may see it."""
        cleaned = super().clean() or self.cleaned_data
        fleet, users = cleaned.get("fleet"), cleaned.get("users")
        for name in ("devices", "geofences", "within_geofences"):
            chosen = cleaned.get(name)
            if fleet and chosen is not None and chosen.exclude(fleet=fleet).exists():
                self.add_error(name, _("Choose only from the rule's fleet."))
        if users is not None and users.exclude(pk__in=permitted_people(fleet).values("pk")).exists():
            self.add_error("users", _("Choose only people who may see the fleet."))
        if not users and not cleaned.get("roles"):
            self.add_error("users", _("Name at least one person or role."))
        return cleaned


class EscalationStepInline(TabularInline):
    model = EscalationStep
    extra = 0
    autocomplete_fields = ("users",)
    verbose_name_plural = _("If nobody acknowledges")


@admin.register(Rule)
class RuleAdmin(WithoutLinkRows, ModelAdmin):
    form = RuleForm
    list_display = ("name", "sentence", "fleet", "is_active")
    list_filter = ("fleet", "is_active")
    list_filter_sheet = False
    list_select_related = ("fleet",)
    search_fields = ("name",)
    autocomplete_fields = ("fleet", "users", "devices", "geofences", "within_geofences")
    readonly_fields = ("sentence",)
    inlines = (EscalationStepInline,)
    actions = ("switch_on", "switch_off")
    actions_list = ("try_out",)
    fieldsets = (
        (None, {"fields": (("name", "fleet"), "is_active", "sentence")}),
        (_("When"), {"fields": ("event_kinds", "alarms", ("devices", "geofences"))}),
        (
            _("Only if"),
            {"fields": (("min_speed_kph", "min_duration_minutes"), "within_geofences", "windows")},
        ),
        (_("Notify"), {"fields": ("users", "roles", "channels")}),
        (_("How often"), {"fields": ("cooldown_minutes", ("digest_every_minutes", "digest_daily_at"))}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rule]:
        return super().get_queryset(request).prefetch_related(*NAMED)

    @display(description=_("rule in words"))
    def sentence(self, rule: Rule) -> str:
        return rule_sentence(rule) if rule.pk else MISSING

    @action(description=_("Switch on"), permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        self._switch(request, queryset, is_active=True)

    @action(description=_("Switch off"), permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        self._switch(request, queryset, is_active=False)

    @action(description=_("Dry run of an event"), url_path="dry-run", permissions=["change"])
    def try_out(self, request: HttpRequest) -> HttpResponse:
        return dry_run_page(request)

    def _switch(self, request: HttpRequest, queryset: QuerySet[Rule], *, is_active: bool) -> None:
        changed = list(queryset.exclude(is_active=is_active))
        Rule.objects.filter(pk__in=[rule.pk for rule in changed]).update(is_active=is_active)
        for rule in changed:
            self.log_change(request, rule, str(_("Switched on.") if is_active else _("Switched off.")))
        count = len(changed)
        self.message_user(request, ngettext("%d rule changed.", "%d rules changed.", count) % count, messages.SUCCESS)


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
