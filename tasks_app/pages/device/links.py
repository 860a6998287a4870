"""Links and parts that apps above add to the pages of a device: its reports, its rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from urllib.parse import quote, urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from tasks_app.models import Device
from tasks_app.queries.access import VIEW_EVENTS, Right, has_everywhere, has_right

VIEW_JOBS = Right(None, "tasks_app.view_job")


@dataclass(frozen=True, slots=True)
class DayLink:
    """A link on a page: its text and its address."""

    title: str
    url: str


LinkOf = Callable[[HttpRequest, Device, date], DayLink | None]

_links: list[LinkOf] = []


def register_device_link(link: LinkOf) -> None:
    """Add a link to the days of devices; it is left out for users for whom `link` returns None."""
    _links.append(link)


def links_of(request: HttpRequest, device: Device, day: date) -> list[DayLink]:
    """Return the links that this user gets on the page of a device's day."""
    return [found for link in _links if (found := link(request, device, day))]


def own_links(request: HttpRequest, device: Device, day: date) -> list[DayLink]:
    """Return the links to what this app has about the device; to its jobs only for users who may see jobs."""
    name = quote(device.unique_id, safe="")
    found = [
        DayLink(_("Raw positions"), f"{reverse('pages:device_positions', args=[device.pk])}?date={day}"),
        DayLink(_("On the map"), f"{reverse('pages:map')}?q={name}"),
    ]
    if has_right(request.user, device.fleet, VIEW_EVENTS):
        found.append(DayLink(_("All its events"), f"{reverse('pages:events')}?device={name}"))
    if has_everywhere(request.user, VIEW_JOBS):
        search = urlencode({"q": f"args.device_id:{device.pk}"})
        found.append(DayLink(_("Its jobs"), f"{reverse('admin:tasks_app_job_changelist')}?{search}"))
    return found


@dataclass(frozen=True, slots=True)
class PartLine:
    """A line of a part: its text, what is said of it, and where it leads, if this user may go there."""

    text: str
    detail: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class DevicePart:
    """A part of a device's page, with the sentence for one without lines."""

    title: str
    lines: list[PartLine]
    nothing: str


PartOf = Callable[[HttpRequest, Device], DevicePart | None]

_parts: list[PartOf] = []


def register_device_part(part: PartOf) -> None:
    """Add a part to the page of a device; it is left out for users for whom `part` returns None."""
    _parts.append(part)


def parts_of(request: HttpRequest, device: Device) -> list[DevicePart]:
    """Return the parts that this user gets on the page of a device."""
    return [found for part in _parts if (found := part(request, device))]
