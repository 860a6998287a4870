"""The page on which staff choose their own language, time zone and units; no permission is needed for it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import override
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from notifications_app.forms import READING_FIELDS, ZONES_LIST, own_preference
from notifications_app.models import NotificationPreference
from tasks_app.utils.time_zones import zone_names


class OwnSettingsForm(forms.ModelForm):
    class Meta:
        model = NotificationPreference
        fields = READING_FIELDS
        widgets = {
            name: UnfoldAdminTextInputWidget(attrs={"list": ZONES_LIST, "autocomplete": "off"})
            if name == "time_zone"
            else UnfoldAdminSelectWidget
            for name in READING_FIELDS
        }


def own_settings(request: Any) -> HttpResponse:
    """Show and store the settings of the user who asks."""
    form = OwnSettingsForm(request.POST or None, instance=own_preference(request))
    form.label_suffix = ""
    if request.method == "POST" and form.is_valid():
        saved = form.save()
        with override(saved.language):
            messages.success(request, _("Your settings were saved."))
        return redirect("own_settings")
    return render(request, "notifications_app/admin/own_settings.html", _context(request, form))


def _context(request: HttpRequest, form: OwnSettingsForm) -> dict[str, Any]:
    return {
        **admin.site.each_context(request),
        "title": _("Language, time zone and units"),
        "form": form,
        "zones_list": ZONES_LIST,
        "zones": zone_names(),
        "server_zone": settings.TIME_ZONE,
    }
