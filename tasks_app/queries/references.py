"""Rows that arguments of tasks refer to: which there are, and those that a person may see, by what they are called."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tasks_app.models import Device, Fleet, Geofence, MaintenancePlan
from tasks_app.queries.access import (
    AnyUser,
    Right,
    has_everywhere,
    to_view,
    visible_devices,
    visible_fleets,
    visible_geofences,
)

MAX_FOUND = 20
_MAX_ID = 2**63 - 1
_VIEW_USERS = Right(None, "auth.view_user")


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of rows. `words` are the fields a search looks in, `name` of a row the text it is shown by."""

    label: str | Promise
    every: Callable[[], QuerySet[Any]]
    visible: Callable[[AnyUser], QuerySet[Any]]
    words: Sequence[str]
    name: Callable[[Any], str] = str


@dataclass(frozen=True, slots=True)
class Found:
    """A row by its id and the text it is shown by."""

    id: int
    text: str


_sources: dict[str, Source] = {}


def register_source(kind: str, source: Source) -> None:
    """Let arguments refer to rows of an app above."""
    _sources[kind] = source


def search_rows(kind: str, user: AnyUser, text: str) -> list[Found]:
    """Return the first MAX_FOUND rows that `user` may see and whose words contain each word of `text`, or its id.

    Raises KeyError for an unknown kind.
    """
    source = _sources[kind]
    rows = source.visible(user)
    for word in text.replace("\x00", "").split()[:5]:
        matches = Q()
        for field in source.words:
            matches |= Q(**{f"{field}__icontains": word[:100]})
        number = _number(word)
        rows = rows.filter(matches | Q(pk=number) if number else matches)
    return [Found(row.pk, source.name(row)) for row in rows.order_by(source.words[0], "pk").distinct()[:MAX_FOUND]]


def rows_by_id(kind: str, user: AnyUser, ids: Collection[int]) -> list[Found]:
    """Return those of the rows that `user` may see, in the order of their ids. Raises KeyError."""
    source = _sources[kind]
    return [
        Found(row.pk, source.name(row)) for row in source.visible(user).filter(pk__in=_possible(ids)).order_by("pk")
    ]


def rows_called(kind: str, user: AnyUser, text: str) -> list[Found]:
    """Return the rows that `user` may see and that are called exactly so; at most two. Raises KeyError."""
    source = _sources[kind]
    matches = Q()
    for field in source.words:
        matches |= Q(**{f"{field}__iexact": text.replace("\x00", "")[:200]})
    return [Found(row.pk, source.name(row)) for row in source.visible(user).filter(matches).distinct()[:2]]


def missing_rows(kind: str, ids: Collection[int]) -> list[int]:
    """Return the ids that no row has, sorted. Raises KeyError."""
    known = set(_sources[kind].every().filter(pk__in=_possible(ids)).values_list("pk", flat=True))
    return sorted(set(ids) - known)


def _possible(ids: Collection[int]) -> list[int]:
    return [one for one in ids if 0 < one <= _MAX_ID]


def _number(word: str) -> int | None:
    digits = word.lstrip("#")
    return int(digits) if digits.isascii() and digits.isdigit() and 0 < len(digits) < 19 else None


def _visible_plans(user: AnyUser) -> QuerySet[MaintenancePlan]:
    fleets = visible_fleets(user, to_view("maintenanceplan"))
    return MaintenancePlan.objects.select_related("device").filter(device__fleet__in=fleets)


def _visible_users(user: AnyUser) -> QuerySet[User]:
    return User.objects.all() if has_everywhere(user, _VIEW_USERS) else User.objects.filter(pk=user.pk)


def device_source(visible: Callable[[AnyUser], QuerySet[Device]]) -> Source:
    """Return devices as rows to refer to, those of `visible` for each person."""
    return Source(
        _("device"),
        Device.objects.all,
        lambda user: visible(user).select_related("fleet"),
        ("name", "unique_id"),
        lambda device: f"{device.name or device.unique_id} · {device.fleet.name}",
    )


register_source("device", device_source(visible_devices))
register_source("fleet", Source(_("fleet"), Fleet.objects.all, visible_fleets, ("name",)))
register_source(
    "geofence",
    Source(
        _("geofence"), Geofence.objects.all, lambda user: visible_geofences(user).select_related("fleet"), ("name",),
        lambda geofence: f"{geofence.name} · {geofence.fleet.name}",
    ),
)  # fmt: skip
register_source(
    "maintenance plan",
    Source(
        _("maintenance plan"), MaintenancePlan.objects.all, _visible_plans, ("name", "device__name"),
        lambda plan: f"{plan.name} · {plan.device.name}",
    ),
)  # fmt: skip
register_source("user", Source(_("user"), User.objects.all, _visible_users, ("username", "first_name", "last_name")))
