#!/usr/bin/env python
"""Django's command line."""

import os
import signal
import sys

from tasks_app.process_signals import stop_signals


def leave_at_once(number: int, frame: object) -> None:
    os._exit(0)


def main() -> None:
    if sys.argv[1:2] == ["qcluster"]:
        # Until the cluster listens itself nothing has begun: a stop now is one in order.
        for number in stop_signals():
            signal.signal(number, leave_at_once)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trackerproject.settings")
    # A cluster forks its workers: no library may have started threads before (docs/adr/0002-process-model.md).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db.utils import InterfaceError, OperationalError

    from tasks_app.utils.audit_source import changes_of_command

    try:
        with changes_of_command(sys.argv):
            execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(str(error))
    except (InterfaceError, OperationalError, OSError) as error:
        sys.exit(sentence_of(error))


def sentence_of(error: Exception) -> str:
    """Return in a sentence which database does not answer, or that a disk is full: no command of Django's says so.

    Raises `error` where it is another one.
    """
    from django.core.management import CommandError

    from tasks_app.engine.database import sqlstate
    from tasks_app.management.base import telling_errors

    if "--traceback" in sys.argv or sqlstate(error):
        raise error
    try:
        with telling_errors():
            raise error
    except CommandError as sentence:
        return str(sentence)


if __name__ == "__main__":
    main()
