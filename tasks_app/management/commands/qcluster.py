"""`manage.py qcluster`: replaces django-q2's command of the same name with our Cluster."""

from __future__ import annotations

import logging
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from tasks_app.engine import QueueLanesChanged
from tasks_app.engine.clusters.cluster import Cluster
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.lanes import change_lanes
from tasks_app.management.arguments import short_text, whole_number
from tasks_app.management.base import ShellCommand

logger = logging.getLogger(__name__)


class Command(ShellCommand):
    # The others load every page, which takes 30 MB; they belong to `manage.py check` and the web server.
    requires_system_checks = ["tasks"]
    help = _("Runs the jobs of one or several queues until SIGTERM or Ctrl-C; without --name, those of all queues.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "-n",
            "--name",
            action="append",
            dest="queues",
            type=short_text(100),
            help=_("Queue to work on; may be repeated."),
        )
        parser.add_argument(
            "--workers", type=whole_number, help=_("Worker processes per queue, instead of the setting.")
        )

        parser.add_argument("--burst", action="store_true", help=_("Leave when the queues are empty."))

    def handle(self, *args: Any, **options: Any) -> None:
        known = engine_config().queues
        queues = options["queues"] or list(known)
        unknown = [name for name in queues if name not in known]
        if unknown:
            raise CommandError(
                _("Unknown queue: %(names)s. There are %(known)s.")
                % {"names": ", ".join(unknown), "known": ", ".join(known)}
            )
        if options["workers"] is not None and not 1 <= options["workers"] <= 256:
            raise CommandError(_("--workers must be between 1 and 256."))
        if not options["workers"] and not any(known[name].workers > 0 for name in queues):
            none = _("There is no worker to start: the settings say 0 for %(names)s.")
            raise CommandError(none % {"names": ", ".join(queues)})
        self._change_lanes(queues, must_answer=options["burst"])
        sys.exit(Cluster(list(dict.fromkeys(queues)), options["workers"], burst=options["burst"]).run())

    def _change_lanes(self, queues: list[str], *, must_answer: bool = False) -> None:
        """Let each queue have as many lanes as its setting says.

        A Redis that is away is waited for by the workers; those of a burst would wait without end, so it must answer.
        """
        for name in queues:
            try:
                change_lanes(name, client())
            except QueueLanesChanged as error:
                raise CommandError(str(error)) from error
            except RedisError as error:
                if must_answer:
                    raise
                logger.warning("Redis does not answer (%s): it is tried again.", error)
            finally:
                client().close()
