"""The page "Trackers": connected ones, unknown ones, and what each protocol did; and the last frames of one device."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from redis.exceptions import RedisError
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from tasks_app.admin.trackers.rows import (
    counter_rows,
    frame_rows,
    matching,
    tracker_rows,
    unknown_rows,
    without_device,
)
from tasks_app.models import Device
from tasks_app.models.commands import protocol_choices
from tasks_app.queries.tracker_counters import protocol_counters
from tasks_app.queries.trackers import connected_trackers, living_nodes, raw_frames, session_of, unknown_trackers

PER_PAGE = 50
MOST_UNKNOWN = 50

View = Callable[..., HttpResponse]


class TrackerFilters(forms.Form):
    """Filters of the list."""

    q = forms.CharField(
        label=gettext_lazy("Device or address"),
        max_length=100,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "search"}),
    )
    protocol = forms.ChoiceField(label=gettext_lazy("Protocol"), required=False, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["protocol"].choices = [("", _("All")), *protocol_choices()]  # type: ignore[attr-defined]


def may_see_trackers(request: HttpRequest) -> bool:
    """Whether the user may see devices in the admin."""
    user = request.user
    return user.has_perm("tasks_app.view_device") or user.has_perm("tasks_app.change_device")


def message_when_unavailable(view: View) -> View:
    """Decorate a view: where Redis does not answer, say so (503) instead of failing."""

    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except RedisError as error:
            context = {"title": _("Trackers"), "unavailable": str(error)}
            return _page(request, "tasks_app/admin/trackers.html", context, status=503)

    return inner


@message_when_unavailable
def trackers(request: HttpRequest) -> HttpResponse:
    """Show what is connected to the gateways of all hosts; those that may add devices see who else tried to."""
    if not may_see_trackers(request):
        raise PermissionDenied
    form = TrackerFilters(request.GET)
    chosen = form.cleaned_data if form.is_valid() else {"q": "", "protocol": ""}
    connected = connected_trackers()
    found = matching(connected, search=chosen["q"].strip(), protocol=chosen["protocol"])
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    may_add = request.user.has_perm("tasks_app.add_device")
    unknown = without_device(unknown_trackers()) if may_add else []
    context = {
        "title": _("Trackers"),
        "form": form,
        "is_filtered": bool(chosen["q"].strip() or chosen["protocol"]),
        "page": page,
        "rows": tracker_rows(list(page), with_frames=request.user.is_superuser),
        "connected_count": len(connected),
        "node_count": len(living_nodes()),
        "may_add": may_add,
        "unknown_count": len(unknown),
        "unknown_rows": unknown_rows(unknown[:MOST_UNKNOWN]),
        "most_unknown": MOST_UNKNOWN,
        "counter_rows": counter_rows(protocol_counters(), connected),
    }
    return _page(request, "tasks_app/admin/trackers.html", context)


@message_when_unavailable
def tracker_frames(request: HttpRequest, device_id: int) -> HttpResponse:
    """Show the last frames of a device, which may hold anything it was sent: to superusers only."""
    if not request.user.is_superuser:
        raise PermissionDenied
    device = Device.objects.select_related("fleet").filter(pk=device_id).first()
    if device is None:
        raise Http404
    session = session_of(device.unique_id)
    context = {
        "title": _("Last frames of %(device)s") % {"device": device.name or device.unique_id},
        "device": device,
        "row": tracker_rows([session], with_frames=False)[0] if session else None,
        "frames": frame_rows(raw_frames(device.unique_id)),
    }
    return _page(request, "tasks_app/admin/tracker_frames.html", context)


def _page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> TemplateResponse:
    request.current_app = admin.site.name
    whole = {**admin.site.each_context(request), **context}
    return TemplateResponse(request, template, whole, status=status)
