"""Choice of the next command of a device, and of the way that gets it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tasks_app.models import Command, CommandState, Device
from tasks_app.queries.commands import chain_of
from tasks_app.services.commands.attempts import ways_that_refused
from tasks_app.services.commands.changes import OUTSTANDING
from tasks_app.services.commands.deciding import Waiting, due_commands, ways_in_order
from tasks_app.services.commands.ways.registry import WAYS


def send_next(*, device_pk: int, now: datetime) -> dict[str, Any]:
    """Hand the next command of a device to the first way of its chain that can take it.

    Returns {"command": its key, "way": the way}; without a way for any of those that wait {"waiting": their number}, and
    {"outstanding": key} while one is not answered. Doing it twice sends nothing twice: `send_attempt` decides.
    """
    device = Device.objects.select_related("fleet", "access").filter(pk=device_pk).first()
    commands = Command.objects.filter(device_id=device_pk)
    outstanding = commands.filter(state__in=OUTSTANDING).values_list("pk", flat=True).first()
    if device is None or outstanding is not None:
        return {"outstanding": outstanding}
    queued = {one.pk: one for one in commands.filter(state=CommandState.QUEUED)}
    waiting = [
        Waiting(one.pk, one.priority, one.created_at, one.not_before, one.next_attempt_at, one.expires_at)
        for one in queued.values()
    ]
    for pk in due_commands(waiting, now):
        if (way := _handed_over(device, queued[pk], now)) is not None:
            return {"command": pk, "way": way}
    return {"waiting": len(queued)}


def _handed_over(device: Device, command: Command, now: datetime) -> str | None:
    """Give the command to a way; return its name, None where none can take it now."""
    chain = [command.way] if command.way else chain_of(device)
    tried = list(command.attempts.exclude(error="").values_list("way", flat=True))
    refused = ways_that_refused(command)
    for name in ways_in_order([one for one in chain if one in WAYS and one not in refused], tried):
        way = WAYS[name]
        if command.type in way.types(device) and way.can_take(device, command):
            _note_tried(command, "", now)
            way.hand_over(device, command)
            return name
    _note_tried(command, "no_way", now)
    return None


def _note_tried(command: Command, why: str, now: datetime) -> None:
    """Note on a command that is still queued when a way was looked for, and that there is none."""
    rows = Command.objects.filter(pk=command.pk, state=CommandState.QUEUED)
    rows.update(last_tried_at=now, **({"state_reason": why} if why or command.state_reason == "no_way" else {}))
