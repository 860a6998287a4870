"""Parts of a page with the live map: texts of its scripts, addresses, the reader's units and time zone."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import get_script_prefix, reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from tasks_app.geo.units import in_unit, unit_symbol
from tasks_app.models import DeviceStatus, EventKind
from tasks_app.web.quantities import units_of


def live_map_context(request: HttpRequest, links: list[tuple[str, str]]) -> dict[str, Any]:
    """Return the context of `parts/live_map.html`. `links` are labels and addresses about a device.

    In these, {id} and {unique_id} stand for the device's.
    """
    return {
        "texts": {
            **_texts(),
            "links": links,
            "units": _units(request),
            "time_zone": timezone.get_current_timezone_name(),
        },
        "motions": _motions(),
        "socket_path": f"{get_script_prefix()}ws/live/",
        "geofences_url": reverse("api:geofences"),
        "positions_url": reverse("api:positions"),
        "events_url": reverse("api:events"),
    }


def address_for_id(name: str, *args: Any) -> str:
    """Return the address of a page about one device, with {id} in place of the id."""
    return reverse(name, args=[0, *args]).replace("/0/", "/{id}/")


def _motions() -> list[tuple[str, str]]:
    """The choices of the filter by status: those online are distinguished by whether they move."""
    return [
        ("moving", _("Moving")),
        ("standing", _("Standing")),
        ("offline", str(DeviceStatus.OFFLINE.label)),
        ("unknown", str(DeviceStatus.UNKNOWN.label)),
    ]


def _units(request: HttpRequest) -> dict[str, Any]:
    units = units_of(request)
    return {
        "speed_factor": in_unit(1.0, units.speed),
        "speed_symbol": unit_symbol(units.speed),
        "distance_factor": in_unit(1.0, units.distance),
        "distance_symbol": unit_symbol(units.distance),
    }


def _texts() -> dict[str, Any]:
    """Texts in the reader's language; {words} in braces are filled in by the script."""
    return {
        "connection": {
            "connecting": _("Connecting …"),
            "open": _("Live"),
            "waiting": _("Connection lost, trying again …"),
            "logged-out": _("You are logged out."),
        },
        "statuses": {str(value): str(label) for value, label in DeviceStatus.choices},
        "kinds": {str(value): str(label) for value, label in EventKind.choices},
        "facts": {
            "status": _("Status"),
            "fleet": _("Fleet"),
            "speed": _("Speed"),
            "fix": _("Last fix"),
            "position": _("Position"),
            "place": _("Place"),
        },
        "inside": _("in {places}"),
        "near": _("{distance} from {place}"),
        "follow": _("Follow {name}"),
        "never": _("never"),
        "count": _("{shown} of {all}"),
        "rest": _("and {number} more: narrow the search"),
        "nothing": _("No device found."),
        "dropped": _("{number} events were left out because this page could not keep up."),
    }
