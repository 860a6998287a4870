"""Forms that doubt an area which is valid and hardly meant, and store it when its editor says so."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tasks_app.geo.area_doubts import AreaDoubt, doubt_about
from tasks_app.queries.geofences import places_of_devices


def doubt_text(doubt: AreaDoubt) -> str:
    """Return the sentence about an area that is doubted."""
    if doubt is AreaDoubt.SWAPPED:
        return _("No device is near: latitude and longitude seem to be swapped.")
    return _("The area lies more than 100 km from every device.")


class DoubtedAreaForm(forms.ModelForm):
    """A form of a geofence that asks once more where its new area is doubted; scripts warn earlier, on the map."""

    is_confirmed = forms.BooleanField(
        label=gettext_lazy("The area is right: save it"), required=False, widget=forms.HiddenInput
    )

    def clean(self) -> dict[str, Any] | None:
        values = super().clean()
        doubt = self._doubt()
        if doubt is not None and "is_confirmed" in self.fields:
            self.fields["is_confirmed"].widget = forms.CheckboxInput()
            if not self.cleaned_data.get("is_confirmed"):
                self.add_error(
                    "area", f"{doubt_text(doubt)} {_('To save it nevertheless, say below that it is right.')}"
                )
        return values

    def _doubt(self) -> AreaDoubt | None:
        area, fleet = self.cleaned_data.get("area"), self.cleaned_data.get("fleet")
        if not area or "area" not in self.changed_data:
            return None
        fleet_id = fleet.pk if fleet else self.instance.fleet_id
        return doubt_about(area, *places_of_devices(fleet_id)) if fleet_id else None
