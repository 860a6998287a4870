"""The delivery log: every delivery with every attempt at it."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import action, display

from notifications_app.models import AttemptOutcome, Delivery, DeliveryAttempt, DeliveryState, EmailOptOut
from notifications_app.services.deliveries import retry_deliveries
from tasks_app.admin.common import ReadOnlyAdmin, badge, format_seconds, format_time
from tasks_app.admin.long_lists import LongListAdmin
from tasks_app.admin.model_admin import ListPaginator, TabularInline

STATE_BADGES: dict[str, str] = {
    DeliveryState.PENDING: "info",
    DeliveryState.SENDING: "primary",
    DeliveryState.SENT: "success",
    DeliveryState.FAILED: "danger",
    DeliveryState.MERGED: "",
}
OUTCOME_BADGES: dict[str, str] = {
    AttemptOutcome.SENDING: "primary",
    AttemptOutcome.SENT: "success",
    AttemptOutcome.RETRY: "warning",
    AttemptOutcome.FAILED: "danger",
}


class _ReadOnlyInline(TabularInline):
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class DeliveryInline(_ReadOnlyInline):
    model = Delivery
    fields = ("channel", "address", "state", "attempt_count", "sent_at", "last_error")
    readonly_fields = fields
    show_change_link = True


class AttemptInline(_ReadOnlyInline):
    model = DeliveryAttempt
    fields = ("number", "outcome_badge", "started_at", "duration", "address", "answer", "request_id")
    readonly_fields = fields

    @display(description=_("outcome"))
    def outcome_badge(self, attempt: DeliveryAttempt) -> SafeString:
        return badge(OUTCOME_BADGES.get(attempt.outcome, ""), attempt.get_outcome_display())

    @display(description=_("duration"))
    def duration(self, attempt: DeliveryAttempt) -> str:
        return format_seconds(attempt.duration_seconds)


# Deliveries that are tried again in one transaction.
AT_ONCE = 500


@admin.register(Delivery)
class DeliveryAdmin(LongListAdmin, ReadOnlyAdmin):
    list_display = ("when", "subject", "user", "channel", "address", "state_badge", "attempt_count", "last_error")
    list_filter = ("state", "channel")
    list_filter_sheet = False
    list_select_related = ("notification__user",)
    search_fields = ("address", "notification__subject", "notification__user__username")
    date_hierarchy = "created_at"
    # The action on all of them says how many they are.
    paginator = ListPaginator
    fields = (
        "notification",
        ("channel", "destination"),
        "address",
        ("state_badge", "attempt_count"),
        ("created_at", "hold_until", "sent_at"),
        "merged_into",
        "last_error",
    )
    readonly_fields = ("state_badge",)
    inlines = (AttemptInline,)
    actions = ("try_again",)

    @display(description=_("created at"), ordering="created_at")
    def when(self, delivery: Delivery) -> SafeString | str:
        return format_time(delivery.created_at)

    @display(description=_("subject"))
    def subject(self, delivery: Delivery) -> str:
        return delivery.notification.subject

    @display(description=_("user"), ordering="notification__user__username")
    def user(self, delivery: Delivery) -> str:
        return delivery.notification.user.get_username()

    @display(description=_("state"), ordering="state")
    def state_badge(self, delivery: Delivery) -> SafeString:
        return badge(STATE_BADGES.get(delivery.state, ""), delivery.get_state_display())

    @action(description=_("Try the failed ones again"), permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        ids = list(queryset.filter(state=DeliveryState.FAILED).values_list("pk", flat=True))
        retried, user_id = 0, cast(int, request.user.pk)
        for start in range(0, len(ids), AT_ONCE):
            done = retry_deliveries(ids[start : start + AT_ONCE])
            LogEntry.objects.log_actions(user_id, done, CHANGE, str(_("Tried again.")))
            retried += len(done)
        text = ngettext("%d delivery is tried again.", "%d deliveries are tried again.", retried) % retried
        self.message_user(request, text, messages.SUCCESS if retried else messages.WARNING)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("notifications_app.change_delivery")


@admin.register(EmailOptOut)
class EmailOptOutAdmin(ReadOnlyAdmin):
    """Opt-outs from e-mails. Deleting a row subscribes that person again."""

    list_display = ("user", "rule", "kind", "created_at")
    list_filter = ("kind",)
    list_filter_sheet = False
    list_select_related = ("user", "rule")
    search_fields = ("user__username", "rule__name")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("notifications_app.delete_emailoptout")
