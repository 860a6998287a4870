"""A person's own notifications, newest first: read, marked as read, acknowledged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from notifications_app.models import Notification
from notifications_app.models.kinds import message_kind_choices
from notifications_app.queries.inbox import visible_notifications
from notifications_app.services.inbox import acknowledge, mark_read
from notifications_app.services.texts import fill_bodies
from tasks_app.pages.lists import CursorField, FilterForm, address_with, rows_behind

Mark = Callable[..., int]
LONGEST_QUERY = 500


class NotificationFilters(FilterForm):
    """Unread ones only, and one kind only."""

    state = forms.ChoiceField(
        label=gettext_lazy("Show"),
        required=False,
        choices=[
            ("", gettext_lazy("All")),
            ("unread", gettext_lazy("Unread")),
            ("open", gettext_lazy("Not acknowledged")),
        ],
    )
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), required=False)
    before = CursorField("created_at")

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.fields["kind"].choices = [("", _("All")), *message_kind_choices()]  # type: ignore[attr-defined]

    def rows(self) -> QuerySet[Notification]:
        """Return the notifications that the filters leave; none if one of them is wrong."""
        if not self.is_valid():
            return Notification.objects.none()
        chosen = self.cleaned_data
        found = visible_notifications(self.user).filter(chosen["before"])
        if chosen["state"] == "unread":
            found = found.filter(read_at__isnull=True)
        if chosen["state"] == "open":
            found = found.filter(acknowledged_at__isnull=True, event__isnull=False)
        return found.filter(kind=chosen["kind"]) if chosen["kind"] else found


@login_required
def notifications(request: HttpRequest) -> HttpResponse:
    filters = NotificationFilters(request)
    rows, cursor = rows_behind(filters.rows(), "created_at")
    fill_bodies(rows)
    context = {
        "title": _("Notifications"),
        "filters": filters,
        "rows": rows,
        "older": address_with(request, before=cursor) if cursor else "",
        "newest": address_with(request, before=None) if request.GET.get("before") else "",
    }
    return render(request, "notifications_app/pages/notifications.html", context)


@require_POST
@login_required
def mark_all_read(request: HttpRequest) -> HttpResponse:
    """Mark those as read that were there when the page was shown, so that no newer one is missed."""
    shown_at = _time_of(request.POST.get("shown_at", ""))
    unread = visible_notifications(request.user).filter(read_at__isnull=True, created_at__lte=shown_at)
    ids = list(unread.values_list("pk", flat=True))
    count = mark_read(user=request.user, now=timezone.now(), notification_ids=ids)
    text = ngettext("%d notification was marked as read.", "%d notifications were marked as read.", count)
    messages.success(request, text % count)
    return redirect("pages:notifications")


def _time_of(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(timezone.get_current_timezone())
    except (ValueError, OverflowError):
        return timezone.now()


@require_POST
@login_required
def mark_one_read(request: HttpRequest, notification_id: int) -> HttpResponse:
    return _marked(request, notification_id, mark_read)


@require_POST
@login_required
def acknowledge_one(request: HttpRequest, notification_id: int) -> HttpResponse:
    return _marked(request, notification_id, acknowledge)


def _marked(request: HttpRequest, notification_id: int, mark: Mark) -> HttpResponse:
    """Mark a notification of the user and return to the list as it was filtered. Raises Http404 for one of others."""
    if not visible_notifications(request.user).filter(pk=notification_id).exists():
        raise Http404
    mark(user=request.user, now=timezone.now(), notification_ids=[notification_id])
    response = redirect("pages:notifications")
    query = request.POST.get("query", "")
    if query and len(query) <= LONGEST_QUERY:
        response["Location"] += "?" + QueryDict(query).urlencode()
    return response
