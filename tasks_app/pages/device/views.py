"""A device now and day by day, and its raw positions."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from tasks_app.models import Device
from tasks_app.pages.device.day_context import day_context
from tasks_app.pages.device.days import DayForm, ShownDay, asked_day, reader_zone
from tasks_app.pages.device.last_place import last_before
from tasks_app.pages.device.links import links_of, own_links, parts_of
from tasks_app.pages.device.now import now_context
from tasks_app.pages.device.places import place_sentences
from tasks_app.queries.access import (
    CHANGE_DEVICES,
    VIEW_COMMANDS,
    VIEW_EVENTS,
    VIEW_POSITIONS,
    Right,
    has_right,
    visible_devices,
)
from tasks_app.queries.day_timeline import place_at
from tasks_app.queries.positions import positions_between
from tasks_app.web.quantities import units_of

POSITIONS_PER_PAGE = 200
RATES = (1, 2, 4, 8, 16, 32, 64)


def find_device(request: HttpRequest, device_id: int, right: Right = VIEW_POSITIONS) -> Device:
    """Return the device with its fleet and state if the user may see it and has this right. Raises Http404."""
    devices = visible_devices(request.user).filter(pk__in=visible_devices(request.user, right).values("pk"))
    found = devices.select_related("fleet", "state", "access").filter(pk=device_id).first()
    if found is None:
        raise Http404
    return found


@login_required
@require_safe
def device(request: HttpRequest, device_id: int) -> HttpResponse:
    """Show a device now, and its day so far."""
    found = find_device(request, device_id)
    return _day_page(request, found, {"now": now_context(request, found), "parts": parts_of(request, found)})


@login_required
@require_safe
def device_day(request: HttpRequest, device_id: int) -> HttpResponse:
    """Show one day of a device."""
    return _day_page(request, find_device(request, device_id), {})


def _day_page(request: HttpRequest, found: Device, more: dict[str, Any]) -> HttpResponse:
    day, form = asked_day(request)
    units = units_of(request)
    place = place_at(found, day.at) if day.at else None
    shown = day_context(found, day, units, with_events=has_right(request.user, found.fleet, VIEW_EVENTS))
    context = {
        **more,
        **frame(request, found, "day"),
        **shown,
        **({} if shown["fix_count"] else {"last": last_before(found, day)}),
        "day": day,
        "form": _shown_form(form, day),
        "place": place_sentences(found, place, day, units) if day.at else [],
        "links": [*own_links(request, found, day.day), *links_of(request, found, day.day)],
        "player": _player_settings(found, day, begins_at_end="now" in more),
        "rates": RATES,
    }
    return render(request, "tasks_app/pages/device/day.html", context)


def _shown_form(form: DayForm, day: ShownDay) -> DayForm:
    """Return the form as it was sent if something is wrong with it, else with the day that is shown."""
    if form.errors:
        return form
    at = timezone.localtime(day.at).strftime("%H:%M:%S") if day.at else ""
    return DayForm({"date": day.day.isoformat(), "at": at})


def _player_settings(found: Device, day: ShownDay, *, begins_at_end: bool) -> dict[str, Any]:
    """Return what the script of the replay needs: addresses, the reader's zone and language, and its texts."""
    return {
        "replay_url": f"{reverse('pages:device_replay', args=[found.pk])}?date={day.day}",
        "place_url": f"{reverse('pages:device_place', args=[found.pk])}?date={day.day}",
        "time_zone": str(reader_zone()),
        "language": get_language(),
        "begins_at_end": begins_at_end,
        "at_seconds": (day.at - day.start).total_seconds() if day.at else None,
        "texts": {
            "play": _("Play"),
            "pause": _("Pause"),
            "failed": _("The track could not be loaded. Load the page again."),
            "no_fix": _("no position at this time"),
            "tolerance": _("The track is drawn within %(meters)s m of every position."),
        },
    }


@login_required
@require_safe
def device_positions(request: HttpRequest, device_id: int) -> HttpResponse:
    """List the stored positions of a day, as they were sent."""
    found = find_device(request, device_id)
    day, form = asked_day(request)
    since = max(day.start, _instant(request.GET.get("since")) or day.start)
    rows = positions_between(found.pk, since, day.end, POSITIONS_PER_PAGE + 1)
    for row in rows:
        row.shown_attributes = json.dumps(row.attributes, ensure_ascii=False) if row.attributes else ""  # type: ignore[attr-defined]
    further = rows[POSITIONS_PER_PAGE].fix_time.isoformat() if len(rows) > POSITIONS_PER_PAGE else ""
    context = {
        **frame(request, found, "positions"),
        "title": _("Positions of %(device)s") % {"device": found.name},
        "day": day,
        "form": _shown_form(form, day),
        "rows": rows[:POSITIONS_PER_PAGE],
        "further": further,
        "is_first": since == day.start,
    }
    return render(request, "tasks_app/pages/device/positions.html", context)


def _instant(text: str | None) -> datetime | None:
    """Return an aware time from the address of a further page, None for anything else."""
    try:
        at = datetime.fromisoformat((text or "").replace(" ", "+"))
    except ValueError:
        return None
    return at if at.tzinfo else None


def frame(request: HttpRequest, found: Device, tab: str) -> dict[str, Any]:
    """Return what every page of a device shows: its name, and the tabs that the user may open."""
    return {
        "title": found.name or found.unique_id,
        "device": found,
        "tab": tab,
        "sees_commands": has_right(request.user, found.fleet, VIEW_COMMANDS),
        "may_change": has_right(request.user, found.fleet, CHANGE_DEVICES),
    }
