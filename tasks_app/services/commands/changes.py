"""Changes of commands whose rows are locked: their states, who hears of it, and the job that sends the next one."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from tasks_app.engine import EngineError, get_task
from tasks_app.engine.storable import storable_text
from tasks_app.models import Command, CommandState, DeviceState, Event, EventKind
from tasks_app.models.commands import MAX_REASON_CHARACTERS
from tasks_app.services.broadcast import announce_commands
from tasks_app.services.events import new_event, record_events

logger = logging.getLogger(__name__)

WAITING = (CommandState.AWAITING_CONFIRMATION, CommandState.QUEUED)
OUTSTANDING = (CommandState.SENDING, CommandState.SENT)
ENDED = (
    CommandState.DONE,
    CommandState.FAILED,
    CommandState.EXPIRED,
    CommandState.CANCELLED,
    CommandState.UNCONFIRMED,
)


def reason(code: str, detail: object = "") -> str:
    """Return a `state_reason`: a code of queries.commands.REASONS, with a detail that people read as it is."""
    return storable_text(f"{code}: {detail}", MAX_REASON_CHARACTERS) if detail else code


def change_state(
    command: Command, state: CommandState, why: str = "", *, now: datetime, has_event: bool = False
) -> None:
    """Give a locked command this state, and announce it after the commit.

    The end of a command is an event, unless a person wanted it or the answer that ended it is one already (`has_event`); it
    lets the next command of the device be sent.
    """
    command.state, command.state_reason = state, why
    command.ended_at = now if state in ENDED else None
    command.version += 1
    command.save()
    if state in ENDED:
        if state != CommandState.CANCELLED and not has_event:
            record_events([_event_of(command, now)])
        send_soon(command.device_id, f"ended-{command.pk}-{state}")
    announce_on_commit([command])


def announce_on_commit(commands: Iterable[Command]) -> None:
    """Publish the commands as they are to live viewers after the commit."""
    transaction.on_commit(partial(announce_commands, list(commands)), robust=True)


def send_soon(device_pk: int, cause: str, *, at: datetime | None = None) -> None:
    """Have the next command of the device sent after the commit, or at a time.

    One job for each cause: a job that runs already may have looked before this cause was there. Where Redis does not take the
    job, the next sweep sends the command.
    """
    transaction.on_commit(partial(_enqueue, device_pk, cause, at), robust=True)


def _enqueue(device_pk: int, cause: str, at: datetime | None) -> None:
    try:
        get_task("send_commands").apply_async(
            (device_pk,), eta=at, unique_key=f"send-commands:{device_pk}:{cause}", priority="high"
        )
    except EngineError as error:
        logger.warning("Commands of device %d wait for the next sweep: %s", device_pk, error)


def send_all_soon(causes: Sequence[tuple[int, str]]) -> None:
    """Do as `send_soon` for many devices, given with what is the cause of each, in one call."""
    if causes:
        transaction.on_commit(partial(_enqueue_all, causes), robust=True)


def _enqueue_all(causes: Sequence[tuple[int, str]]) -> None:
    keys = [f"send-commands:{device_pk}:{cause}" for device_pk, cause in causes]
    try:
        get_task("send_commands").enqueue_many(
            [(device_pk,) for device_pk, _ in causes], unique_keys=keys, priority="high"
        )
    except EngineError as error:
        logger.warning("Commands of %d devices wait for the next sweep: %s", len(causes), error)


def event_data(command: Command) -> dict[str, Any]:
    """Return what an event says of a command."""
    return {
        "result": command.answer,
        "command_id": command.pk,
        "command": command.type,
        "state": str(command.state),
        "reason": command.state_reason,
    }


def _event_of(command: Command, now: datetime) -> Event:
    """The event of the command's end, at the last known place of its device."""
    data = event_data(command)
    state = DeviceState.objects.filter(pk=command.device_id, fix_time__isnull=False).first()
    place = (state.latitude, state.longitude) if state else (None, None)
    if state and state.fix_time:
        data["last_fix_at"] = state.fix_time.isoformat()
    return new_event(command.device_id, EventKind.COMMAND_RESULT.value, now, place, None, data)
