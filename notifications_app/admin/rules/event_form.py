"""The form that describes an event for a dry run: by the name of a device, or an event that is stored."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from notifications_app.matching.decisions import GEOFENCE_KINDS
from notifications_app.matching.event_traits import traits_of
from tasks_app.models import Device, DeviceState, Event, EventKind, Geofence
from tasks_app.queries.access import visible_devices, visible_events, visible_geofences
from tasks_app.utils.clock import zone_offset
from tasks_app.web.pickers import PickField, PickWidget

MAX_MINUTES = 30 * 24 * 60


class RowWidget(PickWidget, UnfoldAdminTextInputWidget):
    url_name = "admin:notifications_app_rule_pick"


class RowField(PickField):
    """A device or geofence, found by typing a part of its name."""

    widget_class = RowWidget


def _only_for(*kinds: str, **attributes: str) -> UnfoldAdminTextInputWidget:
    """A text field that the page's script shows for these kinds of events only."""
    return UnfoldAdminTextInputWidget({"data-only-for": f"kind={' '.join(kinds)}", "autocomplete": "off", **attributes})


class EventForm(forms.Form):
    """Describes an event. Of a valid form, `event`, `device` and `inside` are what rules are to be asked about."""

    kind = forms.ChoiceField(
        label=gettext_lazy("Kind of event"), choices=EventKind.choices, widget=UnfoldAdminSelectWidget
    )
    at = forms.DateTimeField(
        label=gettext_lazy("Time"), required=False, input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        widget=UnfoldAdminTextInputWidget({"type": "datetime-local"}),
    )  # fmt: skip
    alarm = forms.CharField(
        label=gettext_lazy("Alarm"), max_length=40, required=False, widget=_only_for(EventKind.ALARM),
        help_text=gettext_lazy("As the device calls it, such as sos."),
    )  # fmt: skip
    speed_kph = forms.FloatField(
        label=gettext_lazy("Speed (km/h)"), min_value=0, max_value=2000, required=False,
        widget=UnfoldAdminTextInputWidget({"inputmode": "decimal"}),
        help_text=gettext_lazy("Empty: not known."),
    )  # fmt: skip
    minutes = forms.FloatField(
        label=gettext_lazy("Lasted (minutes)"), min_value=0, max_value=MAX_MINUTES, required=False,
        widget=_only_for(*(kind for kind in EventKind.values if traits_of(kind).lasts), inputmode="decimal"),
        help_text=gettext_lazy("Empty: it has just begun."),
    )  # fmt: skip
    battery_percent = forms.FloatField(
        label=gettext_lazy("Battery (%)"), min_value=0, max_value=100, required=False,
        widget=_only_for(EventKind.BATTERY_LOW, inputmode="decimal"),
    )  # fmt: skip

    event: Event
    device: Device
    inside: frozenset[int] = frozenset()

    def __init__(self, data: Any, user: Any) -> None:
        super().__init__(data)
        self.label_suffix = ""
        self.user = user
        self.fields["at"].help_text = _("Your time zone, %(zone)s. Empty: now.") % {"zone": zone_offset()}
        self.fields["device"] = RowField("device", user, label=_("Device"), help_text=_("Type a part of its name."))
        self.fields["geofence"] = RowField(
            "geofence", user, label=_("Geofence"), required=False,
            help_text=_(
                "The one it enters or leaves; for other kinds one that it is inside. Empty: the last position of the device."
            ),
        )  # fmt: skip
        self.order_fields(["device", "kind", "geofence", "at", "alarm", "speed_kph", "minutes", "battery_percent"])

    def clean_device(self) -> Device:
        """Return the device, with its fleet and state. Raises ValidationError for one that the user may not see."""
        devices = visible_devices(self.user).select_related("fleet", "state")
        if (found := devices.filter(pk=self.cleaned_data["device"]).first()) is None:
            raise forms.ValidationError(_("There is no such device."))
        return found

    def clean_geofence(self) -> Geofence | None:
        """Return the geofence. Raises ValidationError, likewise."""
        if (number := self.cleaned_data["geofence"]) is None:
            return None
        if (found := visible_geofences(self.user).filter(pk=number).first()) is None:
            raise forms.ValidationError(_("There is no such geofence."))
        return found

    def clean(self) -> dict[str, Any]:
        """Make the event of what was described."""
        data = self.cleaned_data
        device, geofence = data.get("device"), data.get("geofence")
        if device and geofence and geofence.fleet_id != device.fleet_id:
            self.add_error("geofence", _("This geofence belongs to another fleet than the device."))
        if data.get("kind") in GEOFENCE_KINDS and geofence is None and "geofence" not in self.errors:
            self.add_error("geofence", _("Choose the geofence that it enters or leaves."))
        if not self.errors:
            self._describe(device, geofence, data)
        return data

    def _describe(self, device: Any, geofence: Geofence | None, data: dict[str, Any]) -> None:
        kind, state = data["kind"], getattr(device, "state", None) or DeviceState()
        self.device = device
        self.event = Event(
            device=device,
            kind=kind,
            occurred_at=data["at"] or timezone.now(),
            latitude=state.latitude,
            longitude=state.longitude,
            geofence=geofence if kind in GEOFENCE_KINDS else None,
            data=_event_data(kind, data, device),
        )
        if geofence is not None and kind != EventKind.GEOFENCE_EXIT:
            self.inside = frozenset({geofence.pk})


def _event_data(kind: str, data: dict[str, Any], device: Device) -> dict[str, Any]:
    """The fields of the kind, as the events of devices have them."""
    minutes, speed = data["minutes"], data["speed_kph"]
    found = {
        "alarm": data["alarm"] if kind == EventKind.ALARM else None,
        "peak_kph" if kind == EventKind.OVERSPEED_END else "speed_kph": speed,
        "battery_percent": data["battery_percent"] if kind == EventKind.BATTERY_LOW else None,
    }
    if kind in (EventKind.OVERSPEED, EventKind.OVERSPEED_END):
        found["duration_seconds"] = None if minutes is None else minutes * 60
        found["speed_limit_kph"] = device.speed_limit_kph or device.fleet.speed_limit_kph
    if kind in (EventKind.DEVICE_OFFLINE, EventKind.DEVICE_ONLINE):
        found["offline_minutes"] = minutes
    return {name: value for name, value in found.items() if value not in (None, "")}


def stored_event(text: str, user: Any) -> Event | None:
    """Return the stored event of this number with its device, fleet and state; None if `user` sees no such event."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        return None
    events = visible_events(user).select_related("device__fleet", "device__state", "geofence")
    return events.filter(pk=int(text)).first()


def input_of(event: Event) -> dict[str, Any]:
    """Return a stored event as the form shows it."""
    at = timezone.localtime(event.occurred_at).replace(tzinfo=None)
    speed = event.data.get("peak_kph" if event.kind == EventKind.OVERSPEED_END else "speed_kph")
    seconds, silent = event.data.get("duration_seconds"), event.data.get("offline_minutes")
    return {
        "device": event.device_id,
        "kind": event.kind,
        "geofence": event.geofence_id,
        "at": at.isoformat(timespec="seconds"),
        "alarm": event.data.get("alarm", ""),
        "speed_kph": speed,
        "minutes": round(seconds / 60, 1) if isinstance(seconds, int | float) else silent,
        "battery_percent": event.data.get("battery_percent"),
    }
