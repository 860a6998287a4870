"""Changes of rules, with the checks that everything named belongs to their fleet and their people may see it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from notifications_app.models import EscalationStep, Rule
from tasks_app.models import Device, EventKind, Fleet, Geofence, SavedCommand
from tasks_app.queries.access import VIEW_DEVICES, everywhere_among, has_right
from tasks_app.queries.commands import rights_to_send, visible_saved_commands
from tasks_app.services.commands import may_rule_send
from tasks_app.services.rows import save_row

MAX_STEPS = 10
MAX_NAMED = 1000
# What a rule names, by the name under which it is given: (relation, which rows belong to a fleet).
_OF_THE_FLEET = {
    "device_ids": ("devices", Device),
    "geofence_ids": ("geofences", Geofence),
    "within_geofence_ids": ("within_geofences", Geofence),
}


@transaction.atomic
def save_rule(rule: Rule, values: Mapping[str, Any], user: Any) -> Rule:
    """Set these values of a rule, with its lists of ids and escalation steps, as `user` may; other values stay.

    Raises Django's ValidationError naming the field: what is named is unknown, of another fleet, may not see the fleet.
    """
    own = {
        name: value for name, value in values.items() if name not in (*_OF_THE_FLEET, "user_ids", "escalation_steps")
    }
    _check_not_empty(rule, own)
    former = rule.command_id
    if own.get("command_id") is not None:
        own["command"] = _saved_command(own.pop("command_id"), user)
    save_row(rule, own)
    check_command(rule, user, is_new=rule.command_id != former)
    for name, (relation, model) in _OF_THE_FLEET.items():
        if name in values:
            getattr(rule, relation).set(_rows_of_fleet(model, rule.fleet, values[name], name))
    if "user_ids" in values:
        rule.users.set(_people(rule.fleet, values["user_ids"], "user_ids"))
    if "escalation_steps" in values:
        _set_steps(rule, values["escalation_steps"])
    if not rule.roles and not rule.users.exists():
        raise ValidationError({"user_ids": _("Name at least one person or role.")})
    return rule


def check_command(rule: Rule, user: Any, *, is_new: bool) -> None:
    """Raise ValidationError where a rule may not send its command; a new one must be one that `user` may send.

    It answers no result of a command: two rules would go on for ever.
    """
    command, fleet = rule.command, rule.fleet
    if command is None:
        return
    if EventKind.COMMAND_RESULT in (rule.event_kinds or ()):
        raise ValidationError({"command": _("A rule about results of commands sends none.")})
    if not is_new:
        return
    if command.fleet_id not in (None, rule.fleet_id):
        raise ValidationError({"command": _("Choose a command of the rule's fleet, or of all fleets.")})
    if not all(has_right(user, fleet, right) for right in rights_to_send(command.type)):
        raise ValidationError({"command": _("You may not send this command to the devices of the rule.")})
    if fleet is not None and not may_rule_send(fleet.rule_commands, command.type):
        raise ValidationError({"command": _("The fleet does not allow this command to rules.")})


def _saved_command(pk: int, user: Any) -> SavedCommand:
    found = visible_saved_commands(user).filter(pk=pk).first()
    if found is None:
        raise ValidationError({"command": _("There is no such command.")})
    return found


def permitted_people(fleet: Fleet | None) -> Any:
    """The active users whom a rule of this fleet (None: of every fleet) may name."""
    active = get_user_model().objects.filter(is_active=True)
    if fleet is None:
        return active
    everywhere = everywhere_among(active.filter(is_staff=True), VIEW_DEVICES)
    return active.filter(Q(pk__in=everywhere) | Q(memberships__fleet=fleet)).distinct()


def _check_not_empty(rule: Rule, values: Mapping[str, Any]) -> None:
    for name in ("event_kinds", "channels"):
        if not values.get(name, getattr(rule, name)):
            raise ValidationError({name: _("Choose at least one.")})


def _rows_of_fleet(model: Any, fleet: Fleet | None, ids: Sequence[int], name: str) -> list[Any]:
    rows = model.objects.filter(pk__in=ids)
    return _all_of(rows if fleet is None else rows.filter(fleet=fleet), ids, name)


def _people(fleet: Fleet | None, ids: Sequence[int], name: str) -> list[Any]:
    return _all_of(permitted_people(fleet).filter(pk__in=ids), ids, name)


def _all_of(rows: Iterable[Any], ids: Collection[int], name: str) -> list[Any]:
    """Return the rows; unknown ones and those of other fleets give the same error, so that it reveals no existence."""
    found = {row.pk: row for row in rows}
    if missing := sorted(set(ids) - set(found)):
        listed = ", ".join(map(str, missing[:5]))
        raise ValidationError({name: _("Not in the rule's fleet: %(ids)s.") % {"ids": listed}})
    return list(found.values())


def _set_steps(rule: Rule, steps: Sequence[Mapping[str, Any]]) -> None:
    times = [step["after_minutes"] for step in steps]
    if len(set(times)) != len(times):
        raise ValidationError({"escalation_steps": _("Each step needs a time of its own.")})
    rule.escalation_steps.all().delete()
    for step in steps:
        people = _people(rule.fleet, step["user_ids"], "escalation_steps")
        EscalationStep.objects.create(rule=rule, after_minutes=step["after_minutes"]).users.set(people)
    # What was prefetched, or asked for before, is no longer so.
    getattr(rule, "_prefetched_objects_cache", {}).clear()
