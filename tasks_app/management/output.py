"""Output of the commands."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import IO, Any, cast
from uuid import UUID

from django.core.management.base import BaseCommand
from rich.console import Console


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
