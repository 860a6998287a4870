"""Cancelling and confirming of commands that were not sent yet."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from tasks_app.models import Command, CommandState
from tasks_app.queries.access import CANCEL_COMMANDS, CONFIRM_COMMANDS, has_right
from tasks_app.services.audit import record, subject_of_row
from tasks_app.services.commands.changes import WAITING, change_state
from tasks_app.services.commands.changes import reason as reason_of
from tasks_app.services.commands.checking import check_safety
from tasks_app.services.commands.refusals import CommandRefused
from tasks_app.services.commands.requesting import make_way_for
from tasks_app.services.transactions import run_in_transaction


def cancel_command(command: Command, user: Any, reason: str = "") -> Command:
    """Cancel a command that waits; return it as it is now. Raises CommandRefused."""
    return run_in_transaction(lambda: _cancel(command.pk, user, reason))


def _cancel(pk: int, user: Any, reason: str) -> Command:
    command = _locked(pk)
    if not has_right(user, command.device.fleet, CANCEL_COMMANDS):
        raise CommandRefused("not_permitted", _("You may not cancel commands of this device."))
    if command.state not in WAITING:
        raise CommandRefused("too_late", _("The command was sent or has ended; it cannot be cancelled any more."))
    change_state(command, CommandState.CANCELLED, reason_of("cancelled", reason), now=timezone.now())
    record("cancel_command", subject_of_row(command), user=user, reason=reason)
    return command


def confirm_command(command: Command, user: Any) -> Command:
    """Confirm another person's command, which is then sent; return it as it is now. Raises CommandRefused."""
    return run_in_transaction(lambda: _confirm(command.pk, user))


def _confirm(pk: int, user: Any) -> Command:
    command, now = _locked(pk), timezone.now()
    if not has_right(user, command.device.fleet, CONFIRM_COMMANDS):
        raise CommandRefused("not_permitted", _("You may not confirm commands of this device."))
    if command.requested_by_id is not None and command.requested_by_id == user.pk:
        raise CommandRefused("own", _("Another person has to confirm it."))
    if command.state != CommandState.AWAITING_CONFIRMATION or command.expires_at <= now:
        raise CommandRefused("too_late", _("The command does not await confirmation any more."))
    if command.not_before is None:
        check_safety(command.type, command.device, is_override=command.is_override, now=now)
    command.confirmed_by_id, command.confirmed_at = user.pk, now
    change_state(command, CommandState.QUEUED, now=now)
    record("confirm_command", subject_of_row(command), user=user)
    make_way_for([command], now=now)
    return command


def _locked(pk: int) -> Command:
    found = Command.objects.select_for_update(of=("self",)).select_related("device__fleet", "device__access")
    command = found.filter(pk=pk).first()
    if command is None:
        raise CommandRefused("too_late", _("The command is gone."))
    return command
