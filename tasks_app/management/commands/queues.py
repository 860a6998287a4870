"""`manage.py queues`: list, pause, resume and purge queues from the shell."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from tasks_app.engine import registered_tasks
from tasks_app.exceptions import QueueNotFound
from tasks_app.management.acting import acting_user, add_user_option, operator_reason
from tasks_app.management.arguments import short_text
from tasks_app.management.base import ShellCommand
from tasks_app.management.engine_tables import queue_table
from tasks_app.management.output import console_of, print_json
from tasks_app.queries.job_rights import PAUSE_QUEUES, PURGE_QUEUES
from tasks_app.queries.jobs import queue_stats
from tasks_app.services.jobs import pause_queue, pause_task, purge_queue, resume_queue, resume_task


class Command(ShellCommand):
    help = _("Lists queues, pauses and resumes one, or cancels everything that waits in one.")

    def add_arguments(self, parser: CommandParser) -> None:
        steps = parser.add_subparsers(dest="step", required=True, metavar="list|pause|resume|purge")
        helps = {
            "list": _("How every queue stands."),
            "pause": _("Workers take nothing from it any more; running jobs go on."),
            "resume": _("End a pause."),
            "purge": _("Cancel every queued, scheduled and retrying job of it."),
        }
        for step, text in helps.items():
            sub = steps.add_parser(step, help=text)
            sub.add_argument("--json", action="store_true", help=_("Print one JSON document."))
            if step != "list":
                sub.add_argument("name")
                sub.add_argument("--reason", default="", help=_("Kept in the history of the queue."))
                add_user_option(sub)
            if step in ("pause", "resume"):
                sub.add_argument("--task", type=short_text(200), help=_("Only this task of it."))
            if step == "purge":
                sub.add_argument("--yes", action="store_true", help=_("Do not ask."))

    def handle(self, *args: Any, step: str, **options: Any) -> None:
        if step == "list":
            self._list(options["json"])
        else:
            self._act(step, options["name"], options)

    def _list(self, as_json: bool) -> None:
        if as_json:
            print_json(self, queue_stats())
        else:
            console_of(self).print(queue_table())

    def _act(self, step: str, name: str, options: dict[str, Any]) -> None:
        self._check_known(name)
        user = acting_user(options, PURGE_QUEUES if step == "purge" else PAUSE_QUEUES)
        if step == "purge" and not options["yes"]:
            self._ask(name)
        about: dict[str, Any] = {"user": user, "reason": operator_reason(options["reason"]), "now": timezone.now()}
        if options.get("task"):
            self._act_on_task(step, name, options, about)
            return
        services = {"pause": pause_queue, "resume": resume_queue, "purge": purge_queue}
        try:
            count = services[step](name=name, **about)
        except QueueNotFound as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            print_json(
                self, {"name": name, **({"cancelled": count} if step == "purge" else {"paused": step == "pause"})}
            )
            return
        texts = {
            "pause": _("Queue %(name)s is paused."),
            "resume": _("Queue %(name)s goes on."),
            "purge": _("%(count)d jobs of queue %(name)s were cancelled."),
        }
        self.stdout.write(texts[step] % {"name": name, "count": count or 0})

    def _act_on_task(self, step: str, queue: str, options: dict[str, Any], about: dict[str, Any]) -> None:
        task = options["task"]
        if task not in {each.name for each in registered_tasks() if each.queue == queue}:
            raise CommandError(_("Queue %(queue)s has no task %(task)s.") % {"queue": queue, "task": task})
        {"pause": pause_task, "resume": resume_task}[step](task=task, **about)
        if options["json"]:
            print_json(self, {"name": queue, "task": task, "paused": step == "pause"})
            return
        text = _("Task %(name)s is paused.") if step == "pause" else _("Task %(name)s goes on.")
        self.stdout.write(text % {"name": task})

    def _check_known(self, name: str) -> None:
        known = [queue.name for queue in queue_stats()]
        if name not in known:
            raise CommandError(
                _("Unknown queue: %(name)s. There are %(known)s.") % {"name": name, "known": ", ".join(known)}
            )

    def _ask(self, name: str) -> None:
        stats = next(queue for queue in queue_stats() if queue.name == name)
        waiting = stats.depth + stats.scheduled + stats.retrying
        question = _("Cancel the %(count)d waiting jobs of queue %(name)s? Type the name of the queue: ")
        try:
            answer = input(question % {"count": waiting, "name": name})
        except EOFError:
            answer = ""
        if answer.strip() != name:
            raise CommandError(_("Nothing was cancelled."))
