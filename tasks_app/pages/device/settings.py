"""The settings of a device, for managers of its fleet."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from tasks_app.models import Device, DeviceAccess
from tasks_app.pages.device.views import find_device, frame
from tasks_app.queries.access import CHANGE_DEVICES, VIEW_DEVICES, has_right
from tasks_app.web.device_access import DeviceAccessForm
from tasks_app.web.versions import UnchangedMeanwhile


class DeviceSettingsForm(UnchangedMeanwhile):
    """The fields that the API and the admin change too, with the validation of the model; not the fleet."""

    class Meta:
        model = Device
        fields = (
            "name",
            "unique_id",
            "kind",
            "is_active",
            "speed_limit_kph",
            "overspeed_tolerance_kph",
            "overspeed_min_seconds",
            "offline_after_minutes",
            "tank_liters",
            "positions_days_to_keep",
            "keep_positions_forever",
        )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def device_settings(request: HttpRequest, device_id: int) -> HttpResponse:
    """Show and store the settings of a device. Raises PermissionDenied for users who see it but do not manage it."""
    device = find_device(request, device_id, VIEW_DEVICES)
    if not has_right(request.user, device.fleet, CHANGE_DEVICES):
        raise PermissionDenied
    form = DeviceSettingsForm(request.POST or None, instance=device)
    access = DeviceAccess.objects.filter(device=device).first() or DeviceAccess(device=device)
    access_form = DeviceAccessForm(request.POST or None, instance=access, prefix="access")
    if request.method == "POST" and _save_both(form, access_form):
        messages.success(request, _("The settings were saved."))
        return redirect("pages:device_settings", device.pk)
    # The form writes wrong values onto its instance; the heading shows the stored ones.
    context = {**frame(request, find_device(request, device_id, VIEW_DEVICES), "settings"), "form": form}
    context["access_form"] = access_form
    return render(request, "tasks_app/pages/device/settings.html", context)


def _save_both(form: DeviceSettingsForm, access_form: DeviceAccessForm) -> bool:
    """Save both if both are right, in the transaction that locks their rows; return whether that was done."""
    with transaction.atomic():
        # Both are looked at, so that all that is wrong is said at once.
        if not all([form.is_valid(), access_form.is_valid()]):
            return False
        form.save()
        if access_form.has_changed():
            access_form.save()
    return True
