"""Reads about commands: rows a user may see, the types that a device can be sent, and why a command ended as it did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tasks_app.ingest.trackers.base import InvalidCommand, OutgoingCommand
from tasks_app.ingest.trackers.command_types import COMMAND_TYPES, CommandType
from tasks_app.models import (
    WAKE_UP,
    Command,
    CommandState,
    Device,
    DeviceAccess,
    DeviceState,
    Fleet,
    Position,
    SavedCommand,
)
from tasks_app.queries.access import (
    SEND_COMMANDS,
    SEND_DANGEROUS_COMMANDS,
    VIEW_SAVED_COMMANDS,
    AnyUser,
    Right,
    has_right,
    visible_fleets,
)

# A device that reported an attribute in one of its last fixes reports it. Not every message of a tracker has all of them.
REPORTED_WITHIN = timedelta(days=7)
REPORTED_FIXES = 100


class KnownWay(Protocol):
    """A way, as far as it says what it can express; see `services.commands.ways.base`."""

    def types(self, device: Device) -> frozenset[str]: ...

    def check(self, device: Device, command: OutgoingCommand) -> None: ...


# By name, in the order in which they are tried: set by the services' registry of ways, which this layer does not know.
_ways: dict[str, KnownWay] = {}

# Codes of `Command.state_reason`; what stands behind ": " there is a detail.
REASONS: dict[str, Any] = {
    "no_way": _("There is no way to the device now."),
    "waking": _("The tracker was sent an SMS that wakes it, and is waited for."),
    "to_fetch": _("It waits until the device asks."),
    "delivered": _("The SMS was delivered; the tracker itself says nothing."),
    "not_delivered": _("The SMS was not delivered:"),
    "busy": _("Another command to the device is not answered yet."),
    "superseded": _("A newer command says the opposite."),
    "cancelled": _("Cancelled."),
    "expired": _("It could not be sent in time."),
    "not_confirmed": _("Nobody confirmed it in time."),
    "not_encodable": _("The device's protocol cannot express it."),
    "not_written": _("It could not be sent; it will be tried again."),
    "too_many_attempts": _("It could not be sent, however often it was tried."),
    "unknown": _("It is not known whether the device got it."),
    "sender_lost": _("The process that sent it ended; it is not known whether the device got it."),
    "no_answer": _("The device did not answer in time."),
    "effect_not_seen": _("The device confirmed it, but its effect was not seen in time."),
    "effect_seen": _("Its effect was seen."),
    "answered": _("The device answered."),
    "refused_by_device": _("The device refused it."),
    "device_inactive": _("The device is switched off."),
    "right_lost": _("The person who asked for it may not send it any more."),
    "no_fix": _("The vehicle's place and speed are not known."),
    "fix_too_old": _("The last position is older than a minute."),
    "fix_in_future": _("The last position is of the future: the device's clock is wrong."),
    "speed_unknown": _("The vehicle's speed is not known."),
    "moving": _("The vehicle drives too fast."),
}


def reason_text(reason: str) -> str:
    """Return the words for a `state_reason`: of its code, with the detail behind them."""
    code, _separator, detail = reason.partition(": ")
    if code not in REASONS:
        return reason
    return f"{REASONS[code]} {detail}".strip()


def command_type_label(name: str) -> str:
    """Return the words for a type of commands; the name itself for one that is gone."""
    return str(COMMAND_TYPES[name].label) if name in COMMAND_TYPES else name


def command_state_label(name: str) -> str:
    """Return the words for a state of commands."""
    return str(CommandState(name).label) if name in CommandState.values else name


def set_ways(ways: Mapping[str, KnownWay]) -> None:
    """Note the ways, which say what they can express for a device."""
    _ways.clear()
    _ways.update(ways)


def access_of(device: Device) -> DeviceAccess:
    """Return the access of a device; an empty one that is not stored where it has none."""
    try:
        return device.access
    except DeviceAccess.DoesNotExist:
        return DeviceAccess(device=device)


def access_by_identifier(unique_id: str) -> DeviceAccess:
    """Return the access of the device with this identifier, as it is now; an empty one where it has none."""
    return DeviceAccess.objects.filter(device__unique_id=unique_id).first() or DeviceAccess()


def is_command_of(command_pk: int, unique_id: str) -> bool:
    """Return whether this is a command for the device that has the identifier now."""
    return Command.objects.filter(pk=command_pk, device__unique_id=unique_id).exists()


def chain_of(device: Device) -> list[str]:
    """Return the chain of a device as commands are tried: its own, else all ways that it has."""
    own = access_of(device).ways
    return [way for way in own or _ways if way in _ways and _ways[way].types(device)]


def ways_of(device: Device) -> list[str]:
    """Return the ways of a device's chain that send commands."""
    return [way for way in chain_of(device) if way != WAKE_UP]


def types_of(device: Device, way: str = "") -> frozenset[str]:
    """Return the types of commands that the device can be sent; by this way, if one is given."""
    ways = [one for one in ways_of(device) if way in ("", one)]
    return frozenset().union(*(_ways[one].types(device) for one in ways))


def ways_for(device: Device, type_name: str, way: str = "") -> list[str]:
    """Return the ways of the device's chain that can express this type; of these only `way`, if one is given."""
    return [one for one in ways_of(device) if way in ("", one) and type_name in _ways[one].types(device)]


def why_inexpressible(device: Device, ways: Iterable[str], command: OutgoingCommand) -> InvalidCommand | None:
    """Return why the first of these ways cannot express the values of a command, None where one of them can."""
    refusals: list[InvalidCommand] = []
    for way in ways:
        try:
            _ways[way].check(device, command)
        except InvalidCommand as error:
            refusals.append(error)
        else:
            return None
    return refusals[0] if refusals else None


def rights_to_send(type_name: str) -> list[Right]:
    """Return the rights that sending this type needs, all of them."""
    return [SEND_COMMANDS, SEND_DANGEROUS_COMMANDS] if COMMAND_TYPES[type_name].is_dangerous else [SEND_COMMANDS]


def may_send(user: AnyUser, device: Device, type_name: str) -> bool:
    """Whether `user` may send commands of this type to the device."""
    return all(has_right(user, device.fleet, right) for right in rights_to_send(type_name))


def may_save(user: AnyUser, fleet: Fleet | None, type_name: str) -> bool:
    """Whether `user` may keep a command of this type for a fleet (None: for all): rules send what is saved."""
    is_dangerous = type_name in COMMAND_TYPES and COMMAND_TYPES[type_name].is_dangerous
    return not is_dangerous or all(has_right(user, fleet, right) for right in rights_to_send(type_name))


def may_make_call(user: AnyUser, arguments: Mapping[str, Any]) -> bool:
    """Whether `user` may send what a call of the task asks for: the rule for members, and for staff alike."""
    device = Device.objects.select_related("fleet").filter(pk=arguments["device_id"]).first()
    return device is not None and arguments["type"] in COMMAND_TYPES and may_send(user, device, arguments["type"])


def offered_types(device: Device, user: AnyUser) -> list[CommandType]:
    """Return the types that the device's protocol and ways can express and the user may send, in the order of COMMAND_TYPES."""
    if not has_right(user, device.fleet, SEND_COMMANDS):
        return []
    is_trusted = has_right(user, device.fleet, SEND_DANGEROUS_COMMANDS)
    known = types_of(device)
    return [kind for name, kind in COMMAND_TYPES.items() if name in known and (is_trusted or not kind.is_dangerous)]


def reports_effect(device_pk: int, type_name: str) -> bool:
    """Whether the device has lately reported the attribute that shows the effect of this type: so it will again."""
    effect = COMMAND_TYPES[type_name].effect
    if effect is None:
        return False
    name, _value = effect
    if DeviceState.objects.filter(pk=device_pk, attributes__has_key=name).exists():
        return True
    since = timezone.now() - REPORTED_WITHIN
    recent = Position.objects.filter(device_id=device_pk, fix_time__gt=since).order_by("-fix_time")
    return any(
        name in (attributes or {}) for attributes in recent.values_list("attributes", flat=True)[:REPORTED_FIXES]
    )


def visible_saved_commands(user: AnyUser) -> QuerySet[SavedCommand]:
    """Return the saved commands of the fleets in which `user` may see them, and those of all fleets."""
    fleets = visible_fleets(user, VIEW_SAVED_COMMANDS)
    found = Q(fleet__in=fleets)
    return SavedCommand.objects.filter(found | Q(fleet=None) if fleets.exists() else found)


def starts_at(command: Command) -> datetime:
    """Return the earliest time at which the command may be sent."""
    return command.not_before or command.created_at


def states_of_batch(batch: UUID) -> dict[str, int]:
    """Return how many commands of a batch have each state."""
    rows = Command.objects.filter(batch=batch).order_by().values_list("state").annotate(count=Count("pk"))
    return dict(rows)
