"""Commands to devices, as the shell shows them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rich.table import Table
from rich.text import Text

from tasks_app.management.job_tables import printable
from tasks_app.models import Command
from tasks_app.queries.commands import reason_text
from tasks_app.utils.clock import exact_time

_COLUMNS = (
    *("id", "device_id", "type", "parameters", "state", "state_reason", "way", "priority", "not_before", "expires_at"),
    *("requested_by_id", "reason", "is_override", "batch", "confirmed_by_id", "confirmed_at", "created_at", "sent_at"),
    *("acknowledged_at", "ended_at", "answer"),
)


def command_row(command: Command) -> dict[str, Any]:
    """Return a command as a JSON object."""
    return {name: getattr(command, name) for name in _COLUMNS}


def command_line(command: Command) -> str:
    """Return a command on one line."""
    parts = (str(command.pk), str(command.device), str(command.get_type_display()), str(command.get_state_display()))
    return printable("  ".join((*parts, reason_text(command.state_reason))).strip())


def command_table(commands: list[Command]) -> Table:
    """Return the table of a list of commands."""
    table = Table(box=None, pad_edge=False)
    for head in (_("ID"), _("Asked for"), _("Device"), _("Command"), _("State"), _("Why"), _("By"), _("Answer")):
        table.add_column(head)
    for one in commands:
        cells = (
            one.pk,
            exact_time(one.created_at),
            one.device,
            one.get_type_display(),
            one.get_state_display(),
            reason_text(one.state_reason),
            one.requested_by or _("the system"),
            one.answer[:60],
        )
        # Text, not str: what a tracker answers must not be read as rich's markup.
        table.add_row(*(Text(printable(str(cell))) for cell in cells))
    return table
