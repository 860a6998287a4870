"""The list of geofences."""

from __future__ import annotations

from django import forms
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tasks_app.models import Fleet, Geofence
from tasks_app.pages.geofences.editing import ADD, EDIT
from tasks_app.pages.lists import FilterForm, numbered_page
from tasks_app.queries.access import VIEW_GEOFENCES, visible_fleets, visible_geofences


class GeofenceFilters(FilterForm):
    """Text in the name, and fleet."""

    q = forms.CharField(label=gettext_lazy("Search"), required=False, max_length=100)
    fleet = forms.ModelChoiceField(
        label=gettext_lazy("Fleet"), queryset=Fleet.objects.none(), required=False, empty_label=gettext_lazy("All")
    )

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.fields["fleet"].queryset = visible_fleets(request.user, VIEW_GEOFENCES)  # type: ignore[attr-defined]

    def rows(self) -> QuerySet[Geofence]:
        """Return the geofences that the filters leave; none if one of them is wrong."""
        if not self.is_valid():
            return Geofence.objects.none()
        found = visible_geofences(self.user)
        for word in self.cleaned_data["q"].split():
            found = found.filter(name__icontains=word)
        return found.filter(fleet=self.cleaned_data["fleet"]) if self.cleaned_data["fleet"] else found


@login_required
def geofences(request: HttpRequest) -> HttpResponse:
    filters = GeofenceFilters(request)
    rows = filters.rows().select_related("fleet").order_by("name", "pk")
    context = {
        "title": _("Geofences"),
        "filters": filters,
        "page": numbered_page(request, rows),
        "may_add": visible_fleets(request.user, ADD).exists(),
        "edited_fleets": set(visible_fleets(request.user, EDIT).values_list("pk", flat=True)),
    }
    return render(request, "tasks_app/pages/geofences.html", context)
