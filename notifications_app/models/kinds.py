"""Registries of the kinds of channels and messages: the file of each kind registers it, fields and forms read the choices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from django.utils.functional import Promise

from tasks_app.models import EventKind

Text = str | Promise


class ChannelKind(StrEnum):
    """The channels that services choose by themselves. All channels are in CHANNEL_KINDS."""

    IN_APP = "in_app"
    EMAIL = "email"


class NotificationKind(StrEnum):
    """The message kinds that services write or compare by themselves. All kinds are in MESSAGE_KINDS."""

    DAILY_SUMMARY = "daily_summary"
    SYSTEM = "system"
    EVENT = "event"
    DIGEST = "digest"
    CHANNEL_OFF = "channel_off"
    TEST = "test"


class Registrable(Protocol):
    """A kind with a name that is stored and a label that is shown."""

    @property
    def kind(self) -> str: ...
    @property
    def label(self) -> Text: ...


class ChannelTraits(Registrable, Protocol):
    """The traits of a channel that rules and targets depend on."""

    @property
    def phrase(self) -> Text: ...
    @property
    def has_destinations(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class MessageKind:
    """A kind of message.

    `template` is the path of its three templates without their endings, `sample` holds values for the preview of custom
    templates (kinds without one cannot be customised). With `rule_phrase` rules may ask for the kind beside events of
    devices, under `rule_label`; %(what)s in it are the vehicles.
    """

    kind: str
    label: Text
    template: str = ""
    sample: Mapping[str, Any] | None = None
    rule_label: Text = ""
    rule_phrase: Text = ""
    is_failure: bool = False
    waits_in_quiet_hours: bool = False
    can_be_unsubscribed: bool = True

    @property
    def template_path(self) -> str:
        return self.template or f"notifications_app/{self.kind}"


K = TypeVar("K", bound=Registrable)


class KindRegistry(Generic[K]):
    """Kinds by name, in the order of their registration."""

    def __init__(self) -> None:
        self._kinds: dict[str, K] = {}

    def register(self, *kinds: K) -> None:
        """Add these kinds. Raises ValueError for a name that is taken by another one."""
        for one in kinds:
            if self._kinds.setdefault(one.kind, one) is not one:
                raise ValueError(f"The kind {one.kind!r} is registered already.")

    def __iter__(self) -> Iterator[K]:
        return iter(self._kinds.values())

    def __contains__(self, kind: object) -> bool:
        return kind in self._kinds

    def __getitem__(self, kind: str) -> K:
        return self._kinds[kind]

    def choices(self) -> list[tuple[str, Text]]:
        return [(one.kind, one.label) for one in self]


CHANNEL_KINDS: KindRegistry[ChannelTraits] = KindRegistry()
MESSAGE_KINDS: KindRegistry[MessageKind] = KindRegistry()


def channel_choices() -> list[tuple[str, Text]]:
    """The channels for fields and forms. Fields name this function, so that a new channel needs no migration."""
    return CHANNEL_KINDS.choices()


def message_kind_choices() -> list[tuple[str, Text]]:
    """The kinds of messages for fields and forms, likewise."""
    return MESSAGE_KINDS.choices()


def rule_kind_choices() -> list[tuple[str, Text]]:
    """The kinds of events and messages that rules may ask for."""
    others = [(one.kind, one.rule_label or one.label) for one in MESSAGE_KINDS if one.rule_phrase]
    return [*EventKind.choices, *others]
