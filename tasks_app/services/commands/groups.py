"""One command for each of many devices, each with its own outcome."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4, uuid5

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from tasks_app.models import Command, Device
from tasks_app.services.commands.checking import Request, VehicleState, checked_command, vehicle_states
from tasks_app.services.commands.refusals import CommandRefused
from tasks_app.services.commands.requesting import is_key_taken, same_command, store_commands
from tasks_app.services.transactions import run_in_transaction

# Names batches by their keys.
_BATCHES = UUID("6b0d7a0e-5d0c-4a54-9f0a-5b6b1b7f2c11")


@dataclass(frozen=True, slots=True)
class GroupRow:
    """The outcome for one device: its command (not stored in a dry run), or why there is none."""

    device: Device
    command: Command | None
    refusal: CommandRefused | None = None


@dataclass(frozen=True, slots=True)
class GroupResult:
    """The outcome of a request for many devices. `typed_wanted` is what confirms it where its type is dangerous.

    `refused` counts the refusals by code.
    """

    batch: UUID
    rows: list[GroupRow]
    typed_wanted: str
    refused: Mapping[str, int] = field(default_factory=dict)

    @property
    def accepted(self) -> int:
        return sum(1 for row in self.rows if row.command is not None)


def request_commands(
    devices: Iterable[Device],
    *,
    type: str,
    parameters: Mapping[str, Any],
    user: Any,
    way: str = "",
    priority: int = 0,
    not_before: datetime | None = None,
    expires_in_seconds: int | None = None,
    idempotency_key: str = "",
    reason: str = "",
    is_override: bool = False,
    typed_name: str = "",
    is_template: bool = False,
    dry_run: bool = False,
) -> GroupResult:
    """Make a command for each device that may get one, in one transaction; a dry run makes none and says how many.

    Arguments are as in `request_command`. What a person types to confirm a dangerous type is the number of devices. The key is
    one of the whole request. Raises CommandRefused for what is wrong with all of them: too_many, invalid, conflict.
    """
    wanted = _some_devices(devices)
    typed = str(len(wanted))
    batch = uuid5(_BATCHES, f"{getattr(user, 'pk', None)}:{idempotency_key}") if idempotency_key else uuid4()
    request = Request(
        type=type,
        parameters=parameters,
        user=user,
        way=way,
        priority=priority,
        not_before=not_before,
        expires_in_seconds=expires_in_seconds,
        idempotency_key=idempotency_key,
        reason=reason,
        is_override=is_override,
        batch=batch,
        typed_name=typed if dry_run else typed_name,
        is_template=is_template,
    )
    now = timezone.now()

    def work() -> list[GroupRow]:
        known = {} if dry_run else _commands_of_key(request, wanted)
        states = vehicle_states([one.pk for one in wanted], type)
        rows = [_row(one, partial(_command, request, one, known, states, now, typed)) for one in wanted]
        if not dry_run:
            new = [one for one in (row.command for row in rows) if one is not None and one._state.adding]
            store_commands(new, user=user, reason=reason, now=now)
        return rows

    rows = run_in_transaction(work, should_retry=is_key_taken)
    refused = Counter(row.refusal.code for row in rows if row.refusal is not None)
    return GroupResult(batch, rows, typed, refused)


def _some_devices(devices: Iterable[Device]) -> list[Device]:
    """Return these devices, each once, with what commands ask of them. Raises CommandRefused (invalid, too_many)."""
    known = Device.objects.select_related("fleet", "access").in_bulk([device.pk for device in devices])
    most = settings.COMMANDS["MAX_DEVICES"]
    if not known:
        raise CommandRefused("invalid", _("Choose at least one device."), {"devices": _("Choose at least one device.")})
    if len(known) > most:
        raise CommandRefused("too_many", _("One request sends commands to at most %(most)d devices.") % {"most": most})
    return sorted(known.values(), key=lambda device: device.pk)


def _row(device: Device, make: Any) -> GroupRow:
    """The outcome for one device. What is wrong with the request itself is raised."""
    try:
        return GroupRow(device, make())
    except CommandRefused as refusal:
        if refusal.code in ("invalid", "conflict"):
            raise
        return GroupRow(device, None, refusal)


def _command(
    request: Request,
    device: Device,
    known: Mapping[int, Command],
    states: Mapping[int, VehicleState],
    now: datetime,
    typed: str,
) -> Command:
    """Return the command that the key made for the device before, else a new one that is not stored. Raises CommandRefused."""
    if device.pk in known:
        return same_command(known[device.pk], request, device)
    asked = replace(request, idempotency_key=_key_of(request, device))
    return checked_command(asked, device, now=now, typed_wanted=typed, states=states)


def _key_of(request: Request, device: Device) -> str:
    """Return the key of one device's command, "" for a request without a key."""
    key = request.idempotency_key
    return key and hashlib.sha256(f"{key}:{device.pk}".encode()).hexdigest()


def _commands_of_key(request: Request, wanted: Sequence[Device]) -> dict[int, Command]:
    """Return what the key made before, by device. Raises CommandRefused (conflict) where it was used for other devices."""
    if not request.idempotency_key:
        return {}
    made = set(Command.objects.filter(batch=request.batch).values_list("device_id", flat=True))
    if made - {device.pk for device in wanted}:
        raise CommandRefused("conflict", _("This key came with another request before."))
    keys = [_key_of(request, device) for device in wanted]
    rows = Command.objects.filter(idempotency_key__in=keys, requested_by_id=getattr(request.user, "pk", None))
    return {one.device_id: one for one in rows}
