"""A rule as people would say it: "Notify Ana by e-mail when any vehicle of Depot North leaves Depot at night"."""

from __future__ import annotations

from collections.abc import Sequence

from django.template.defaultfilters import floatformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications_app.matching.decisions import Reason
from notifications_app.messages.events import kind_label
from notifications_app.messages.kinds.base import EVENT_MESSAGES
from notifications_app.messages.rule_words import RuleWords, words_of
from notifications_app.messages.sentence_parts import first_names, join_and, join_or
from notifications_app.messages.window_words import windows_words
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
    return sentence_of(words_of(rule))


def sentence_of(words: RuleWords) -> str:
    """The same of the values of a rule, which may lack what a stored rule has."""
    sentence = _("Notify %(who)s %(how)s when %(when)s") % {
        "who": _who(words),
        "how": join_and([str(CHANNEL_KINDS[one].phrase) for one in words.channels if one in CHANNEL_KINDS])
        or _("through no channel"),
        "when": _when(words) or _("(no kind of event is chosen)"),
    }
    return "; ".join([" ".join([sentence, *_conditions(words)]), *_manners(words)])


def _who(words: RuleWords) -> str:
    roles = [str(WHO[FleetRole(role)]) for role in words.roles if role in WHO]
    return join_and([*first_names(words.people), *roles]) or _("nobody")


def _vehicles(words: RuleWords) -> str:
    if devices := first_names(words.devices):
        return join_or(devices)
    return _("any vehicle of %(fleet)s") % {"fleet": words.fleet} if words.fleet else _("any vehicle")


def _when(words: RuleWords) -> str:
    geofences = join_or(first_names(words.geofences)) or _("a geofence")
    vehicles = _vehicles(words)
    others = [kind for kind in words.event_kinds if kind in MESSAGE_KINDS and MESSAGE_KINDS[kind].rule_phrase]
    does = join_or([_event_phrase(kind, geofences, words.alarms) for kind in words.event_kinds if kind not in others])
    events = [_("%(what)s %(does)s") % {"what": vehicles, "does": does}] if does else []
    return join_or([*events, *(str(MESSAGE_KINDS[kind].rule_phrase) % {"what": vehicles} for kind in others)])


def _event_phrase(kind: str, geofences: str, alarms: Sequence[str]) -> str:
    if (known := EVENT_MESSAGES.get(kind)) is not None:
        return known.phrase_for(geofences, alarms)
    return _("has the event “%(kind)s”") % {"kind": kind_label(kind)}


def _conditions(words: RuleWords) -> list[str]:
    found = []
    if words.min_speed_kph is not None:
        found.append(_("above %(speed)s km/h") % {"speed": floatformat(words.min_speed_kph, -1)})
    if within := first_names(words.within):
        found.append(_("inside %(areas)s") % {"areas": join_or(within)})
    if words.min_duration_minutes:
        found.append(_("for at least %(time)s") % {"time": duration(words.min_duration_minutes)})
    if words.windows:
        found.append(windows_words(words.windows, words.zone))
    return found


def _manners(words: RuleWords) -> list[str]:
    found = []
    if words.has_lost_devices:
        found.append(_("it matches nothing: none of its vehicles is in %(fleet)s any more") % {"fleet": words.fleet})
    if words.command:
        found.append(_("send the vehicle “%(command)s”") % {"command": words.command})
    if words.cooldown_minutes:
        found.append(_("at most every %(time)s per vehicle") % {"time": duration(words.cooldown_minutes)})
    if words.digest_every_minutes:
        found.append(_("in a digest every %(time)s") % {"time": duration(words.digest_every_minutes)})
    if words.digest_daily_at:
        found.append(_("in a digest daily at %(time)s") % {"time": f"{words.digest_daily_at:%H:%M}"})
    for after_minutes, people in words.steps:
        found.append(
            _("%(who)s if nobody acknowledges within %(time)s")
            % {"who": join_and(first_names(people)) or _("nobody"), "time": duration(after_minutes)}
        )
    return found
