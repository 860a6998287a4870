"""The conditions of a rule beside what an event has, one by one, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.template.defaultfilters import floatformat
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications_app.matching.decisions import EventValue, Reason
from notifications_app.messages.events import kind_label
from notifications_app.messages.rule_words import RuleWords
from notifications_app.messages.sentence_parts import first_names, join_or
from notifications_app.messages.window_words import windows_words
from notifications_app.models.kinds import rule_kind_choices
from notifications_app.templatetags.alarm_names import alarm_words
from notifications_app.templatetags.notification_texts import duration
from tasks_app.utils.clock import exact_time, zone_offset

NONE = "–"
LABELS = {
    Reason.OTHER_KIND: gettext_lazy("Kind of event"),
    Reason.OTHER_FLEET: gettext_lazy("Fleet"),
    Reason.OTHER_DEVICE: gettext_lazy("Device"),
    Reason.OTHER_GEOFENCE: gettext_lazy("Geofence"),
    Reason.OTHER_ALARM: gettext_lazy("Alarm"),
    Reason.TOO_SLOW: gettext_lazy("Speed"),
    Reason.NOT_INSIDE: gettext_lazy("Only inside"),
    Reason.OUTSIDE_WINDOWS: gettext_lazy("Time"),
    Reason.NO_CHANNEL: gettext_lazy("Channels"),
    Reason.TOO_OLD: gettext_lazy("Age"),
    Reason.TOO_SHORT: gettext_lazy("Duration"),
    Reason.COOLDOWN: gettext_lazy("Last alert"),
}


@dataclass(frozen=True, slots=True)
class EventFacts:
    """Facts of an event, with names. `inside` are the rule's geofences that it is in, `zone` is its fleet's.

    `age_minutes` are those at which it was recorded.
    """

    value: EventValue
    device: str
    fleet: str
    zone: ZoneInfo
    geofence: str = ""
    inside: Sequence[str] = ()
    last_notified_at: datetime | None = None
    age_minutes: float = 0


@dataclass(frozen=True, slots=True)
class ConditionRow:
    """One condition: what the rule asks for, what the event has, and whether that is enough."""

    label: Any
    wanted: str
    found: str
    is_met: bool


def condition_rows(
    words: RuleWords, facts: EventFacts, conditions: Sequence[Reason], failed: Sequence[Reason]
) -> list[ConditionRow]:
    """Return these conditions in their order."""
    return [ConditionRow(LABELS[one], _WANTED[one](words), _FOUND[one](facts), one not in failed) for one in conditions]


def _kinds(words: RuleWords) -> str:
    labels = dict(rule_kind_choices())
    return join_or(first_names([str(labels.get(kind, kind)) for kind in words.event_kinds]))


def _speed(kph: float | None) -> str:
    return _("not known") if kph is None else f"{floatformat(kph, -1)} km/h"


def _lasted(facts: EventFacts) -> str:
    begin, end = facts.value.began_at, facts.value.ended_at
    if begin is None or end is None:
        return _("not over yet")
    return duration((end - begin).total_seconds() / 60)


def _clock(facts: EventFacts) -> str:
    local = facts.value.occurred_at.astimezone(facts.zone)
    return f"{date_format(local, 'l')}, {date_format(local, 'H:i')} ({facts.zone.key.rpartition('/')[2].replace('_', ' ')})"


def _last_alert(facts: EventFacts) -> str:
    at = facts.last_notified_at
    return _("none yet") if at is None else f"{exact_time(at)} {zone_offset(at)}"


_WANTED = {
    Reason.OTHER_KIND: _kinds,
    Reason.OTHER_FLEET: lambda words: words.fleet,
    Reason.OTHER_DEVICE: lambda words: join_or(first_names(words.devices)),
    Reason.OTHER_GEOFENCE: lambda words: join_or(first_names(words.geofences)),
    Reason.OTHER_ALARM: lambda words: join_or([alarm_words(alarm) for alarm in words.alarms]),
    Reason.TOO_SLOW: lambda words: _("above %(speed)s km/h") % {"speed": floatformat(words.min_speed_kph, -1)},
    Reason.NOT_INSIDE: lambda words: join_or(first_names(words.within)),
    Reason.OUTSIDE_WINDOWS: lambda words: windows_words(words.windows, words.zone),
    Reason.NO_CHANNEL: lambda words: _("at least one"),
    Reason.TOO_OLD: lambda words: _("at most a day when it arrives"),
    Reason.TOO_SHORT: lambda words: _("for at least %(time)s") % {"time": duration(words.min_duration_minutes or 0)},
    Reason.COOLDOWN: lambda words: _("at most every %(time)s per vehicle") % {"time": duration(words.cooldown_minutes)},
}
_FOUND = {
    Reason.OTHER_KIND: lambda facts: str(kind_label(facts.value.kind)),
    Reason.OTHER_FLEET: lambda facts: facts.fleet,
    Reason.OTHER_DEVICE: lambda facts: facts.device,
    Reason.OTHER_GEOFENCE: lambda facts: facts.geofence or NONE,
    Reason.OTHER_ALARM: lambda facts: alarm_words(facts.value.alarm),
    Reason.TOO_SLOW: lambda facts: _speed(facts.value.speed_kph),
    Reason.NOT_INSIDE: lambda facts: join_or(first_names(facts.inside)) or _("in none of them"),
    Reason.OUTSIDE_WINDOWS: _clock,
    Reason.NO_CHANNEL: lambda facts: NONE,
    Reason.TOO_OLD: lambda facts: duration(facts.age_minutes),
    Reason.TOO_SHORT: _lasted,
    Reason.COOLDOWN: _last_alert,
}
