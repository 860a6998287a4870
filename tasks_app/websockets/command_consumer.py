"""One connection of /ws/commands/: commands as they are now, sent when they change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser

from tasks_app.queries.watched_commands import CommandNow, commands_now, commands_of_device_now
from tasks_app.websockets import messages
from tasks_app.websockets.watching import WatchingConsumer

MAX_COMMANDS = 50


@dataclass(frozen=True, slots=True)
class WatchedCommands:
    """The commands that a connection asked for: those of a device, or these."""

    device_id: int | None = None
    command_ids: tuple[int, ...] = ()


def read_watched_commands(query: str) -> WatchedCommands | None:
    """Return what the query string of the address asks for; None for anything that cannot be watched."""
    parameters = parse_qs(query, keep_blank_values=True, max_num_fields=MAX_COMMANDS + 1)
    devices, commands = parameters.get("device_id", []), parameters.get("command_id", [])
    is_possible = len(devices) <= 1 and len(commands) <= MAX_COMMANDS and bool(devices) != bool(commands)
    if not is_possible or parameters.keys() - {"device_id", "command_id"}:
        return None
    numbers = [int(text) for text in (*devices, *commands) if text.isascii() and text.isdecimal() and len(text) < 19]
    if len(numbers) < len(devices) + len(commands):
        return None
    return WatchedCommands(numbers[0]) if devices else WatchedCommands(None, tuple(dict.fromkeys(numbers)))


class CommandConsumer(WatchingConsumer):
    """States of commands. Its messages and close codes: docs/live.md."""

    kind = "commands"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sent: dict[int, CommandNow] = {}
        self._is_first = True

    def read(self, query: str) -> WatchedCommands | None:
        return read_watched_commands(query)

    async def look(self, watched: WatchedCommands) -> tuple[str | None, bool]:
        """Return what changed, and whether every command that was asked for has ended."""
        found = await database_sync_to_async(_now)(self.access.user_id, watched)
        changed = [command for command in found if self._sent.get(command.id) != command]
        self._sent = {command.id: command for command in found}
        # The first message comes even where there is no command, so that a client knows where it stands.
        message = messages.command_message(changed) if changed or self._is_first else None
        self._is_first = False
        return message, watched.device_id is None and all(command.has_ended for command in found)


def _now(user_id: int, watched: WatchedCommands) -> list[CommandNow]:
    """The commands as the user may see them now; nothing of one whose account is gone, which ends the connection."""
    user = get_user_model()._default_manager.filter(pk=user_id).first() or AnonymousUser()
    if watched.device_id is not None:
        return commands_of_device_now(watched.device_id, user=user)
    return commands_now(watched.command_ids, user=user)
