"""Output of the commands, and texts that they are given."""

from __future__ import annotations

import getpass
import json
import os
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import IO, Any, cast
from uuid import UUID

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _
from rich.console import Console

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


def short_text(most: int) -> Callable[[str], str]:
    """Return the `type` of an argument that is looked for or kept in the database: 1 to `most` characters.

    A shell passes bytes that are no UTF-8 as lone surrogates, which no database takes.
    """

    def checked(text: str) -> str:
        if storable_text(text, max(len(text), 1)) != text:
            raise ArgumentTypeError(_("This text is no UTF-8."))
        if not 1 <= len(text.strip()) <= most:
            raise ArgumentTypeError(_("It needs 1 to %(most)d characters.") % {"most": most})
        return text.strip()

    return checked


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
