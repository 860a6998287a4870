"""The person a command acts as: the operator of the machine, who may everything, or an account with its own rights."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from tasks_app.management.output import short_text
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
