"""Links that apps above add to the page of a device's day: its reports, its rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from django.http import HttpRequest

from tasks_app.models import Device


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
