"""Rules that lose the last device or geofence they are limited to: without it they would be about all of them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from notifications_app.messages.kinds.system import system_message
from notifications_app.messages.rendering import Message
from notifications_app.models import Rule
from notifications_app.queries.audience import administrators, fleet_managers, preferences_of, recipient_of
from notifications_app.services.notifications import notify_with_message
from tasks_app.models import Device, Geofence

# A relation of a rule by which it is limited, and the number of the rule.
Limit = tuple[str, int]
_RELATIONS: dict[type[Device] | type[Geofence], tuple[str, ...]] = {
    Device: ("devices",),
    Geofence: ("geofences", "within_geofences"),
}


def limits_by(row: Device | Geofence, *, with_fleet: bool = False) -> list[Limit]:
    """Return the limits of rules that name this device or geofence; of those of every fleet alone where its fleet, with its
    rules, is deleted as well."""
    rules = Rule.objects.filter(**({"fleet": None} if with_fleet else {}))
    return [
        (relation, rule_id)
        for relation in _RELATIONS[type(row)]
        for rule_id in rules.filter(**{relation: row.pk}).values_list("pk", flat=True)
    ]


def switch_off_unlimited(limits: Collection[Limit], name: str, *, now: datetime) -> None:
    """Switch off the rules of which one of these limits is empty, now that the row of this name is deleted, and notify
    the people who keep them, also of one that is off already: switched on again it would be about all of them."""
    for relation, rule_id in limits:
        lost = Rule.objects.filter(pk=rule_id, **{relation: None})
        for rule in lost.select_related("fleet").select_for_update(of=("self",)):
            rule.is_active = False
            rule.save(update_fields=["is_active"])
            _notify_keepers(rule, name, now)


def _notify_keepers(rule: Rule, name: str, now: datetime) -> None:
    """Notify the managers of its fleet, else the administrators, each in their language."""
    managers = fleet_managers(rule.fleet) if rule.fleet else []
    fleet = rule.fleet.name if rule.fleet and managers else ""
    people = managers or administrators()
    preferences = preferences_of(people)
    for person in people:
        with translation.override(recipient_of(preferences[person.pk], settings.TIME_ZONE).language):
            message = _message(rule.name, name, fleet, now)
        # Of rows deleted together each says so.
        key = f"rule-without-limit:{rule.pk}:{now:%Y-%m-%dT%H:%M}"
        notify_with_message(message, people=[person], dedupe_key=key, now=now)


def _message(rule: str, name: str, fleet: str, now: datetime) -> Message:
    subject = _("Rule “%(rule)s” is switched off") % {"rule": rule}
    reason = _(
        "“%(name)s” was deleted, the last one that the rule was limited to; without it the rule would be about all of them."
        " Choose others, and switch it on again."
    )
    return system_message(subject=subject, message=reason % {"name": name}, level="warning", at=now, fleet=fleet)
