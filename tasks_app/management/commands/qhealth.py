"""`manage.py qhealth`: whether the clusters of this host take jobs, for probes of Kubernetes and systemd."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from tasks_app.engine.config import engine_config
from tasks_app.engine.consumers import HOST
from tasks_app.management.arguments import decimal_number
from tasks_app.management.base import ShellCommand
from tasks_app.queries.host_health import why_not_consuming
from tasks_app.queries.jobs import list_workers

MAX_SILENCE_SECONDS = 20.0


class Command(ShellCommand):
    help = _("Says whether workers of this host take jobs; exit code 1 if not.")
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("queues", nargs="*", help=_("Queues of which this host must have a worker that runs."))
        parser.add_argument(
            "--max-silence-seconds",
            type=decimal_number,
            default=MAX_SILENCE_SECONDS,
            help=_("How long a worker's process may show no sign of running (default: %(seconds)g).")
            % {"seconds": MAX_SILENCE_SECONDS},
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if unknown := set(options["queues"]) - set(engine_config().queues):
            raise CommandError(_("There is no queue named %(name)s.") % {"name": ", ".join(sorted(unknown))})
        if not options["max_silence_seconds"] > 0:
            raise CommandError(_("--max-silence-seconds takes a number above 0."))
        workers = list_workers()
        silent = why_not_consuming(workers, HOST, options["queues"], options["max_silence_seconds"])
        if silent:
            raise CommandError("\n".join(_sentence(*one) for one in silent))
        self.stdout.write(_("The workers of %(host)s take jobs.") % {"host": HOST})


def _sentence(queue: str, pids: list[int]) -> str:
    if not queue:
        return _("%(host)s has no workers.") % {"host": HOST}
    if not pids:
        return _("%(host)s has no worker of queue %(queue)s.") % {"host": HOST, "queue": queue}
    return _("No worker of queue %(queue)s on %(host)s runs: the processes %(pids)s are silent.") % {
        "queue": queue,
        "host": HOST,
        "pids": ", ".join(map(str, pids)),
    }
