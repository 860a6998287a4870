"""The navigation of the pages at /. Each app registers its entries; those a person has no right to are left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise

from tasks_app.queries.access import OWN, Right, rights_somewhere


class Place(Enum):
    """The row of pages, the buttons beside it, and the menu of the person."""

    MAIN = "main"
    HEADER = "header"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in the navigation, for people who have `right` in one of their fleets.

    `count` returns a number to show beside the label, such as that of unread notifications of a user.
    """

    label: str | Promise
    url_name: str
    order: int
    right: Right = OWN
    place: Place = Place.MAIN
    count: Callable[[Any], int] | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """An entry as one request shows it."""

    label: str
    url: str
    is_current: bool
    count: int


_entries: list[Entry] = []


def register_page(entry: Entry) -> None:
    """Add an entry; called by each app when it is ready."""
    _entries.append(entry)


def navigation_of(request: HttpRequest) -> dict[str, list[Item]]:
    """Return the items of the user who asks by place; none for visitors."""
    items: dict[str, list[Item]] = {place.value: [] for place in Place}
    user = request.user
    if not user.is_authenticated:
        return items
    held = rights_somewhere(user, {entry.right for entry in _entries})
    for entry in sorted(_entries, key=lambda one: one.order):
        if entry.right in held:
            items[entry.place.value].append(_item(entry, request))
    return items


def _item(entry: Entry, request: HttpRequest) -> Item:
    url = reverse(entry.url_name)
    is_home = url == reverse("pages:home")
    is_current = request.path == url if is_home else request.path.startswith(url)
    return Item(str(entry.label), url, is_current, entry.count(request.user) if entry.count else 0)
