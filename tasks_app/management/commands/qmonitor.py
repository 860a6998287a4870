"""`manage.py qmonitor`: replaces django-q2's command of the same name, which cannot see our queues."""

from __future__ import annotations

import time
from typing import Any

import redis
from django.core.management.base import CommandParser
from django.utils.translation import gettext as _
from rich.console import RenderableType
from rich.live import Live

from tasks_app.management.base import ShellCommand
from tasks_app.management.engine_tables import engine_tables
from tasks_app.management.output import console_of


class Command(ShellCommand):
    help = _("Shows the queues and workers, refreshed every second, until Ctrl-C.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--run-once", action="store_true", help=_("Show them once and leave."))

    def handle(self, *args: Any, **options: Any) -> None:
        if options["run_once"]:
            console_of(self).print(engine_tables())
            return
        try:
            with Live(_tables(), auto_refresh=False) as live:
                while True:
                    time.sleep(1)
                    live.update(_tables(), refresh=True)
        except KeyboardInterrupt:
            pass


def _tables() -> RenderableType:
    try:
        return engine_tables()
    except redis.RedisError as error:
        return _("Redis does not answer: %(error)s") % {"error": error}
