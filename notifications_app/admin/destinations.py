"""People's webhooks and chats. What is secret in them is entered here and never shown again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from notifications_app.channels.base import InvalidDestination
from notifications_app.channels.registry import CHANNELS
from notifications_app.models import Destination
from notifications_app.models.kinds import channel_choices
from notifications_app.services.destinations import TooManyTests, send_test, set_address, switch_on
from tasks_app.admin.common import badge, format_time


class DestinationForm(forms.ModelForm):
    url = forms.CharField(
        label=_("Address"),
        max_length=2000,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_(
            "Of a webhook its web address (https://...), of a chat, SMS or push service its Apprise address "
            "(tgram://token/chat). It is stored encrypted and not shown again; leave it empty to keep it."
        ),
    )

    class Meta:
        model = Destination
        fields = ("user", "kind", "name", "is_enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "kind" in self.fields:
            kinds = [kind for kind, channel in CHANNELS.items() if channel.has_destinations]
            self.fields["kind"].choices = [  # type: ignore[attr-defined]
                (kind, label) for kind, label in channel_choices() if kind in kinds
            ]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        url = cleaned.get("url", "")
        if not url and self.instance.pk is None:
            self.add_error("url", _("Give an address."))
        if url and (kind := cleaned.get("kind", self.instance.kind)):
            self.instance.kind = kind
            try:
                set_address(self.instance, url)
            except InvalidDestination as error:
                self.add_error("url", str(error))
        return cleaned


@admin.register(Destination)
class DestinationAdmin(ModelAdmin):
    form = DestinationForm
    list_display = ("name", "user", "kind", "address", "state", "disabled_reason", "tested")
    list_filter = ("kind", "is_enabled")
    list_filter_sheet = False
    list_select_related = ("user",)
    search_fields = ("name", "address", "user__username")
    autocomplete_fields = ("user",)
    fields = ("user", "kind", "name", "url", "is_enabled", "address", "disabled_reason", "disabled_at", "tested_at")
    actions = ("test", "switch_on")

    def get_readonly_fields(self, request: HttpRequest, obj: Destination | None = None) -> tuple[str, ...]:
        known = ("address", "disabled_reason", "disabled_at", "tested_at")
        return ("user", "kind", *known) if obj else known

    def save_model(self, request: HttpRequest, obj: Destination, form: Any, change: bool) -> None:
        if obj.is_enabled:
            obj.disabled_reason, obj.disabled_at = "", None
        super().save_model(request, obj, form, change)
        if not change and (secret := obj.secrets.get("signing_secret")):
            text = _("Its messages are signed with %(secret)s; write this down now, it is not shown again.")
            self.message_user(request, text % {"secret": secret}, messages.WARNING)

    @display(description=_("state"), ordering="is_enabled")
    def state(self, destination: Destination) -> SafeString:
        if destination.is_enabled:
            return badge("success", pgettext("destination", "On"))
        return badge("danger", pgettext("destination", "Off"))

    @display(description=_("last successful test"), ordering="tested_at")
    def tested(self, destination: Destination) -> SafeString | str:
        return format_time(destination.tested_at)

    @action(description=_("Send a test"), permissions=["change"])
    def test(self, request: HttpRequest, queryset: QuerySet[Destination]) -> None:
        sent = 0
        for destination in queryset.select_related("user")[:10]:
            try:
                send_test(user=destination.user, kind=destination.kind, destination=destination, now=timezone.now())
            except TooManyTests:
                self.message_user(request, _("Too many tests were sent; wait some minutes."), messages.ERROR)
                break
            self.log_change(request, destination, str(_("Sent a test.")))
            sent += 1
        if sent:
            self.message_user(request, _("The test was enqueued; its result appears under Deliveries."))

    @action(description=_("Switch on"), permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[Destination]) -> None:
        for destination in queryset.filter(is_enabled=False):
            switch_on(destination)
            self.log_change(request, destination, str(_("Switched on.")))
        self.message_user(request, _("They are on."))
