"""The list of events, newest first, by kind, device, geofence and time."""

from __future__ import annotations

from django import forms
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tasks_app.models import Event, EventKind, Geofence
from tasks_app.pages.lists import CursorField, TimeRangeForm, address_with, rows_behind
from tasks_app.queries.access import visible_devices, visible_events, visible_geofences
from tasks_app.queries.devices import devices_named


class EventFilters(TimeRangeForm):
    """Kind, device by text, geofence, and a range of time in the reader's zone."""

    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"), required=False, choices=[("", gettext_lazy("All")), *EventKind.choices]
    )
    device = forms.CharField(label=gettext_lazy("Device"), required=False, max_length=100)
    geofence = forms.ModelChoiceField(
        label=gettext_lazy("Geofence"),
        queryset=Geofence.objects.none(),
        required=False,
        empty_label=gettext_lazy("All"),
    )
    before = CursorField("occurred_at")

    field_order = ("kind", "device", "geofence")

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.fields["geofence"].queryset = visible_geofences(request.user)  # type: ignore[attr-defined]

    def rows(self) -> QuerySet[Event]:
        """Return the events that the filters leave; none if one of them is wrong."""
        if not self.is_valid():
            return Event.objects.none()
        chosen = self.cleaned_data
        conditions = {
            "kind": chosen["kind"],
            "geofence": chosen["geofence"],
            "occurred_at__gte": chosen["start"],
            "occurred_at__lt": chosen["end"],
        }
        found = visible_events(self.user).filter(
            chosen["before"], **{name: one for name, one in conditions.items() if one}
        )
        if chosen["device"]:
            found = found.filter(device__in=devices_named(visible_devices(self.user), chosen["device"]))
        return found


@login_required
def events(request: HttpRequest) -> HttpResponse:
    filters = EventFilters(request)
    rows, cursor = rows_behind(filters.rows().select_related("device", "geofence"), "occurred_at")
    context = {
        "title": _("Events"),
        "filters": filters,
        "rows": rows,
        "older": address_with(request, before=cursor) if cursor else "",
        "newest": address_with(request, before=None) if request.GET.get("before") else "",
    }
    return render(request, "tasks_app/pages/events.html", context)
