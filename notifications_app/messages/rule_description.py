"""A rule as people would say it: "Notify Ana by e-mail when any vehicle of Depot North leaves Depot at night"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.template.defaultfilters import floatformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications_app.matching.decisions import Reason
from notifications_app.messages.events import kind_label
from notifications_app.messages.kinds.base import EVENT_MESSAGES
from notifications_app.messages.sentence_parts import first_names, join_and, join_or
from notifications_app.models import Rule
from notifications_app.models.kinds import CHANNEL_KINDS, MESSAGE_KINDS
from notifications_app.templatetags.notification_texts import duration
from tasks_app.models import FleetRole

WHO = {
    FleetRole.VIEWER: gettext_lazy("every viewer"),
    FleetRole.OPERATOR: gettext_lazy("every operator"),
    FleetRole.MANAGER: gettext_lazy("every manager"),
}
REASONS = {
    Reason.OTHER_KIND: gettext_lazy("The rule is about other kinds of events."),
    Reason.OTHER_FLEET: gettext_lazy("The rule is about another fleet."),
    Reason.OTHER_DEVICE: gettext_lazy("The rule is about other devices."),
    Reason.OTHER_GEOFENCE: gettext_lazy("The rule is about other geofences."),
    Reason.OTHER_ALARM: gettext_lazy("The rule is about other alarms."),
    Reason.TOO_SLOW: gettext_lazy("The speed is not above that of the rule, or not known."),
    Reason.NOT_INSIDE: gettext_lazy("It did not happen inside a geofence of the rule."),
    Reason.OUTSIDE_WINDOWS: gettext_lazy("It happened outside the times of the rule."),
    Reason.TOO_OLD: gettext_lazy("It is older than a day: recorded only."),
    Reason.TOO_SHORT: gettext_lazy("It did not last as long as the rule requires."),
    Reason.STILL_SHORT: gettext_lazy("Notified once it has lasted as long as the rule requires."),
    Reason.COOLDOWN: gettext_lazy("The rule's cooldown for this kind and device is not over."),
    Reason.NO_CHANNEL: gettext_lazy("The rule names no channel."),
    Reason.NOBODY: gettext_lazy("The rule names nobody."),
    Reason.INACTIVE: gettext_lazy("The account is not active."),
    Reason.NO_ACCESS: gettext_lazy("This person may not see the fleet."),
    Reason.BACKLOG: gettext_lazy("It arrived late: held for one digest if many arrived late."),
    Reason.DIGEST: gettext_lazy("Held for a digest."),
    Reason.QUIET_HOURS: gettext_lazy("Held until the quiet hours end."),
    Reason.FLOOD: gettext_lazy("Many alerts at once: the rest is held for a digest."),
    Reason.NOTIFIED: gettext_lazy("Notified at once."),
    Reason.RULE_OFF: gettext_lazy("The rule is switched off."),
    Reason.NOT_NAMED: gettext_lazy("No rule that matches this event names this person."),
}


def rule_sentence(rule: Rule) -> str:
    """The description of a rule in the active language. Prefetch queries.rule_rows.NAMED for many rules."""
    sentence = _("Notify %(who)s %(how)s when %(when)s") % {
        "who": _who(rule),
        "how": join_and([str(CHANNEL_KINDS[one].phrase) for one in rule.channels if one in CHANNEL_KINDS])
        or _("through no channel"),
        "when": _when(rule),
    }
    return "; ".join([" ".join([sentence, *_conditions(rule)]), *_manners(rule)])


def _who(rule: Rule) -> str:
    people = first_names([_person(user) for user in rule.users.all()])
    roles = [str(WHO[FleetRole(role)]) for role in rule.roles if role in WHO]
    return join_and([*people, *roles]) or _("nobody")


def _vehicles(rule: Rule) -> str:
    devices = first_names([device.name for device in rule.devices.all()])
    if devices:
        return join_or(devices)
    return _("any vehicle") if rule.fleet is None else _("any vehicle of %(fleet)s") % {"fleet": rule.fleet.name}


def _when(rule: Rule) -> str:
    geofences = join_or(first_names([geofence.name for geofence in rule.geofences.all()])) or _("a geofence")
    vehicles = _vehicles(rule)
    others = [kind for kind in rule.event_kinds if kind in MESSAGE_KINDS and MESSAGE_KINDS[kind].rule_phrase]
    does = join_or([_event_phrase(kind, geofences, rule.alarms) for kind in rule.event_kinds if kind not in others])
    events = [_("%(what)s %(does)s") % {"what": vehicles, "does": does}] if does else []
    return join_or([*events, *(str(MESSAGE_KINDS[kind].rule_phrase) % {"what": vehicles} for kind in others)])


def _event_phrase(kind: str, geofences: str, alarms: Sequence[str]) -> str:
    if (known := EVENT_MESSAGES.get(kind)) is not None:
        return known.phrase_for(geofences, alarms)
    return _("has the event “%(kind)s”") % {"kind": kind_label(kind)}


def _conditions(rule: Rule) -> list[str]:
    found = []
    if rule.min_speed_kph is not None:
        found.append(_("above %(speed)s km/h") % {"speed": floatformat(rule.min_speed_kph, -1)})
    if within := first_names([geofence.name for geofence in rule.within_geofences.all()]):
        found.append(_("inside %(areas)s") % {"areas": join_or(within)})
    if rule.min_duration_minutes:
        found.append(_("for at least %(time)s") % {"time": duration(rule.min_duration_minutes)})
    if rule.windows:
        found.append(_windows(rule.windows))
    return found


def _windows(windows: list[dict[str, Any]]) -> str:
    if len(windows) != 1:
        return _("at certain times of the week")
    clock = {"begin": windows[0]["from"], "end": windows[0]["to"]}
    is_daily = len(windows[0]["days"]) == 7
    if clock["begin"] > clock["end"]:
        return (_("at night (%(begin)s-%(end)s)") if is_daily else _("on some nights (%(begin)s-%(end)s)")) % clock
    return (_("between %(begin)s and %(end)s") if is_daily else _("on some days %(begin)s-%(end)s")) % clock


def _manners(rule: Rule) -> list[str]:
    found = []
    if rule.cooldown_minutes:
        found.append(_("at most every %(time)s per vehicle") % {"time": duration(rule.cooldown_minutes)})
    if rule.digest_every_minutes:
        found.append(_("in a digest every %(time)s") % {"time": duration(rule.digest_every_minutes)})
    if rule.digest_daily_at:
        found.append(_("in a digest daily at %(time)s") % {"time": f"{rule.digest_daily_at:%H:%M}"})
    for step in rule.escalation_steps.all():
        people = join_and(first_names([_person(user) for user in step.users.all()]))
        found.append(
            _("%(who)s if nobody acknowledges within %(time)s")
            % {"who": people or _("nobody"), "time": duration(step.after_minutes)}
        )
    return found


def _person(user: Any) -> str:
    return user.get_full_name() or user.get_username()
