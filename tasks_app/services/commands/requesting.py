"""Requests for commands: one row for each device, made before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import DatabaseError, IntegrityError
from django.utils import timezone
from django.utils.translation import gettext as _

from tasks_app.models import Command, CommandState, Device
from tasks_app.services.audit import record_all, subject_of_row
from tasks_app.services.commands.changes import (
    WAITING,
    announce_on_commit,
    change_state,
    reason,
    send_all_soon,
    send_soon,
)
from tasks_app.services.commands.checking import Request, checked_command
from tasks_app.services.commands.deciding import is_superseded
from tasks_app.services.commands.refusals import CommandRefused
from tasks_app.services.transactions import run_in_transaction


def request_command(
    *,
    device: Device,
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
    batch: UUID | None = None,
    typed_name: str = "",
    is_template: bool = False,
) -> Command:
    """Make the command and have it sent after the commit. Raises CommandRefused.

    The same key of the same user with the same content returns the command that it made. `user` is None for the system, whose
    schedules and rules were checked against the person who saved them. `typed_name` is the device's name as a person typed it
    to confirm a dangerous command; with COMMANDS_NEED_SECOND_PERSON such a one awaits confirmation instead. In a template, the
    parameters of a saved command, {name} and {unique_id} are the device's.
    """
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
        typed_name=typed_name,
        is_template=is_template,
    )
    now = timezone.now()
    return run_in_transaction(lambda: stored_command(request, device, now=now), should_retry=is_key_taken)


def stored_command(request: Request, device: Device, *, now: datetime) -> Command:
    """Return the new row of a request, or that of its key, inside the caller's transaction. Raises CommandRefused."""
    if (known := _command_of_key(request)) is not None:
        return same_command(known, request, device)
    command = checked_command(request, device, now=now)
    store_commands([command], user=request.user, reason=request.reason, now=now)
    return command


def store_commands(commands: Sequence[Command], *, user: Any, reason: str, now: datetime) -> None:
    """Store checked commands of one request, one for each device, and have them sent after the commit."""
    Command.objects.bulk_create(commands)
    record_all("request_command", [(subject_of_row(one), _given(one)) for one in commands], user=user, reason=reason)
    announce_on_commit(commands)
    make_way_for([one for one in commands if one.state == CommandState.QUEUED], now=now)


def _given(command: Command) -> dict[str, Any]:
    return {
        "type": command.type, "parameters": command.parameters, "way": command.way, "is_override": command.is_override,
        "not_before": command.not_before, "expires_at": command.expires_at,
    }  # fmt: skip


def make_way_for(commands: Sequence[Command], *, now: datetime) -> None:
    """Supersede what these queued commands, one of each device, make meaningless, and have them sent."""
    by_device = {one.device_id: one for one in commands}
    waiting = Command.objects.select_for_update(of=("self",)).filter(device__in=by_device, state__in=WAITING)
    for other in waiting.exclude(pk__in=[one.pk for one in commands]).order_by("pk"):
        command = by_device[other.device_id]
        if is_superseded(
            other.type,
            other.not_before or other.created_at,
            by_type=command.type,
            by_starts_at=command.not_before or now,
        ):
            change_state(other, CommandState.CANCELLED, reason("superseded", command.pk), now=now)
    send_all_soon([(one.device_id, f"command-{one.pk}") for one in commands])
    for command in commands:
        if command.not_before is not None:
            send_soon(command.device_id, f"due-{command.pk}", at=command.not_before)


def _command_of_key(request: Request) -> Command | None:
    if not request.idempotency_key:
        return None
    rows = Command.objects.filter(idempotency_key=request.idempotency_key)
    return rows.filter(requested_by_id=getattr(request.user, "pk", None)).first()


def same_command(known: Command, request: Request, device: Device) -> Command:
    """The command of the key, if it is what is asked for now. Raises CommandRefused (conflict)."""
    asked = (device.pk, request.type, request.way, request.priority, request.reason, request.is_override)
    made = (known.device_id, known.type, known.way, known.priority, known.reason, known.is_override)
    wants = request.parameters_for(device)
    same_parameters = all(known.parameters.get(name) == value for name, value in wants.items())
    same_time = known.not_before == request.not_before or known.not_before is None
    if asked != made or not same_parameters or not same_time or not _same_expiry(known, request):
        raise CommandRefused("conflict", _("This key came with another request before."))
    return known


def _same_expiry(known: Command, request: Request) -> bool:
    if request.expires_in_seconds is None:
        return True
    held = (known.expires_at - (known.not_before or known.created_at)).total_seconds()
    return abs(held - request.expires_in_seconds) < 5


def is_key_taken(error: DatabaseError) -> bool:
    """Whether the row of the key was made between looking for it and making it: looking again finds it."""
    return isinstance(error, IntegrityError) and "one_command_per_user_and_key" in str(error)
