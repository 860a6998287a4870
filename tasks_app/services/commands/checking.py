"""Checks of a request for a command, before its row is made."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _
from redis import RedisError

from tasks_app.ingest.trackers.base import OutgoingCommand
from tasks_app.ingest.trackers.command_types import COMMAND_TYPES, InvalidParameters, check_parameters
from tasks_app.models import Command, CommandState, Device, DeviceState, Fleet, SavedCommand
from tasks_app.models.commands import MAX_REASON_CHARACTERS
from tasks_app.queries.access import OVERRIDE_COMMAND_SAFETY, Right, has_right
from tasks_app.queries.commands import reason_text, rights_to_send, ways_for, why_inexpressible
from tasks_app.queries.position_buffer import newest_waiting_fix
from tasks_app.services.commands.deciding import filled, has_safety_rules, is_possible_expiry, safety_refusal
from tasks_app.services.commands.refusals import CommandRefused

MAX_DELAY = timedelta(days=366)
MAX_KEY_CHARACTERS = 64


class VehicleState(NamedTuple):
    """The newest fix of a vehicle, as far as commands are judged by it."""

    fix_time: datetime | None
    speed_kph: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request for one command. `user` is None for the system: a schedule or rule, checked when a person saved it."""

    type: str
    parameters: Mapping[str, Any]
    user: Any
    way: str = ""
    priority: int = 0
    not_before: datetime | None = None
    expires_in_seconds: int | None = None
    idempotency_key: str = ""
    reason: str = ""
    is_override: bool = False
    batch: UUID | None = None
    # What a person typed to confirm a dangerous command: the device's name, of a group the number of its devices.
    typed_name: str = ""
    # Texts of the parameters may hold {name} and {unique_id}.
    is_template: bool = False
    # Answers about rights in fleets: many devices of one fleet ask once.
    known_rights: dict[tuple[int, Right], bool] = field(default_factory=dict, compare=False, repr=False)

    def has_rights(self, fleet: Fleet, *rights: Right) -> bool:
        """Return whether the person has all of these rights in the fleet; the system has."""
        for right in rights if self.user is not None else ():
            if (fleet.pk, right) not in self.known_rights:
                self.known_rights[fleet.pk, right] = has_right(self.user, fleet, right)
            if not self.known_rights[fleet.pk, right]:
                return False
        return True

    def parameters_for(self, device: Device) -> dict[str, Any]:
        """Return the parameters for this device, placeholders filled in."""
        given = dict(self.parameters)
        return filled(given, name=device.name, unique_id=device.unique_id) if self.is_template else given


def checked_command(
    request: Request,
    device: Device,
    *,
    now: datetime,
    typed_wanted: str | None = None,
    states: Mapping[int, VehicleState] | None = None,
) -> Command:
    """Return the unsaved command of a request. Raises CommandRefused.

    `typed_wanted` is what a person has to type, the device's name unless said. `states` are those of the vehicles by device,
    where they were read for many of them.
    """
    if errors := _shape_errors(request, now):
        raise _invalid(errors)
    _check_rights(request, device)
    parameters = _checked_parameters(request, device)
    ways = _offered_ways(request, device)
    _check_expressible(device, ways, OutgoingCommand(request.type, parameters, 1, now))
    _check_typed(request, device.name if typed_wanted is None else typed_wanted)
    not_before = request.not_before if request.not_before and request.not_before > now else None
    if not_before is None:
        state = vehicle_states([device.pk], request.type) if states is None else states
        _check_state(request.type, state.get(device.pk), is_override=request.is_override, now=now)
    kind = COMMAND_TYPES[request.type]
    needs_person = kind.is_dangerous and settings.COMMANDS["NEED_SECOND_PERSON"]
    seconds = kind.expiry_seconds if request.expires_in_seconds is None else request.expires_in_seconds
    return Command(
        device=device,
        type=request.type,
        parameters=parameters,
        way=request.way,
        priority=request.priority,
        not_before=not_before,
        expires_at=(not_before or now) + timedelta(seconds=seconds),
        state=CommandState.AWAITING_CONFIRMATION if needs_person else CommandState.QUEUED,
        idempotency_key=request.idempotency_key,
        requested_by_id=getattr(request.user, "pk", None),
        reason=request.reason,
        is_override=request.is_override,
        batch=request.batch,
    )


def standing_errors(request: Request, device: Device, *, now: datetime) -> dict[str, Any]:
    """Return by field what is wrong with a request whenever it is made: of a schedule, before its first run.

    Rights and the vehicle's state are those of each run. A device that has no way yet may get one.
    """
    if errors := _shape_errors(request, now):
        return errors
    try:
        parameters = _checked_parameters(request, device)
        _check_typed(request, device.name)
        ways = ways_for(device, request.type, request.way)
        _check_expressible(device, ways, OutgoingCommand(request.type, parameters, 1, now))
    except CommandRefused as refusal:
        return refusal.errors
    return {}


def check_safety(type_name: str, device: Device, *, is_override: bool, now: datetime) -> None:
    """Raise CommandRefused (unsafe) where a command of this type must not be sent now."""
    states = vehicle_states([device.pk], type_name)
    _check_state(type_name, states.get(device.pk), is_override=is_override, now=now)


def _check_state(type_name: str, state: VehicleState | None, *, is_override: bool, now: datetime) -> None:
    if code := _why_unsafe(type_name, state, is_override=is_override, now=now):
        raise CommandRefused("unsafe", reason_text(code), {"is_override": reason_text(code)})


def unsafe(type_name: str, device: Device, *, is_override: bool, now: datetime) -> str:
    """Return why the command must not be sent to the vehicle as it is known now, "" where it may.

    A fix that waits to be stored counts too, where it forbids it: the tracker that has just connected may have sent it.
    """
    if not has_safety_rules(type_name):
        return ""
    states = [vehicle_states([device.pk], type_name).get(device.pk)]
    waiting = _waiting_state(device)
    known_at = states[0].fix_time if states[0] else None
    if waiting is not None and (known_at is None or waiting.fix_time is None or waiting.fix_time > known_at):
        states.append(waiting)
    found = (_why_unsafe(type_name, state, is_override=is_override, now=now) for state in states)
    return next(filter(None, found), "")


def _waiting_state(device: Device) -> VehicleState | None:
    """Return the newest fix in the position buffer; None without one, also while Redis is away, when none can come either."""
    try:
        fix = newest_waiting_fix(device.unique_id)
    except RedisError:
        return None
    return None if fix is None else VehicleState(fix.fix_time, fix.speed_kph)


def vehicle_states(device_pks: Collection[int], type_name: str) -> dict[int, VehicleState]:
    """Return time and speed of the newest fixes by device, where commands of this type are judged by them; one query."""
    if not has_safety_rules(type_name):
        return {}
    rows = DeviceState.objects.filter(pk__in=device_pks).values_list("pk", "fix_time", "speed_kph")
    return {pk: VehicleState(fix_time, speed_kph) for pk, fix_time, speed_kph in rows}


def _why_unsafe(type_name: str, state: VehicleState | None, *, is_override: bool, now: datetime) -> str:
    state = state or VehicleState(None, None)
    return safety_refusal(
        type_name,
        fix_age_seconds=None if state.fix_time is None else (now - state.fix_time).total_seconds(),
        speed_kph=state.speed_kph,
        is_override=is_override,
    )


def _shape_errors(request: Request, now: datetime) -> dict[str, Any]:
    """Faults of a request by field, whatever device it is for."""
    if not isinstance(request.type, str) or request.type not in COMMAND_TYPES:
        return {"type": _("There is no such type of commands.")}
    errors = {
        "parameters": "" if isinstance(request.parameters, Mapping) else _("Must be an object."),
        "priority": "" if _is_priority(request.priority) else _outside(-100, 100),
        "expires_in_seconds": _seconds_error(request),
        "not_before": _time_error(request.not_before, now),
        "reason": _reason_error(request),
        "idempotency_key": _length_error(request.idempotency_key, MAX_KEY_CHARACTERS),
    }
    return {name: error for name, error in errors.items() if error}


def _is_priority(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -100 <= value <= 100


def _time_error(value: Any, now: datetime) -> str:
    if value is None:
        return ""
    if not isinstance(value, datetime) or value.tzinfo is None:
        return _("Must be a time with its zone.")
    return _("At most %(most)d days ahead.") % {"most": MAX_DELAY.days} if value - now > MAX_DELAY else ""


def _reason_error(request: Request) -> str:
    if request.is_override and not request.reason.strip():
        return _("Give the reason for sending it against the rules of safety.")
    return _length_error(request.reason, MAX_REASON_CHARACTERS)


def _length_error(text: str, most: int) -> str:
    return _("At most %(most)d characters.") % {"most": most} if len(text) > most else ""


def _outside(minimum: int, maximum: int) -> str:
    return _("Must be a whole number from %(minimum)s to %(maximum)s.") % {"minimum": minimum, "maximum": maximum}


def _seconds_error(request: Request) -> str:
    kind, seconds = COMMAND_TYPES[request.type], request.expires_in_seconds
    if seconds is None or is_possible_expiry(kind, seconds):
        return ""
    return _outside(kind.min_expiry_seconds, kind.max_expiry_seconds)


def _check_rights(request: Request, device: Device) -> None:
    if not request.has_rights(device.fleet, *rights_to_send(request.type)):
        raise CommandRefused("not_permitted", _("You may not send this command to this device."))
    if request.is_override and not request.has_rights(device.fleet, OVERRIDE_COMMAND_SAFETY):
        raise CommandRefused(
            "not_permitted",
            _("You may not send commands against the rules of safety."),
            {"is_override": _("You may not send commands against the rules of safety.")},
        )


def _checked_parameters(request: Request, device: Device) -> dict[str, Any]:
    """Return the parameters, with defaults. Raises CommandRefused, not_encodable where they are wrong for this device alone."""
    try:
        return check_parameters(request.type, request.parameters_for(device))
    except InvalidParameters as error:
        found = _invalid({f"parameters.{name}": text for name, text in error.errors.items()})
    if request.is_template and not _parameter_errors(request.type, request.parameters):
        found.code = "not_encodable"
    raise found


def _parameter_errors(type_name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return what no command of this type can have as parameters, by name."""
    try:
        check_parameters(type_name, parameters)
    except InvalidParameters as error:
        return error.errors
    return {}


def _offered_ways(request: Request, device: Device) -> list[str]:
    if not device.is_active:
        raise CommandRefused("not_offered", reason_text("device_inactive"))
    ways = ways_for(device, request.type, request.way)
    if not ways:
        field = "way" if request.way and ways_for(device, request.type) else "type"
        sentence = _("There is no way to send this command to this device.")
        raise CommandRefused("not_offered", sentence, {field: sentence})
    return ways


def fitting(saved: Iterable[SavedCommand], device: Device, *, now: datetime) -> list[SavedCommand]:
    """Return the saved commands whose values some way to the device can express, as far as that is known."""
    ways: dict[str, list[str]] = {}

    def fits(one: SavedCommand) -> bool:
        request = Request(type=one.type, parameters=one.parameters, user=None, is_template=True)
        try:
            parameters = _checked_parameters(request, device)
        except CommandRefused:
            return False
        if one.type not in ways:
            ways[one.type] = ways_for(device, one.type)
        return why_inexpressible(device, ways[one.type], OutgoingCommand(one.type, parameters, 1, now)) is None

    return [one for one in saved if fits(one)]


def _check_expressible(device: Device, ways: Iterable[str], command: OutgoingCommand) -> None:
    """Raise CommandRefused (not_encodable) where none of these ways can express these values for the device."""
    error = why_inexpressible(device, ways, command)
    if error is not None:
        field = f"parameters.{error.parameter}" if error.parameter else "type"
        raise CommandRefused("not_encodable", error, {field: error})


def _check_typed(request: Request, wanted: str) -> None:
    """Require of a dangerous type that it was confirmed by typing, where no second person confirms it."""
    if not COMMAND_TYPES[request.type].is_dangerous or settings.COMMANDS["NEED_SECOND_PERSON"]:
        return
    if request.typed_name.strip() != wanted.strip():
        sentence = _("Type %(text)s to confirm.") % {"text": wanted}
        raise CommandRefused("invalid", sentence, {"typed_name": sentence})


def _invalid(errors: Mapping[str, Any]) -> CommandRefused:
    return CommandRefused("invalid", " ".join(str(error) for error in errors.values()), errors)
