"""The command that an address names."""

from __future__ import annotations

from django.http import Http404, HttpRequest

from tasks_app.models import Command
from tasks_app.queries.access import visible_commands


def find_command(request: HttpRequest, command_id: int) -> Command:
    """Return the command with all that its page shows. Raises Http404 for one that the user may not see."""
    rows = visible_commands(request.user).select_related("device__fleet", "requested_by", "confirmed_by")
    found = rows.prefetch_related("attempts").filter(pk=command_id).first()
    if found is None:
        raise Http404
    return found
