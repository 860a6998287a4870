"""Base of every command of ours: servers that do not answer, and Ctrl-C, end it with a sentence and an exit code."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, OperationalError
from django.utils.translation import gettext as _

from tasks_app.engine import QueueUnavailable
from tasks_app.engine.database import sqlstate

# PostgreSQL's codes of what an operator has to mend: a table or a column that is missing, a right, a server for reading only.
_NOT_MIGRATED = ("42P01", "42703")
_REFUSALS = (*_NOT_MIGRATED, "42501", "25006")
# What a server writes that turns a connection down: psycopg2 has no code for it then. The word is the same in every language.
_TURNED_DOWN = "FATAL:"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class ShellCommand(BaseCommand):
    """A command that ends in no traceback for what is no fault of ours."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Check and run it, as Django does. Raises CommandError."""
        try:
            with telling_errors():
                return super().execute(*args, **options)
        except KeyboardInterrupt:
            raise CommandError(_("Stopped."), returncode=130) from None


@contextmanager
def telling_errors() -> Iterator[None]:
    """Turn errors of Redis and PostgreSQL into a CommandError that says which server was looked for; exit code 1.

    The same for arguments in another encoding, of which Python makes characters that neither server takes, and for a disk
    without room for what the command writes.
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
    except (DatabaseError, InterfaceError) as error:
        raise _of_postgresql(error) from error
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise CommandError(_("There is no room for what is written: %(error)s") % {"error": error}) from error


def _of_postgresql(error: DatabaseError | InterfaceError) -> CommandError:
    """Return the sentence about an error of PostgreSQL. Raises `error` where it is ours."""
    code = sqlstate(error)
    if code in _REFUSALS or (code and isinstance(error, OperationalError | InterfaceError)):
        text = _("PostgreSQL refuses this: %(error)s") % {"error": str(error).partition("\n")[0]}
        return CommandError(text + ("\n" + _("Run manage.py migrate first.") if code in _NOT_MIGRATED else ""))
    if not isinstance(error, OperationalError | InterfaceError):
        raise error
    text = _("PostgreSQL does not answer: %(error)s\nLooked for at %(url)s (DATABASE_URL).")
    if _TURNED_DOWN in str(error):
        text = _("PostgreSQL refuses the connection: %(error)s\nLooked for at %(url)s (DATABASE_URL).")
    values = {"error": str(error).strip(), "url": without_password(settings.DATABASE_URL)}
    return CommandError(text % values + _local_hint())


def without_password(url: str) -> str:
    """Return the address of a server without its password, nor those among its options."""
    url = re.sub(r"(?<=://)([^/@:]*):[^/]*@", r"\1:***@", url)
    return re.sub(r"(?<=[?&])([^=&]*password)=[^&]*", r"\1=***", url, flags=re.IGNORECASE)


def _local_hint() -> str:
    """Return how to reach the servers of `make run`, where they run for this clone, or how to start others."""
    path = Path(settings.BASE_DIR, ".local", "run", "env")
    if path.is_file():
        return "\n" + _("`make run` has servers of its own; first run: . %(path)s") % {"path": path}
    if settings.DEBUG and settings.LOCAL_DATABASE_URL == settings.DATABASE_URL:
        return "\n" + _("Local servers are started by manage.py services start; then run manage.py migrate.")
    return ""
