"""The dry run of one rule as its page shows it: conditions, ways, messages, and the device's last days."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifications_app.channels.email_message import MAP_PLACE, UNSUBSCRIBE_PLACE
from notifications_app.matching.decisions import Outcome
from notifications_app.messages.events import event_message
from notifications_app.messages.rendering import Message, Recipient
from notifications_app.messages.rule_conditions import EventFacts, condition_rows
from notifications_app.messages.rule_words import words_of
from notifications_app.models import Rule
from notifications_app.models.kinds import CHANNEL_KINDS
from notifications_app.queries.audience import time_zone_or_default
from notifications_app.queries.dry_run import RuleTrial, dry_run_of_rule
from notifications_app.queries.past_matches import DAYS, PastMatches, past_matches
from notifications_app.queries.ways import Asked, Way, ways_of
from notifications_app.services.texts import preview_message
from tasks_app.models import Device, Event

MAX_MESSAGES = 3
_REACHED = (Outcome.NOTIFY, Outcome.HOLD)


def trial_context(rule: Rule, event: Event, device: Device, *, now: datetime, inside: frozenset[int]) -> dict[str, Any]:
    """Try the rule on the event and return all that the page shows of it."""
    trial = dry_run_of_rule(rule, event, device, now=now, inside=inside)
    message = event_message(event, device=device, geofence_name=event.geofence.name if event.geofence else "")
    words, facts = words_of(rule), _facts(trial, event, device)
    past = past_matches(rule, device, now=timezone.now())
    return {
        "conditions": condition_rows(words, facts, trial.conditions, trial.failed),
        "matches": not trial.failed,
        "verdicts": trial.verdicts,
        "verdict_text": _verdict_text(trial),
        "ways": _ways(trial, rule, message),
        "messages_shown": _messages(trial, message, device),
        "past": past,
        "past_text": _past_text(past, device),
    }


def _facts(trial: RuleTrial, event: Event, device: Device) -> EventFacts:
    return EventFacts(
        value=trial.event,
        device=device.name,
        fleet=device.fleet.name,
        zone=time_zone_or_default(device.fleet.time_zone),
        geofence=event.geofence.name if event.geofence else "",
        inside=trial.inside,
        last_notified_at=trial.last_notified_at,
        age_minutes=(trial.audience.context.now - event.occurred_at).total_seconds() / 60,
    )


def _verdict_text(trial: RuleTrial) -> str:
    if trial.failed:
        return _("The rule does not match this event.")
    if any(one.outcome is Outcome.WAIT for one in trial.verdicts):
        return _("The rule matches once this has lasted long enough; if it ends before, nobody is notified.")
    at_once = sum(one.outcome is Outcome.NOTIFY for one in trial.verdicts)
    later = sum(one.outcome is Outcome.HOLD for one in trial.verdicts)
    if not at_once + later:
        return _("The rule matches, but nobody is notified.")
    counts = [
        ngettext("%d person is notified at once", "%d people are notified at once", at_once) % at_once
        if at_once
        else "",
        ngettext("%d person is notified later", "%d people are notified later", later) % later if later else "",
    ]
    return _("The rule matches: %(counts)s.") % {"counts": ", ".join(filter(None, counts))}


def _ways(trial: RuleTrial, rule: Rule, message: Message) -> dict[int, list[str]]:
    """The ways of all channels of the rule, also those of which nothing reaches the person."""
    asked = [
        Asked(one.user_id, message.kind, rule.channels, one.rule_id)
        for one in trial.verdicts
        if one.outcome in _REACHED and one.user_id is not None
    ]
    return {user_id: [_way_text(way) for way in ways] for user_id, ways in ways_of(asked).items()}


def _way_text(way: Way) -> str:
    label = str(CHANNEL_KINDS[way.channel].label)
    if way.is_open:
        return f"{label}: {way.name}" if way.name else label
    if CHANNEL_KINDS[way.channel].has_destinations:
        return _("%(channel)s: no destination, nothing is sent") % {"channel": label}
    return _("%(channel)s: no address or unsubscribed, nothing is sent") % {"channel": label}


def _messages(trial: RuleTrial, message: Message, device: Device) -> list[dict[str, Any]]:
    """The message for each language, zone and units among those who get it, with their names; where nobody does, for nobody."""
    readers: dict[Recipient, list[str]] = {}
    for one in trial.verdicts:
        if one.outcome in _REACHED and one.user_id is not None:
            readers.setdefault(trial.audience.recipient(one.user_id, device.fleet), []).append(one.user)
    if not readers:
        readers = {_default_reader(device): []}
    return [_shown(message, reader, names) for reader, names in list(readers.items())[:MAX_MESSAGES]]


def _default_reader(device: Device) -> Recipient:
    return Recipient(settings.LANGUAGE_CODE, time_zone_or_default(device.fleet.time_zone).key)


def _shown(message: Message, reader: Recipient, names: list[str]) -> dict[str, Any]:
    rendered = preview_message(message, reader)
    html = rendered.html.replace(MAP_PLACE, "").replace(UNSUBSCRIBE_PLACE, "")
    return {"names": ", ".join(names), "subject": rendered.subject, "text": rendered.text, "html": html}


def _past_text(past: PastMatches, device: Device) -> str:
    values: Mapping[str, Any] = {"device": device.name, "matches": past.matches, "events": past.events, "days": DAYS}
    if not past.events:
        return _("%(device)s had no events of the rule's kinds in the last %(days)d days.") % values
    if past.is_cut:
        return _("Of the newest %(events)d events of the rule's kinds, it would have matched %(matches)d.") % values
    return (
        _("Of %(events)d events of the rule's kinds in the last %(days)d days, it would have matched %(matches)d.")
        % values
    )
