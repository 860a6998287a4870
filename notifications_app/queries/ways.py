"""The ways in which a message would reach people: their addresses and destinations, and why a channel reaches nobody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.contrib.auth import get_user_model

from notifications_app.models import ChannelKind, Destination
from notifications_app.models.kinds import CHANNEL_KINDS
from notifications_app.queries.targets import read_targets


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that is not written: to one person, by one rule."""

    user_id: int
    kind: str
    channels: Collection[str]
    rule_id: int | None
    on_behalf_to: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """A channel and the name of what it reaches; empty for a channel that needs none. Without `is_open` it reaches nothing."""

    channel: str
    name: str
    is_open: bool


def ways_of(asked: Sequence[Asked]) -> dict[int, list[Way]]:
    """Return the ways of each of these messages, by person. At most four queries."""
    targets = read_targets((one.user_id, one.channels) for one in asked)
    names = _names_of({pk for ids in targets.destinations.values() for pk in ids})
    emails = dict(
        get_user_model()
        .objects.filter(pk__in=[one.user_id for one in asked if ChannelKind.EMAIL in one.channels])
        .values_list("pk", "email")
    )
    found: defaultdict[int, list[Way]] = defaultdict(list)
    for one in asked:
        reached = list(targets.of(one))
        for channel, destination_id in reached:
            name = emails.get(one.user_id, "") if channel == ChannelKind.EMAIL else names.get(destination_id or 0, "")
            found[one.user_id].append(Way(channel, name, channel != ChannelKind.EMAIL or bool(name)))
        closed = sorted(
            {channel for channel in one.channels if channel in CHANNEL_KINDS} - {way for way, _pk in reached}
        )
        found[one.user_id] += [Way(channel, "", False) for channel in closed]
    return dict(found)


def _names_of(ids: Collection[int]) -> dict[int, str]:
    return dict(Destination.objects.filter(pk__in=ids).values_list("pk", "name")) if ids else {}
