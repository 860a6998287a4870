"""Commands as pages show them: the colour of a state, parameters in words, attempts with their bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import get_script_prefix
from django.utils.translation import gettext as _

from tasks_app.ingest.trackers.command_types import COMMAND_TYPES, CommandType, Parameter
from tasks_app.models import Command, CommandState, Device, DeviceState, chain_choices
from tasks_app.queries.access import (
    CANCEL_COMMANDS,
    CONFIRM_COMMANDS,
    SEND_COMMANDS,
    AnyUser,
    has_right,
)
from tasks_app.queries.commands import offered_types, reason_text
from tasks_app.services.commands import has_safety_rules
from tasks_app.utils.clock import exact_time, exact_time_with_zone
from tasks_app.web.quantities import MISSING, Units, format_number, format_speed

# Only what the device did is green: what was sent, or taken, is not done.
STATE_KINDS: dict[str, str] = {
    CommandState.AWAITING_CONFIRMATION: "warning",
    CommandState.QUEUED: "",
    CommandState.SENDING: "info",
    CommandState.SENT: "info",
    CommandState.ACKNOWLEDGED: "info",
    CommandState.DONE: "success",
    CommandState.FAILED: "danger",
    CommandState.EXPIRED: "danger",
    CommandState.CANCELLED: "",
    CommandState.UNCONFIRMED: "warning",
}
ENDED = frozenset(
    {
        CommandState.DONE,
        CommandState.FAILED,
        CommandState.EXPIRED,
        CommandState.CANCELLED,
        CommandState.UNCONFIRMED,
    }
)
CANCELLABLE = frozenset({CommandState.AWAITING_CONFIRMATION, CommandState.QUEUED})
_HEX_DIGITS = 32


@dataclass(frozen=True, slots=True)
class ShownAttempt:
    """An attempt: where and when it went, its bytes in hexadecimal digits and as text, and the answer."""

    number: int
    way: str
    address: str
    started_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None
    data_hex: str
    text: str
    token: str
    answer: str
    error: str


def way_label(name: str) -> str:
    """Return the words for a way; its name for one that there is no more."""
    return str(dict(chain_choices()).get(name, name))


def parameters_text(command: Any) -> str:
    """Return the parameters of a command, or of a saved one, on one line."""
    values: dict[str, Any] = command.parameters
    kind = COMMAND_TYPES.get(command.type)
    known = [one for one in kind.parameters if one.name in values] if kind else []
    unknown = [name for name in values if name not in {one.name for one in known}]
    found = [_parameter_text(kind, one, values[one.name]) for one in known] + [
        f"{name}: {values[name]}" for name in unknown
    ]
    return " · ".join(found)


def _parameter_text(kind: CommandType | None, parameter: Parameter, value: Any) -> str:
    if isinstance(value, bool):
        return _("On") if value else _("Off")
    return str(value) if kind and kind.label == parameter.label else f"{parameter.label}: {value}"


def attempts_of(command: Command, *, with_addresses: bool) -> list[ShownAttempt]:
    """Return the attempts of a command in order; numbers and servers only for those who may send commands themselves."""
    return [
        ShownAttempt(
            number=one.number,
            way=way_label(one.way),
            address=one.address if with_addresses else "",
            started_at=one.started_at,
            sent_at=one.sent_at,
            answered_at=one.answered_at,
            data_hex=_hex(bytes(one.data)),
            text=one.text,
            token=one.token,
            answer=one.answer,
            error=one.error,
        )
        for one in command.attempts.all()
    ]


def _hex(data: bytes) -> str:
    """Return bytes as lines of hexadecimal digits, each byte apart."""
    digits = data.hex(" ")
    step = _HEX_DIGITS * 3
    return "\n".join(digits[start : start + step].strip() for start in range(0, len(digits), step))


def facts_of(command: Command) -> list[tuple[str, str]]:
    """Return what is known of a command besides its state, as pairs of a name and a text."""
    times = (
        (_("Not before"), command.not_before),
        (_("Expires"), command.expires_at),
        (_("Sent"), command.sent_at),
        (_("Acknowledged"), command.acknowledged_at),
        (_("Ended"), command.ended_at),
    )
    facts = [
        (_("Device"), str(command.device.name or command.device.unique_id)),
        (_("Asked for"), exact_time_with_zone(command.created_at)),
        (_("By"), str(command.requested_by or _("the system"))),
        (_("Reason"), command.reason),
        (_("Parameters"), parameters_text(command)),
        (_("Way"), way_label(command.way) if command.way else _("As set for the device")),
        (_("Priority"), str(command.priority) if command.priority else ""),
        *((label, exact_time_with_zone(at) if at else "") for label, at in times),
        (_("Confirmed"), _confirmation(command)),
        (_("Safety"), _("Sent against the rules of safety") if command.is_override else ""),
        (_("Answer"), command.answer),
    ]
    return [(label, text) for label, text in facts if text]


def _confirmation(command: Command) -> str:
    if command.confirmed_at is None:
        return ""
    return f"{command.confirmed_by or MISSING}, {exact_time_with_zone(command.confirmed_at)}"


def state_context(command: Command) -> dict[str, Any]:
    """Return the state of a command with its colour, and why it is so."""
    return {
        "state": CommandState(command.state).label,
        "state_kind": STATE_KINDS[command.state],
        "state_reason": reason_text(command.state_reason),
        "is_live": command.state not in ENDED,
    }


def socket_path() -> str:
    """Return the path of the socket that says which commands changed."""
    return f"{get_script_prefix()}ws/commands/"


def command_context(command: Command, user: AnyUser) -> dict[str, Any]:
    """Return what the page of a command shows to this user."""
    fleet = command.device.fleet
    return {
        "command": command,
        "socket": socket_path(),
        **state_context(command),
        "facts": facts_of(command),
        "attempts": attempts_of(command, with_addresses=has_right(user, fleet, SEND_COMMANDS)),
        "may_cancel": command.state in CANCELLABLE and has_right(user, fleet, CANCEL_COMMANDS),
        "may_confirm": may_confirm(command, user),
    }


def may_confirm(command: Command, user: AnyUser) -> bool:
    """Whether this user is the second person that the command awaits."""
    return (
        command.state == CommandState.AWAITING_CONFIRMATION
        and command.requested_by_id != user.pk
        and has_right(user, command.device.fleet, CONFIRM_COMMANDS)
    )


@dataclass(frozen=True, slots=True)
class OfferedType:
    """A type on the page that asks which one; `bounds` says what it takes."""

    name: str
    label: str
    is_dangerous: bool
    bounds: str


def shown_types(device: Device, user: AnyUser) -> list[OfferedType]:
    """Return the types that this user may send to the device, harmless ones first."""
    found = [shown_type(kind) for kind in offered_types(device, user)]
    return sorted(found, key=lambda one: one.is_dangerous)


def shown_type(kind: CommandType) -> OfferedType:
    bounds = [text for text in map(_bounds, kind.parameters) if text != kind.label]
    return OfferedType(kind.name, str(kind.label), kind.is_dangerous, ", ".join(bounds))


def vehicle_text(device: Device, kind: CommandType, units: Units) -> str:
    """Return what is known of the vehicle now, where that may forbid commands of this type; else an empty text."""
    if not has_safety_rules(kind.name):
        return ""
    state: DeviceState | None = getattr(device, "state", None)
    if state is None or state.fix_time is None:
        return _("The vehicle's place and speed are not known.")
    values = {"time": exact_time(state.fix_time), "speed": format_speed(state.speed_kph, units)}
    return _("Last position: %(time)s, %(speed)s.") % values


def _bounds(parameter: Parameter) -> str:
    if parameter.kind == "integer":
        return f"{parameter.label}: {format_number(parameter.minimum)}–{format_number(parameter.maximum)}"
    return str(parameter.label)
