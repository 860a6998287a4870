"""`manage.py cleanup NAME`: runs one cleanup here and now, without a job, and prints its counts."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from rich.table import Table

from tasks_app.engine import InvalidArguments, PermanentError, Task, get_task
from tasks_app.management.arguments import decimal_number, whole_number
from tasks_app.management.audited import AuditedCommand
from tasks_app.management.output import console_of, print_json
from tasks_app.services.arguments import named_problem
from tasks_app.services.cleanup import CLEANUPS, ArchiveFailed

# By what the tasks call them.
OPTIONS = {
    "dry_run": "--dry-run",
    "days_to_keep": "--days",
    "device_id": "--device",
    "max_seconds": "--max-seconds",
    "force": "--force",
}


class Command(AuditedCommand):
    help = _("Removes what is no longer kept, here and now. The retention settings decide what is not said.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", choices=sorted(CLEANUPS))
        parser.add_argument("--dry-run", action="store_true", help=_("Only count what would go."))
        parser.add_argument("--days", type=whole_number, help=_("Days to keep (positions, events, notifications)."))
        parser.add_argument("--device", type=whole_number, help=_("The number of one device (positions, duplicates)."))
        parser.add_argument("--max-seconds", type=decimal_number, help=_("Stop by itself after this long."))
        parser.add_argument("--force", action="store_true", help=_("Also in business hours (optimize)."))
        parser.add_argument("--json", action="store_true", help=_("Print one JSON document."))

    def handle(self, *args: Any, **options: Any) -> None:
        wishes = {
            "dry_run": options["dry_run"] or None,
            "days_to_keep": options["days"],
            "device_id": options["device"],
            "max_seconds": options["max_seconds"],
            "force": options["force"] or None,
        }
        done = self._run(
            get_task(CLEANUPS[options["name"]].task),
            {name: value for name, value in wishes.items() if value is not None},
            options,
        )
        if options["json"]:
            print_json(self, done)
        else:
            self._print(done)

    def _run(self, task: Task[Any, Any], kwargs: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        self._check(task, kwargs)
        try:
            if not kwargs.get("dry_run"):
                self.record_command(options)
            return task(**kwargs)
        except (PermanentError, ArchiveFailed) as error:
            raise CommandError(str(error)) from error

    def _check(self, task: Task[Any, Any], kwargs: dict[str, Any]) -> None:
        """Raise CommandError for an option that this clean-up does not have, or a value that it does not take."""
        if unknown := [OPTIONS[name] for name in kwargs if name not in task.parameter_names]:
            raise CommandError(_("This clean-up has no %(options)s.") % {"options": ", ".join(unknown)})
        try:
            task.arguments.check([], kwargs)
        except InvalidArguments as error:
            name, reason = next(iter(named_problem(task, error).items()))
            raise CommandError(_("%(option)s: %(reason)s") % {"option": OPTIONS[name], "reason": reason}) from error

    def _print(self, done: dict[str, Any]) -> None:
        if "skipped" in done and "tables" not in done:
            self.stdout.write(_("Skipped: %(reason)s") % {"reason": done["skipped"]})
            return
        table = Table(_("What"), _("Rows"), _("Bytes"))
        for name, figures in sorted(done["tables"].items()):
            table.add_row(name, f"{figures['rows']:,}", f"{figures['bytes']:,}")
        console_of(self).print(table)
        said = {"dry_run", "rows", "bytes", "tables"}
        for name, value in done.items():
            if name not in said and not isinstance(value, list | dict):
                self.stdout.write(f"{name}: {value}")
