"""`manage.py workers`: list workers; let one rest, wake or stop; let a cluster have one more or one less."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from tasks_app.exceptions import JobError
from tasks_app.management.acting import acting_user, add_user_option, operator_reason
from tasks_app.management.base import ShellCommand
from tasks_app.management.engine_tables import worker_table
from tasks_app.management.output import console_of, print_json
from tasks_app.queries.job_rights import CONTROL_WORKERS
from tasks_app.queries.jobs import list_workers
from tasks_app.services.jobs import grow_cluster, quiet_worker, shrink_cluster, stop_worker, wake_worker

OF_WORKERS = {"quiet": quiet_worker, "wake": wake_worker, "stop": stop_worker}
OF_CLUSTERS = {"grow": grow_cluster, "shrink": shrink_cluster}


class Command(ShellCommand):
    help = _("Lists workers, lets one rest, wake or stop, or lets a cluster have one more or one less.")

    def add_arguments(self, parser: CommandParser) -> None:
        steps = parser.add_subparsers(dest="step", required=True, metavar="list|quiet|wake|stop|grow|shrink")
        helps = {
            "list": _("The workers of all hosts."),
            "quiet": _("It ends the job it has and takes no other."),
            "wake": _("It takes jobs again."),
            "stop": _("It ends after the job it has; no other takes its place until the cluster starts anew."),
            "grow": _("A cluster starts one more worker of a queue."),
            "shrink": _("A cluster stops one worker of a queue."),
        }
        for step, text in helps.items():
            sub = steps.add_parser(step, help=text)
            sub.add_argument("--json", action="store_true", help=_("Print one JSON document."))
            if step == "list":
                continue
            sub.add_argument("--reason", default="", help=_("Kept in the history of the queue."))
            add_user_option(sub)
            sub.add_argument("name", help=_("As in the list: <host>:<process id>."))
            if step in OF_CLUSTERS:
                sub.add_argument("queue")

    def handle(self, *args: Any, step: str, **options: Any) -> None:
        if step == "list":
            print_json(self, list_workers()) if options["json"] else console_of(self).print(worker_table())
        else:
            self._act(step, options)

    def _act(self, step: str, options: dict[str, Any]) -> None:
        name = options["name"]
        user = acting_user(options, CONTROL_WORKERS)
        about: dict[str, Any] = {"user": user, "reason": operator_reason(options["reason"]), "now": timezone.now()}
        try:
            if step in OF_CLUSTERS:
                OF_CLUSTERS[step](cluster=name, queue=options["queue"], **about)
            else:
                OF_WORKERS[step](name=self._worker_name(name), **about)
        except JobError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            print_json(self, {"order": step, "name": name})
        else:
            self.stdout.write(_("The cluster has the order %(step)s %(name)s.") % {"step": step, "name": name})

    def _worker_name(self, name: str) -> str:
        """Return the whole name of the worker that is named by its host and process id."""
        found = next((worker.name for worker in list_workers() if f"{worker.host}:{worker.pid}" == name), None)
        return found or name
