"""Permissions by fleet role and by model. Every queryset of a user starts here.

Members of a fleet may what their role allows; staff may, of every fleet, what their model permissions allow, in the API as
in the admin. Staff without a permission are people like all others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from tasks_app.models import Command, Device, Event, Fleet, FleetMembership, FleetRole, Geofence

# A User or an AnonymousUser, whatever the project's user model is.
AnyUser = Any
_MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"
_RANK = {FleetRole.VIEWER: 0, FleetRole.OPERATOR: 1, FleetRole.MANAGER: 2}


class ShellOperator:
    """The operator of the machine, acting from its shell: sees everything, and is no row of the user table."""

    pk = None
    is_staff = is_superuser = is_active = is_authenticated = True

    def __str__(self) -> str:
        return "shell"

    def has_perm(self, permission: str) -> bool:
        return True


SHELL = ShellOperator()


@dataclass(frozen=True, slots=True)
class Right:
    """Requirement of an operation: members need at least this role in the fleet (None: no role is enough), staff
    need this permission (None: only superusers have it). With `is_own` users need nothing for rows of their own."""

    role: FleetRole | None
    permission: str | None
    is_own: bool = False

    @property
    def roles(self) -> list[FleetRole]:
        """The roles that are enough."""
        return [] if self.role is None else [role for role, rank in _RANK.items() if rank >= _RANK[self.role]]


def to_view(model: str) -> Right:
    """The right to see rows of a model ("app_label.model") of one's fleets."""
    app_label, _, name = model.rpartition(".")
    return Right(FleetRole.VIEWER, f"{app_label or 'tasks_app'}.view_{name}")


def owned(right: Right) -> Right:
    """The same right, which people do not need for what they made or asked for themselves."""
    return replace(right, is_own=True)


VIEW_FLEETS, VIEW_DEVICES, VIEW_POSITIONS = to_view("fleet"), to_view("device"), to_view("position")
VIEW_GEOFENCES, VIEW_EVENTS = to_view("geofence"), to_view("event")
ADD_DEVICES = Right(FleetRole.MANAGER, "tasks_app.add_device")
CHANGE_DEVICES = Right(FleetRole.MANAGER, "tasks_app.change_device")
# Rights that concern the user's own things only.
OWN = Right(None, None, is_own=True)
VIEW_SAVED_COMMANDS = to_view("savedcommand")
CHANGE_SAVED_COMMANDS = Right(FleetRole.MANAGER, "tasks_app.change_savedcommand")
# To send positions of a device, which people do from vehicles and servers.
SEND_POSITIONS = Right(FleetRole.OPERATOR, "tasks_app.add_position")
VIEW_COMMANDS = to_view("command")
SEND_COMMANDS = Right(FleetRole.OPERATOR, "tasks_app.add_command")
CANCEL_COMMANDS = Right(FleetRole.OPERATOR, "tasks_app.cancel_command")
# Types that can stop a vehicle or lose a tracker (CommandType.is_dangerous), beside SEND_COMMANDS.
SEND_DANGEROUS_COMMANDS = Right(FleetRole.MANAGER, "tasks_app.send_dangerous_command")
OVERRIDE_COMMAND_SAFETY = Right(FleetRole.MANAGER, "tasks_app.override_command_safety")
# Commands of others; nobody confirms their own.
CONFIRM_COMMANDS = Right(FleetRole.MANAGER, "tasks_app.confirm_command")


def has_everywhere(user: AnyUser, right: Right) -> bool:
    """Whether `user` has a right in every fleet: superusers, and staff that hold the permission."""
    if not (user.is_authenticated and user.is_active and user.is_staff):
        return False
    return user.is_superuser or (
        right.permission is not None and any(user.has_perm(name) for name in _sufficient(right.permission))
    )


def _sufficient(permission: str) -> list[str]:
    """Any of these holds for the permission: who may change a thing may look at it, as in the admin."""
    return [permission, permission.replace(".view_", ".change_")] if ".view_" in permission else [permission]


def visible_fleets(user: AnyUser, right: Right = VIEW_FLEETS) -> QuerySet[Fleet]:
    """The fleets in which `user` has this right."""
    if has_everywhere(user, right):
        return Fleet.objects.all()
    if not user.is_authenticated or not user.is_active or not right.roles:
        return Fleet.objects.none()
    return Fleet.objects.filter(memberships__user=user, memberships__role__in=right.roles)


def has_right(user: AnyUser, fleet: Fleet | None, right: Right) -> bool:
    """Whether `user` has this right in the fleet; for what belongs to no fleet, everywhere."""
    if fleet is None or has_everywhere(user, right):
        return has_everywhere(user, right)
    is_someone = user.is_authenticated and user.is_active
    return is_someone and fleet.memberships.filter(user=user, role__in=right.roles).exists()


def rights_somewhere(user: AnyUser, rights: Collection[Right]) -> set[Right]:
    """The rights among these that `user` has in at least one fleet, or for things of their own; at most one query."""
    if not user.is_authenticated or not user.is_active:
        return set()
    held = {right for right in rights if right.is_own or has_everywhere(user, right)}
    if len(held) < len(set(rights)):
        roles = set(FleetMembership.objects.filter(user=user).values_list("role", flat=True))
        held |= {right for right in rights if roles & set(right.roles)}
    return held


def everywhere_among(users: Collection[AnyUser], right: Right) -> frozenset[Any]:
    """The primary keys of those users that have the right in every fleet. At most two queries, however many there are."""
    staff = [user for user in users if user.is_authenticated and user.is_active and user.is_staff]
    found = {user.pk for user in staff if user.is_superuser}
    others = [user.pk for user in staff if not user.is_superuser]
    if others and right.permission is not None:
        for name in _sufficient(right.permission):
            holders = get_user_model()._default_manager.with_perm(name, backend=_MODEL_BACKEND)
            found |= set(holders.filter(pk__in=others).values_list("pk", flat=True))
    return frozenset(found)


def visible_fleets_of(users: Iterable[AnyUser], right: Right = VIEW_DEVICES) -> dict[Any, dict[int, str]]:
    """Result of `visible_fleets` for each of these users, by primary key: fleet names by id. Four queries for all."""
    active = [user for user in users if user.is_authenticated and user.is_active]
    found: dict[Any, dict[int, str]] = {user.pk: {} for user in active}
    everywhere = everywhere_among(active, right)
    every = dict(Fleet.objects.values_list("id", "name")) if everywhere else {}
    found |= dict.fromkeys(everywhere, every)
    members = [user.pk for user in active if user.pk not in everywhere]
    rows = FleetMembership.objects.filter(user__in=members, role__in=right.roles)
    for user_id, fleet_id, name in rows.values_list("user_id", "fleet_id", "fleet__name"):
        found[user_id][fleet_id] = name
    return found


def visible_devices(user: AnyUser, right: Right = VIEW_DEVICES) -> QuerySet[Device]:
    """Devices of those fleets."""
    return Device.objects.filter(fleet__in=visible_fleets(user, right))


def visible_geofences(user: AnyUser, right: Right = VIEW_GEOFENCES) -> QuerySet[Geofence]:
    """Geofences of those fleets."""
    return Geofence.objects.filter(fleet__in=visible_fleets(user, right))


def visible_events(user: AnyUser, right: Right = VIEW_EVENTS) -> QuerySet[Event]:
    """Events of the devices of those fleets."""
    return Event.objects.filter(device__fleet__in=visible_fleets(user, right))


def visible_commands(user: AnyUser, right: Right = VIEW_COMMANDS) -> QuerySet[Command]:
    """Commands to the devices of those fleets."""
    return Command.objects.filter(device__fleet__in=visible_fleets(user, right))


# --- Rules for members, which tasks name ---


def operates_device(user: AnyUser, arguments: Mapping[str, Any]) -> bool:
    """Whether the device that a call is about is one `user` operates as a member of its fleet."""
    device_id: int = arguments["device_id"]
    return visible_devices(user, Right(FleetRole.OPERATOR, None)).filter(pk=device_id).exists()


def is_oneself(user: AnyUser, arguments: Mapping[str, Any]) -> bool:
    """Whether a call is about `user`, and nobody else."""
    return user.pk is not None and arguments.get("user_id") == user.pk
