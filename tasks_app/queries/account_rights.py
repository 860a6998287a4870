"""Rights to change accounts: users cannot give, or take over, more than they have."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Q

from tasks_app.models import Fleet, FleetMembership, FleetRole
from tasks_app.queries.access import Right, has_everywhere, has_right

_KEPT = ("device", "geofence", "maintenanceplan", "savedcommand")
_LOOK = {f"tasks_app.view_{name}" for name in ("fleet", "position", "event", "command", *_KEPT)}
_SEND = {"tasks_app.add_command", "tasks_app.cancel_command"}
_OPERATE = _LOOK | _SEND | {"tasks_app.add_position", "tasks_app.change_device", "tasks_app.change_maintenanceplan"}
_DANGER = {f"tasks_app.{name}" for name in ("send_dangerous_command", "override_command_safety", "confirm_command")}
_MANAGE = _OPERATE | _DANGER | {f"tasks_app.{verb}_{name}" for verb in ("add", "change", "delete") for name in _KEPT}
# What staff must hold to have as much in every fleet as a role gives in one.
AS_STAFF = {
    FleetRole.VIEWER: frozenset(_LOOK),
    FleetRole.OPERATOR: frozenset(_OPERATE),
    FleetRole.MANAGER: frozenset(_MANAGE | {"tasks_app.change_fleet"}),
}


def may_give_role(editor: Any, fleet: Fleet | None, role: str) -> bool:
    """Whether `editor` has this role in the fleet, or as much as staff."""
    known = FleetRole(role)
    return all(has_everywhere(editor, Right(None, one)) for one in AS_STAFF[known]) or (
        fleet is not None and has_right(editor, fleet, Right(known, None))
    )


def may_take_over(editor: Any, account: Any) -> bool:
    """Whether `editor` may change this account, which includes logging in as it: they have all the rights it has.

    Those of an account that is switched off count too: it can be switched on.
    """
    if editor.is_superuser or editor.pk == account.pk:
        return True
    if account.is_superuser:
        return False
    theirs = Permission.objects.filter(Q(user=account) | Q(group__user=account)).select_related("content_type")
    own = editor.get_all_permissions()
    if any(f"{one.content_type.app_label}.{one.codename}" not in own for one in theirs):
        return False
    memberships = FleetMembership.objects.filter(user=account).select_related("fleet")
    return all(may_give_role(editor, one.fleet, one.role) for one in memberships)
