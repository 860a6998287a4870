"""People's webhooks and chats. What is secret in them is entered here and never shown again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_POST
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from notifications_app.forms import DestinationForm
from notifications_app.models import Destination
from notifications_app.queries.deliveries import tests_of
from notifications_app.services.destinations import TooManyTests, send_test, switch_on
from tasks_app.admin.common import badge, format_time
from tasks_app.admin.model_admin import ModelAdmin


class DestinationAdminForm(DestinationForm):
    """With the person it belongs to, and the switch."""

    class Meta:
        model = Destination
        fields = ("user", "kind", "name", "is_enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        attributes = self.fields["url"].widget.attrs
        self.fields["url"].widget = UnfoldAdminTextInputWidget(attrs=attributes)


@admin.register(Destination)
class DestinationAdmin(ModelAdmin):
    form = DestinationAdminForm
    list_display = ("name", "user", "kind", "address", "state", "disabled_reason", "tested")
    list_filter = ("kind", "is_enabled")
    list_filter_sheet = False
    list_select_related = ("user",)
    search_fields = ("name", "address", "user__username")
    autocomplete_fields = ("user",)
    fields: tuple[str, ...] = ("user", "kind", "name", "url", "is_enabled")
    known_fields = ("address", "disabled_reason", "disabled_at", "tested_at")
    actions = ("test", "switch_on")
    change_form_outer_after_template = "notifications_app/admin/destination_tests.html"

    def get_fields(self, request: HttpRequest, obj: Destination | None = None) -> tuple[str, ...]:
        return (*self.fields, *self.known_fields) if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Destination | None = None) -> tuple[str, ...]:
        return ("user", "kind", *self.known_fields) if obj else ()

    def save_model(self, request: HttpRequest, obj: Destination, form: Any, change: bool) -> None:
        if obj.is_enabled:
            obj.disabled_reason, obj.disabled_at = "", None
        super().save_model(request, obj, form, change)
        if not change and (secret := obj.secrets.get("signing_secret")):
            text = _("Its messages are signed with %(secret)s; write this down now, it is not shown again.")
            self.message_user(request, text % {"secret": secret}, messages.WARNING)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.test_view))
        return [
            path("<int:destination_id>/test/", view, name="notifications_app_destination_test"),
            *super().get_urls(),
        ]

    def test_view(self, request: HttpRequest, destination_id: int) -> HttpResponse:
        """Send a test to one destination; its page shows the answer."""
        destination = self.get_object(request, str(destination_id))
        if destination is None:
            raise Http404
        if not self.has_change_permission(request, destination):
            raise PermissionDenied
        if self._send_test(request, destination):
            self.message_user(
                request, _("A test is on its way. Its answer appears below, at the latest when you reload this page.")
            )
        return redirect("admin:notifications_app_destination_change", destination.pk)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **options: Any) -> HttpResponse:
        """Add the last tests, for those who may send one."""
        destination: Destination | None = options.get("obj")
        if destination and self.has_change_permission(request, destination):
            context["tests"] = tests_of(destination)
            context["test_url"] = reverse("admin:notifications_app_destination_test", args=[destination.pk])
        return super().render_change_form(request, context, *args, **options)

    def _send_test(self, request: HttpRequest, destination: Destination) -> bool:
        """Send a test and note it in the history; say so if its owner had too many."""
        try:
            send_test(user=destination.user, kind=destination.kind, destination=destination, now=timezone.now())
        except TooManyTests:
            self.message_user(request, _("Too many tests were sent; wait some minutes."), messages.ERROR)
            return False
        self.log_change(request, destination, str(_("Sent a test.")))
        return True

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
            if not self._send_test(request, destination):
                break
            sent += 1
        if sent:
            self.message_user(request, _("The test was enqueued; its result appears under Deliveries."))

    @action(description=_("Switch on"), permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[Destination]) -> None:
        for destination in queryset.filter(is_enabled=False):
            switch_on(destination)
            self.log_change(request, destination, str(_("Switched on.")))
        self.message_user(request, _("They are on."))
