"""Shared parts of the commands for jobs and queues: acting user, JSON output, errors with an exit code."""

from __future__ import annotations

import getpass
import json
import os
import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast
from uuid import UUID

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError
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


@contextmanager
def telling_errors() -> Iterator[None]:
    """Turn errors of Redis and PostgreSQL into a CommandError that says which server was looked for; exit code 1.

    The same for arguments in another encoding, of which Python makes characters that neither server takes.
    """
    try:
        yield
    except UnicodeEncodeError as error:
        if error.reason != "surrogates not allowed":
            raise
        raise CommandError(_("The arguments have characters that are none.")) from error
    except (redis.RedisError, QueueUnavailable) as error:
        text = _("Redis does not answer: %(error)s\nLooked for at %(url)s (%(variable)s).")
        url = str(settings.Q_CLUSTER["redis"])
        variable = "REDIS_URL" if settings.QUEUE_REDIS_URL == settings.REDIS_URL else "QUEUE_REDIS_URL"
        values = {"error": error, "url": without_password(url), "variable": variable}
        raise CommandError(text % values + _local_hint()) from error
    except OperationalError as error:
        text = _("PostgreSQL does not answer: %(error)s\nLooked for at %(url)s (DATABASE_URL).")
        url = without_password(settings.DATABASE_URL)
        raise CommandError(text % {"error": str(error).strip(), "url": url} + _local_hint()) from error


def without_password(url: str) -> str:
    """Return the address of a server without its password."""
    return re.sub(r"(?<=://)([^/@:]*):[^/]*@", r"\1:***@", url)


def _local_hint() -> str:
    """Return how to reach the servers of `make run`, where they run for this clone."""
    path = Path(settings.BASE_DIR, ".local", "run", "env")
    return (
        "\n" + _("`make run` has servers of its own; first run: . %(path)s") % {"path": path} if path.is_file() else ""
    )
