"""The data of a day's page: the thinned track, and where the device was at a time. For the page's own script."""

from __future__ import annotations

from typing import Any

import msgspec
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from tasks_app.geo.units import in_unit, unit_symbol
from tasks_app.pages.device.days import asked_day
from tasks_app.pages.device.places import place_sentences
from tasks_app.pages.device.views import find_device
from tasks_app.queries.day_timeline import place_at, read_timeline
from tasks_app.web.quantities import units_of

_encode = msgspec.json.Encoder().encode


@login_required
@require_safe
def replay(request: HttpRequest, device_id: int) -> HttpResponse:
    """Return the track of a day as JSON (`DayTimeline.replay`), its speeds in the reader's unit."""
    device = find_device(request, device_id)
    day, form = asked_day(request)
    if form.errors:
        return _refused(form.errors.get_json_data())
    found, unit = read_timeline(device, day.start, day.end).replay(), units_of(request).speed
    speeds = found.pop("speeds_kph")
    found["speeds"] = [None if speed is None else round(in_unit(speed, unit)) for speed in speeds]
    return _answer({**found, "speed_unit": unit_symbol(unit)})


@login_required
@require_safe
def place(request: HttpRequest, device_id: int) -> HttpResponse:
    """Return where the device was at a time of a day: sentences, seconds since its start, and degrees where known."""
    device = find_device(request, device_id)
    day, form = asked_day(request)
    if form.errors:
        return _refused(form.errors.get_json_data())
    if day.at is None:
        return _refused({"at": [{"message": _("Choose a time.")}]})
    found = place_at(device, day.at)
    return _answer(
        {
            "seconds": (day.at - day.start).total_seconds(),
            "sentences": place_sentences(device, found, day, units_of(request)),
            "latitude": None if found is None else found.found.latitude,
            "longitude": None if found is None else found.found.longitude,
        }
    )


def _answer(body: dict[str, Any]) -> HttpResponse:
    return HttpResponse(_encode(body), content_type="application/json", headers={"Cache-Control": "private, no-store"})


def _refused(errors: Any) -> JsonResponse:
    """Return the sentences about what is wrong with the address."""
    sentences = [error["message"] for found in errors.values() for error in found]
    return JsonResponse({"sentences": sentences}, status=400)
