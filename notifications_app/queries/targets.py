"""Delivery targets per user, from destinations and opt-outs. Two queries for all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from django.db.models import Q, QuerySet

from notifications_app.models import ChannelKind, Destination, EmailOptOut, Rule
from notifications_app.models.kinds import CHANNEL_KINDS, MESSAGE_KINDS


class MessageLike(Protocol):
    """The facts of a message to one person by which its e-mails can be unsubscribed from."""

    @property
    def user_id(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def rule_id(self) -> int | None: ...
    @property
    def on_behalf_to(self) -> str: ...


class DraftLike(MessageLike, Protocol):
    """The facts of a message to one person that decide its targets."""

    @property
    def channels(self) -> Collection[str]: ...


@dataclass(frozen=True, slots=True)
class Targets:
    """`destinations` are ids of those switched on, by (user, channel); `opt_outs` are (user, rule id or kind of draft)."""

    destinations: dict[tuple[int, str], list[int]]
    opt_outs: frozenset[tuple[int, int | str]]

    def of(self, draft: DraftLike) -> Iterator[tuple[str, int | None]]:
        """Yield (channel, destination id or None) for every delivery of this draft."""
        for channel in sorted(draft.channels):
            # A channel that a newer release put into a rule is not ours to send.
            if channel not in CHANNEL_KINDS:
                continue
            if CHANNEL_KINDS[channel].has_destinations:
                yield from ((channel, one) for one in self.destinations.get((draft.user_id, channel), ()))
            elif channel != ChannelKind.EMAIL or not _is_among(self.opt_outs, draft):
                yield channel, None


def read_targets(wanted: Iterable[tuple[int, Collection[str]]]) -> Targets:
    """The targets of these people through these channels."""
    users: defaultdict[str, set[int]] = defaultdict(set)
    for user_id, channels in wanted:
        for channel in channels:
            users[channel].add(user_id)
    with_own = {
        channel: ids
        for channel, ids in users.items()
        if channel in CHANNEL_KINDS and CHANNEL_KINDS[channel].has_destinations
    }
    return Targets(_destinations(with_own), _opt_outs(users.get(ChannelKind.EMAIL, set())))


def is_unsubscribed_from(message: MessageLike) -> bool:
    """Return whether the person unsubscribed from the e-mails of this message's rule or kind."""
    if not MESSAGE_KINDS[message.kind].can_be_unsubscribed:
        return False
    return _is_among(_opt_outs({message.user_id}), message)


def kinds_without_email(user_id: int) -> set[str]:
    """The kinds of events whose e-mails by rules this person unsubscribed from, where no other rule may e-mail them."""
    left = EmailOptOut.objects.filter(user=user_id, rule__isnull=False).values("rule_id")
    by_email = Rule.objects.filter(channels__contains=[ChannelKind.EMAIL.value])
    unsubscribed = _kinds_of(by_email.filter(pk__in=left))
    if not unsubscribed:
        return set()
    return unsubscribed - _kinds_of(by_email.exclude(pk__in=left).filter(Q(users=user_id) | Q(roles__len__gt=0)))


def _kinds_of(rules: QuerySet[Rule]) -> set[str]:
    return set(chain.from_iterable(rules.order_by().values_list("event_kinds", flat=True)))


def _is_among(opt_outs: frozenset[tuple[int, int | str]], message: MessageLike) -> bool:
    if message.on_behalf_to or not opt_outs:
        return False
    return (message.user_id, message.kind) in opt_outs or (message.user_id, message.rule_id or 0) in opt_outs


def _destinations(users: dict[str, set[int]]) -> dict[tuple[int, str], list[int]]:
    if not users:
        return {}
    found: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    rows = Destination.objects.filter(kind__in=users, user__in=set().union(*users.values()), is_enabled=True)
    for pk, user_id, kind in rows.order_by("pk").values_list("pk", "user_id", "kind"):
        found[user_id, kind].append(pk)
    return dict(found)


def _opt_outs(user_ids: set[int]) -> frozenset[tuple[int, int | str]]:
    if not user_ids:
        return frozenset()
    rows = EmailOptOut.objects.filter(user__in=user_ids).values_list("user_id", "rule_id", "kind")
    return frozenset((user_id, rule_id or kind) for user_id, rule_id, kind in rows)
