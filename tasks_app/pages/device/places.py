"""Places as text: the names of the geofences there, else degrees; and where a device was at a moment, as sentences."""

from __future__ import annotations

from django.utils.translation import gettext as _

from tasks_app.geo.units import Units
from tasks_app.models import Device
from tasks_app.pages.device.days import ShownDay
from tasks_app.queries.day_timeline import PlaceAt
from tasks_app.queries.fleet_geofences import names_at, nearest_place
from tasks_app.web.quantities import format_distance, format_seconds, format_speed


def place_text(latitude: float, longitude: float, names: str) -> str:
    """Return the names of the geofences there, else the degrees."""
    return names or f"{latitude:.5f}, {longitude:.5f}"


def place_names(device: Device, latitude: float, longitude: float) -> str:
    """Return the same, looking the geofences of the device's fleet up."""
    return place_text(latitude, longitude, names_at(device.fleet_id, [latitude], [longitude])[0])


def place_or_nearest(device: Device, latitude: float, longitude: float, units: Units) -> str:
    """Return the geofences that the place is in, else how far the nearest one of the fleet is, with the degrees."""
    degrees = f"{latitude:.5f}, {longitude:.5f}"
    if inside := names_at(device.fleet_id, [latitude], [longitude])[0]:
        return _("in %(places)s (%(degrees)s)") % {"places": inside, "degrees": degrees}
    nearest = nearest_place(device.fleet_id, latitude, longitude)
    if nearest is None:
        return degrees
    words = {"distance": format_distance(nearest[1], units), "place": nearest[0], "degrees": degrees}
    return _("%(distance)s from %(place)s (%(degrees)s)") % words


def place_sentences(device: Device, place: PlaceAt | None, day: ShownDay, units: Units) -> list[str]:
    """Return where the device was, by which positions this is known, and how old the one before was."""
    if place is None:
        return [_("No position of this device is stored.")]
    found, at = place.found, day.text(place.at)
    where = place_names(device, found.latitude, found.longitude)
    degrees = f"{found.latitude:.5f}, {found.longitude:.5f}"
    first = _("At %(at)s: %(place)s.") % {"at": at, "place": where if where == degrees else f"{where} ({degrees})"}
    return [first, _source(place, day), *_speed(place, units)]


def _source(place: PlaceAt, day: ShownDay) -> str:
    before = day.text(place.before_at) if place.before_at else ""
    after = day.text(place.after_at) if place.after_at else ""
    words = {"before": before, "after": after, "age": format_seconds(place.found.age_seconds)}
    if not before:
        return _("No position is stored before; the first is of %(after)s, %(age)s later.") % words
    if place.found.age_seconds == 0:
        return _("A position was measured at that moment.")
    if place.found.is_between:
        return _("Between the positions of %(before)s and %(after)s; the one before was %(age)s old.") % words
    if not after:
        return _("The last position is of %(before)s, %(age)s before; none is stored after it.") % words
    return (
        _("The last position is of %(before)s, %(age)s before, the next of %(after)s; the way between is unknown.")
        % words
    )


def _speed(place: PlaceAt, units: Units) -> list[str]:
    if place.speed_kph is None or not (place.found.is_between or place.found.age_seconds == 0):
        return []
    if place.speed_kph == 0:
        return [_("It was standing.")]
    return [_("It was driving at %(speed)s.") % {"speed": format_speed(place.speed_kph, units)}]
