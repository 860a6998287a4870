"""A rule as people would say it: "Notify Ana by e-mail when any vehicle of Depot North leaves Depot at night"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.template.defaultfilters import floatformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from notifications_app.matching.decisions import Reason
from notifications_app.messages.contents import kind_label
from notifications_app.models import ChannelKind, Rule, RuleSubject
from notifications_app.templatetags.notification_texts import alarm_words, duration
from tasks_app.models import FleetRole

MAX_NAMES = 3

HOW = {
    ChannelKind.IN_APP: gettext_lazy("in the application"),
    ChannelKind.EMAIL: gettext_lazy("by e-mail"),
    ChannelKind.WEBHOOK: gettext_lazy("by webhook"),
    ChannelKind.APPRISE: gettext_lazy("by chat, SMS or push"),
    ChannelKind.WEBSOCKET: gettext_lazy("on open pages"),
}
WHO = {
    FleetRole.VIEWER: gettext_lazy("every viewer"),
    FleetRole.OPERATOR: gettext_lazy("every operator"),
    FleetRole.MANAGER: gettext_lazy("every manager"),
}
VERBS = {
    "overspeed": gettext_lazy("is too fast"),
    "overspeed_end": gettext_lazy("is no longer too fast"),
    "device_offline": gettext_lazy("falls silent"),
    "device_online": gettext_lazy("is back online"),
    "ignition_on": gettext_lazy("switches its ignition on"),
    "ignition_off": gettext_lazy("switches its ignition off"),
    "battery_low": gettext_lazy("has a low battery"),
    "command_result": gettext_lazy("answers a command"),
    "maintenance_due_soon": gettext_lazy("is due for maintenance soon"),
    "maintenance_due": gettext_lazy("is due for maintenance"),
    "trip_start": gettext_lazy("starts a trip"),
    "trip_end": gettext_lazy("ends a trip"),
}
NEWS = {
    RuleSubject.REPORT_READY.value: gettext_lazy("a report about %(what)s is ready"),
    RuleSubject.REPORT_FAILED.value: gettext_lazy("a report about %(what)s fails"),
    RuleSubject.SYSTEM.value: gettext_lazy("the system needs attention"),
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
    """The rule in the language of the moment. Prefetch what it names where there are many rules."""
    sentence = _("Notify %(who)s %(how)s when %(when)s") % {
        "who": _who(rule),
        "how": _and([str(HOW[ChannelKind(one)]) for one in rule.channels if one in HOW]) or _("in no way"),
        "when": _when(rule),
    }
    return "; ".join([" ".join([sentence, *_conditions(rule)]), *_manners(rule)])


def _who(rule: Rule) -> str:
    people = _names([_person(user) for user in rule.users.all()])
    roles = [str(WHO[FleetRole(role)]) for role in rule.roles if role in WHO]
    return _and([*people, *roles]) or _("nobody")


def _what(rule: Rule) -> str:
    devices = _names([device.name for device in rule.devices.all()])
    if devices:
        return _or(devices)
    return _("any vehicle") if rule.fleet is None else _("any vehicle of %(fleet)s") % {"fleet": rule.fleet.name}


def _when(rule: Rule) -> str:
    areas = _or(_names([geofence.name for geofence in rule.geofences.all()])) or _("a geofence")
    does = _or([_verb(kind, areas, rule.alarms) for kind in rule.event_kinds if kind not in NEWS])
    what = _what(rule)
    events = [_("%(what)s %(does)s") % {"what": what, "does": does}] if does else []
    return _or([*events, *(str(NEWS[kind]) % {"what": what} for kind in rule.event_kinds if kind in NEWS)])


def _verb(kind: str, areas: str, alarms: Sequence[str]) -> str:
    if kind == "geofence_enter":
        return _("enters %(areas)s") % {"areas": areas}
    if kind == "geofence_exit":
        return _("leaves %(areas)s") % {"areas": areas}
    if kind == "alarm":
        named = _or([alarm_words(alarm) for alarm in alarms])
        return _("raises the alarm %(alarms)s") % {"alarms": named} if named else _("raises an alarm")
    return str(VERBS.get(kind) or _("has the event “%(kind)s”") % {"kind": kind_label(kind)})


def _conditions(rule: Rule) -> list[str]:
    found = []
    if rule.min_speed_kph is not None:
        found.append(_("above %(speed)s km/h") % {"speed": floatformat(rule.min_speed_kph, -1)})
    if within := _names([geofence.name for geofence in rule.within_geofences.all()]):
        found.append(_("inside %(areas)s") % {"areas": _or(within)})
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
        people = _and(_names([_person(user) for user in step.users.all()]))
        found.append(
            _("%(who)s if nobody acknowledges within %(time)s")
            % {"who": people or _("nobody"), "time": duration(step.after_minutes)}
        )
    return found


def _person(user: Any) -> str:
    return user.get_full_name() or user.get_username()


def _names(names: Iterable[str]) -> list[str]:
    found = list(names)
    rest = len(found) - MAX_NAMES
    if rest <= 0:
        return found
    return [*found[:MAX_NAMES], ngettext("%(count)d more", "%(count)d more", rest) % {"count": rest}]


def _and(parts: Sequence[str]) -> str:
    return _joined(parts, _("%(first)s and %(last)s"))


def _or(parts: Sequence[str]) -> str:
    return _joined(parts, _("%(first)s or %(last)s"))


def _joined(parts: Sequence[str], pattern: str) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return pattern % {"first": ", ".join(parts[:-1]), "last": parts[-1]}
