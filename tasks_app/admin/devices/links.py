"""Links that apps above add to the pages of devices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _


@dataclass(frozen=True, slots=True)
class Link:
    """A link on a page: its text and its address."""

    title: str
    url: str


PositionsLink = Callable[[HttpRequest, int], Link | None]


def _days_link(request: HttpRequest, device_id: int) -> Link:
    """Return the link to the page at / that tells a device's days and replays them."""
    return Link(_("Day by day"), reverse("pages:device", args=[device_id]))


def _raw_link(request: HttpRequest, device_id: int) -> Link:
    """Return the link to all that the device sent, day by day."""
    return Link(_("Raw positions"), reverse("pages:device_positions", args=[device_id]))


def _jobs_link(request: HttpRequest, device_id: int) -> Link | None:
    """Return the link to the jobs about the device, None for users who may not see jobs."""
    if not request.user.has_perm("tasks_app.view_job"):
        return None
    search = urlencode({"q": f"args.device_id:{device_id}"})
    return Link(_("Its jobs"), f"{reverse('admin:tasks_app_job_changelist')}?{search}")


def _commands_link(request: HttpRequest, device_id: int) -> Link | None:
    """Return the link to the commands of the device, None for users who may not see them."""
    if not request.user.has_perm("tasks_app.view_command"):
        return None
    return Link(_("Its commands"), f"{reverse('admin:tasks_app_command_changelist')}?device__id__exact={device_id}")


def _send_link(request: HttpRequest, device_id: int) -> Link | None:
    """Return the link that begins a command to the device, None for users who may send none."""
    if not request.user.has_perm("tasks_app.add_command"):
        return None
    return Link(_("Send a command"), f"{reverse('admin:tasks_app_command_send')}?devices={device_id}")


_positions_links: list[PositionsLink] = [_days_link, _raw_link, _commands_link, _send_link, _jobs_link]


def register_positions_link(link: PositionsLink) -> None:
    """Add a link beside a device's latest positions; it is left out for users for whom `link` returns None."""
    _positions_links.append(link)


def positions_links(request: HttpRequest, device_id: int) -> list[Link]:
    """Return the links that this user gets beside the latest positions of a device."""
    return [found for link in _positions_links if (found := link(request, device_id))]
