"""The last known place of a device, for days on which it sent nothing."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from tasks_app.models import Device
from tasks_app.pages.device.days import ShownDay
from tasks_app.pages.device.places import place_names
from tasks_app.queries.day_timeline import place_at
from tasks_app.web.quantities import format_seconds


def last_before(device: Device, day: ShownDay) -> dict[str, Any] | None:
    """Return the last position before the end of a day that has none: a sentence, its day, and its place for the map."""
    place = place_at(device, min(day.end, timezone.now()))
    if place is None or place.before_at is None:
        return None
    local = timezone.localtime(place.before_at)
    words = {
        "at": date_format(local, "SHORT_DATETIME_FORMAT"),
        "place": place_names(device, place.found.latitude, place.found.longitude),
        "age": format_seconds((timezone.now() - place.before_at).total_seconds()),
    }
    return {
        "sentence": _("The last position before is %(age)s old, of %(at)s: %(place)s.") % words,
        "day": local.date(),
        "point": {"name": device.name, "latitude": place.found.latitude, "longitude": place.found.longitude},
    }
