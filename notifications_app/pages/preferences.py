"""A person's own language, time zone, units, quiet hours, digest and daily summary."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import override

from notifications_app.forms import READING_FIELDS, ZONES_LIST, own_preference
from notifications_app.models import NotificationPreference
from tasks_app.utils.time_zones import zone_names

_TIMES = ("quiet_from", "quiet_to", "digest_daily_at", "daily_summary_at")


class PreferenceForm(forms.ModelForm):
    class Meta:
        model = NotificationPreference
        fields = (
            *READING_FIELDS,
            "theme",
            *("quiet_from", "quiet_to", "digest_every_minutes", "digest_daily_at", "daily_summary", "daily_summary_at"),
        )
        widgets = {
            "time_zone": forms.TextInput(attrs={"list": ZONES_LIST, "autocomplete": "off"}),
            **{name: forms.TimeInput(attrs={"type": "time"}, format="%H:%M") for name in _TIMES},
        }


@login_required
def preferences(request: HttpRequest) -> HttpResponse:
    form = PreferenceForm(request.POST or None, instance=own_preference(request), label_suffix="")
    if request.method == "POST" and form.is_valid():
        saved = form.save()
        with override(saved.language):
            messages.success(request, _("Your settings were saved."))
        return redirect("pages:preferences")
    context = {
        "title": _("Preferences"),
        "form": form,
        "zones_list": ZONES_LIST,
        "zones": zone_names(),
        "server_zone": settings.TIME_ZONE,
    }
    return render(request, "notifications_app/pages/preferences.html", context)
