"""Delivery targets per user, from destinations and opt-outs. Two queries for all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from django.db.models import Q, QuerySet

from notifications_app.models import ChannelKind, Destination, EmailOptOut, Rule
from notifications_app.models.kinds import CHANNEL_KINDS, MESSAGE_KINDS
from tasks_app.models import FleetMembership


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


def unsubscribed_alerts(user_id: int, fleet_ids: Collection[int]) -> Callable[[int, str], bool]:
    """Return a function that says of a fleet (one of these) and a kind of event whether this person unsubscribed from the
    e-mails of rules about them, and no other rule that is on may e-mail them to this person.
    """
    left = EmailOptOut.objects.filter(user=user_id, rule__isnull=False).values("rule_id")
    by_email = Rule.objects.filter(channels__contains=[ChannelKind.EMAIL.value])
    unsubscribed = _subjects_of(by_email.filter(pk__in=left))
    others = by_email.filter(is_active=True).exclude(pk__in=left)
    wanted = _subjects_of(others.filter(users=user_id))
    roles = FleetMembership.objects.filter(user=user_id, fleet__in=fleet_ids).values_list("fleet_id", "role")
    for fleet_id, role in roles if unsubscribed else ():
        by_role = others.filter(Q(fleet=fleet_id) | Q(fleet=None), roles__contains=[role])
        wanted |= {(fleet_id, kind) for _fleet_id, kind in _subjects_of(by_role)}

    def is_unsubscribed(fleet_id: int, kind: str) -> bool:
        subjects = {(fleet_id, kind), (None, kind)}
        return bool(subjects & unsubscribed) and not subjects & wanted

    return is_unsubscribed


def _subjects_of(rules: QuerySet[Rule]) -> set[tuple[int | None, str]]:
    """The fleets (None is every one) and kinds of events that these rules are about."""
    rows = rules.order_by().values_list("fleet_id", "event_kinds")
    return {(fleet_id, kind) for fleet_id, kinds in rows for kind in kinds}


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
