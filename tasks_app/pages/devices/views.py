"""The list of devices: where each one stands, by text, fleet and status."""

from __future__ import annotations

from django import forms
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tasks_app.models import Device, DeviceStatus, Fleet
from tasks_app.pages.lists import FilterForm, numbered_page
from tasks_app.queries.access import VIEW_DEVICES, VIEW_POSITIONS, rights_somewhere, visible_devices, visible_fleets
from tasks_app.queries.devices import devices_of_status, devices_with_words

# What a row shows: the state has large columns besides.
_COLUMNS = (
    *("name", "unique_id", "kind", "is_active", "fleet__name"),
    *("state__status", "state__fix_time", "state__last_seen_at", "state__speed_kph", "state__attributes"),
)


class DeviceFilters(FilterForm):
    """Text in the name or identifier, fleet, and status."""

    q = forms.CharField(label=gettext_lazy("Search"), required=False, max_length=100)
    fleet = forms.ModelChoiceField(
        label=gettext_lazy("Fleet"), queryset=Fleet.objects.none(), required=False, empty_label=gettext_lazy("All")
    )
    status = forms.ChoiceField(
        label=gettext_lazy("Status"), required=False, choices=[("", gettext_lazy("All")), *DeviceStatus.choices]
    )

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.fields["fleet"].queryset = visible_fleets(request.user, VIEW_DEVICES)  # type: ignore[attr-defined]

    def rows(self) -> QuerySet[Device]:
        """Return the devices that the filters leave; none if one of them is wrong."""
        if not self.is_valid():
            return Device.objects.none()
        chosen = self.cleaned_data
        found = devices_with_words(visible_devices(self.user), chosen["q"])
        if chosen["fleet"]:
            found = found.filter(fleet=chosen["fleet"])
        if chosen["status"]:
            found = devices_of_status(found, chosen["status"])
        return found


@login_required
def devices(request: HttpRequest) -> HttpResponse:
    filters = DeviceFilters(request)
    rows = filters.rows().select_related("fleet", "state").only(*_COLUMNS).order_by("name", "pk")
    context = {
        "title": _("Devices"),
        "filters": filters,
        "page": numbered_page(request, rows),
        "sees_positions": bool(rights_somewhere(request.user, {VIEW_POSITIONS})),
        "today": timezone.localdate(),
    }
    return render(request, "tasks_app/pages/devices.html", context)
