"""Base of commands that change things in another way than a service which records itself."""

from __future__ import annotations

from typing import Any

from tasks_app.management.base import ShellCommand
from tasks_app.services.audit import Subject, record
from tasks_app.utils.audit_source import CommandSource, changes_of

# Options of every command of Django, which say nothing of what is done.
_OF_EVERY_COMMAND = {
    "verbosity", "settings", "pythonpath", "traceback", "no_color", "force_color", "skip_checks", "stdout", "stderr", "json",
}  # fmt: skip


class AuditedCommand(ShellCommand):
    """Leaves an entry with its options before it begins, and gives its changes its name."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        name = type(self).__module__.rpartition(".")[2]
        with changes_of(CommandSource(name)):
            return super().execute(*args, **options)

    def record_command(self, options: dict[str, Any]) -> None:
        """Called by `handle` once it is known that something will be changed."""
        name = type(self).__module__.rpartition(".")[2]
        given = {
            key: value for key, value in options.items() if key not in _OF_EVERY_COMMAND and value not in (None, "")
        }
        record("command", Subject("command", name, f"manage.py {name}"), given=given)
