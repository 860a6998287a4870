"""Shared parts of the commands for jobs and queues: acting user, JSON output, errors with an exit code."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import IO, Any, cast
from uuid import UUID

import redis
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _
from rich.console import Console

from tasks_app.engine import QueueUnavailable
from tasks_app.engine.storable import storable_text


def operator_reason(reason: str = "") -> str:
    """Reason kept for an action from the shell: the machine's user and the given reason.

    Arguments of a shell that are no UTF-8 come as lone surrogates, which are kept as escapes.
    """
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container whose user id has no name
        name = str(os.getuid())
    return storable_text(f"shell: {name}: {reason}" if reason else f"shell: {name}")


def console_of(command: BaseCommand) -> Console:
    """A console on the command's standard output; where that is no terminal, lines are not cut at 80 columns."""
    stream = cast(IO[str], command.stdout._out)
    return Console(file=stream, width=None if stream.isatty() else 200)


def print_json(command: BaseCommand, value: Any) -> None:
    """Print one JSON document."""
    command.stdout.write(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return asdict(value)


@contextmanager
def telling_errors() -> Iterator[None]:
    """Turn errors of Redis into a CommandError: one line, exit code 1."""
    try:
        yield
    except (redis.RedisError, QueueUnavailable) as error:
        raise CommandError(_("Redis does not answer: %(error)s") % {"error": error}) from error
