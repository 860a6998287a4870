"""The form that requests a report."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from reports_app.models import Report, ReportSchedule
from reports_app.web import PRESET_LABELS, AskedFor
from tasks_app.models import Device
from tasks_app.web.date_inputs import CHOSEN_TIME


def _day_field(label: Any) -> forms.DateField:
    widget = UnfoldAdminTextInputWidget(attrs={"type": "date"})
    return forms.DateField(label=label, required=False, widget=widget, help_text=gettext_lazy("For days of my choice."))


class ReportRequestForm(AskedFor, forms.ModelForm):
    """Days are days of the fleet's time zone. Without device, fleet and devices the report covers every device."""

    devices = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Devices"),
        queryset=Device.objects.all(),
        required=False,
        widget=AutocompleteSelectMultiple(ReportSchedule._meta.get_field("devices"), admin.site),
        help_text=gettext_lazy("Of a report of the kind Fleet: only these, of the fleet or of any."),
    )

    days = forms.ChoiceField(
        label=gettext_lazy("Days"),
        choices=list(PRESET_LABELS.items()),
        initial="yesterday",
        widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy(
            "Days of the fleet's own time zone; of a report about several fleets, of the one they share, else the "
            "server's. "
            "Yesterday is the last whole one."
        ),
    )
    first_day = _day_field(gettext_lazy("First day"))
    last_day = _day_field(gettext_lazy("Last day"))
    fresh = forms.BooleanField(
        label=gettext_lazy("Make it anew"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=gettext_lazy("Even if the same report is there and nothing came in since."),
    )
    notify = forms.BooleanField(
        label=gettext_lazy("Notify me when it is ready"), required=False, widget=UnfoldBooleanSwitchWidget
    )

    class Media:
        js = CHOSEN_TIME

    class Meta:
        model = Report
        fields = ("kind", "device", "fleet")
