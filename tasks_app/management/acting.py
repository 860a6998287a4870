"""The person a command acts as: the operator of the machine, who may everything, or an account with its own rights; and why."""

from __future__ import annotations

import getpass
import os
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from tasks_app.engine.storable import storable_text
from tasks_app.management.arguments import short_text
from tasks_app.queries.access import SHELL, Right, has_everywhere


def add_user_option(parser: CommandParser) -> None:
    """Add --user to a command or a step of one."""
    parser.add_argument(
        "--user", metavar="NAME", type=short_text(150), help=_("Act as this account, with its rights and no others.")
    )


def acting_user(options: dict[str, Any], right: Right | None = None) -> Any:
    """Return the account that --user names, SHELL without one. Raises CommandError if it may not do this."""
    name = options.get("user")
    if not name:
        return SHELL
    user = get_user_model().objects.filter(username=name, is_active=True).first()
    if user is None:
        raise CommandError(_("There is no active user named %(name)s.") % {"name": name})
    if right is not None and not has_everywhere(user, right):
        asked = {"name": name, "permission": right.permission}
        raise CommandError(_("%(name)s may not do this: it needs the permission %(permission)s.") % asked)
    return user


def operator_reason(reason: str = "") -> str:
    """Reason kept for an action from the shell: the machine's user and the given reason.

    Arguments of a shell that are no UTF-8 come as lone surrogates, which are kept as escapes.
    """
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container whose user id has no name
        name = str(os.getuid())
    return storable_text(f"shell: {name}: {reason}" if reason else f"shell: {name}")
