"""Decisions about commands, over plain values: safety, order, repetition, and the meaning of answers. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from tasks_app.ingest.trackers.command_types import COMMAND_TYPES, CommandType

# A vehicle may be stopped where its last fix is younger and slower than this.
MAX_FIX_AGE_SECONDS = 60.0
MAX_STOP_SPEED_KPH = 20.0
# A clock of a tracker that is ahead by more than this says nothing about the age of its fixes.
MAX_CLOCK_AHEAD_SECONDS = 60.0
# Attempts of which bytes may have reached the device, and attempts in all.
MAX_WRITTEN_ATTEMPTS = 3
MAX_ATTEMPTS = 30
# How long the effect of an acknowledged command is waited for, and how long a late one still counts.
EFFECT_SECONDS = 600.0
LATE = timedelta(days=1)

_PLACEHOLDER = re.compile(r"\{(?:name|unique_id)\}")
_STOPS = frozenset({"engine_stop"})
_BACKOFF_SECONDS, _BACKOFF_CAP_SECONDS = 2.0, 60.0


# --- Safety ---


def safety_refusal(type_name: str, *, fix_age_seconds: float | None, speed_kph: float | None, is_override: bool) -> str:
    """Return why this command must not be sent to a vehicle in this state, "" where it may.

    no_fix, fix_too_old, fix_in_future, speed_unknown, moving.
    """
    if type_name not in _STOPS or is_override:
        return ""
    if fix_age_seconds is None:
        return "no_fix"
    if fix_age_seconds >= MAX_FIX_AGE_SECONDS:
        return "fix_too_old"
    if fix_age_seconds < -MAX_CLOCK_AHEAD_SECONDS:
        return "fix_in_future"
    if speed_kph is None:
        return "speed_unknown"
    return "" if speed_kph < MAX_STOP_SPEED_KPH else "moving"


def may_rule_send(allowed: str, type_name: str) -> bool:
    """Return whether rules may send commands of this type where a fleet allows them `none`, `harmless` ones or `all`."""
    return allowed == "all" or (allowed == "harmless" and not COMMAND_TYPES[type_name].is_dangerous)


def is_possible_expiry(kind: CommandType, seconds: int) -> bool:
    """Return whether a command of this type may hold for so long."""
    is_whole = isinstance(seconds, int) and not isinstance(seconds, bool)
    return is_whole and kind.min_expiry_seconds <= seconds <= kind.max_expiry_seconds


def filled(parameters: dict[str, Any], *, name: str, unique_id: str) -> dict[str, Any]:
    """Return the parameters of a saved command with its placeholders replaced, {name} and {unique_id} of the device."""
    values = {"{name}": name, "{unique_id}": unique_id}
    return {
        key: _PLACEHOLDER.sub(lambda found: values[found[0]], value) if isinstance(value, str) else value
        for key, value in parameters.items()
    }


def has_safety_rules(type_name: str) -> bool:
    """Return whether the state of the vehicle may forbid commands of this type."""
    return type_name in _STOPS


# --- Order ---


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queued command, as far as its order goes."""

    pk: int
    priority: int
    created_at: datetime
    not_before: datetime | None
    next_attempt_at: datetime | None
    expires_at: datetime


def due_commands(waiting: Sequence[Waiting], now: datetime) -> list[int]:
    """Return the keys of those that may be sent now, in the order in which they are to be tried: by priority, then time."""
    due = [
        one
        for one in waiting
        if one.expires_at > now
        and (one.not_before is None or one.not_before <= now)
        and (one.next_attempt_at is None or one.next_attempt_at <= now)
    ]
    return [one.pk for one in sorted(due, key=lambda one: (-one.priority, one.created_at, one.pk))]


def is_superseded(type_name: str, starts_at: datetime, *, by_type: str, by_starts_at: datetime) -> bool:
    """Return whether a command that waits is made meaningless by a newer one of the opposite type.

    One that is to be sent later than the newer one is not: it was meant for then.
    """
    return bool(type_name) and COMMAND_TYPES[by_type].opposite == type_name and starts_at <= by_starts_at


def ways_in_order(chain: Sequence[str], tried: Sequence[str]) -> list[str]:
    """Return the ways of a chain, those that failed less often first, else in the chain's order."""
    counts = {way: tried.count(way) for way in chain}
    return sorted(dict.fromkeys(chain), key=lambda way: counts[way])


# --- Repetition ---

Written = Literal["nothing", "unknown"]


@dataclass(frozen=True, slots=True)
class Next:
    """The state of a command after an attempt that did not succeed; `delay_seconds` until it is tried again."""

    state: Literal["queued", "failed", "unconfirmed"]
    delay_seconds: float = 0.0


def after_attempt(type_name: str, *, written: Written, attempts: int, written_attempts: int) -> Next:
    """Decide whether a command is tried again after an attempt that wrote nothing, or of which nobody knows.

    `attempts` have been made, of which `written_attempts` may have reached the device, this one included. What may have
    reached the device is repeated only where doing it twice is doing it once.
    """
    if written == "unknown" and not COMMAND_TYPES[type_name].is_idempotent:
        return Next("unconfirmed")
    if written_attempts >= MAX_WRITTEN_ATTEMPTS:
        return Next("unconfirmed")
    if attempts >= MAX_ATTEMPTS:
        return Next("failed" if not written_attempts else "unconfirmed")
    return Next("queued", min(_BACKOFF_CAP_SECONDS, _BACKOFF_SECONDS * 2.0 ** (attempts - 1)))


# --- Answers ---


@dataclass(frozen=True, slots=True)
class Asked:
    """An attempt that an answer may belong to: the newest of its command.

    `is_open` is one whose command waits for its answer, `is_late` one whose command ended unconfirmed.
    """

    pk: int
    token: str
    name: str
    is_open: bool
    is_late: bool
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """The attempt that an answer belongs to, None for none; `is_duplicate` says that it has this answer already."""

    pk: int | None
    is_duplicate: bool = False


def matching_attempt(attempts: Sequence[Asked], *, token: str, name: str, text: str) -> Match:
    """Return the attempt of an answer: by its token, else by the command's name, else by order.

    `attempts` are those of one device that were made lately, newest first. An answer with a token that none of them has belongs
    to none of them, and likewise one with a name: it is never given to another command.
    """
    named = [one for one in attempts if _is_named(one, token, name)]
    for one in named:
        if one.is_open:
            return Match(one.pk)
    for one in named:
        if one.is_late:
            return Match(one.pk)
        if one.answer == text:
            return Match(one.pk, is_duplicate=True)
    return Match(None)


def _is_named(attempt: Asked, token: str, name: str) -> bool:
    if token:
        return attempt.token == token
    return not name or attempt.name.casefold() == name.casefold()


Meaning = Literal["acknowledged", "done", "failed"]


def answer_meaning(type_name: str, *, is_success: bool | None, reports_effect: bool) -> Meaning:
    """Return the state of a command that got this answer.

    Where telemetry shows the effect and the device has reported that attribute before, an answer alone ends nothing well. An
    answer that says neither is the very thing that harmless questions ask for.
    """
    kind = COMMAND_TYPES[type_name]
    if is_success is False:
        return "failed"
    if kind.effect is not None and reports_effect:
        return "acknowledged"
    if is_success is None and (kind.effect is not None or kind.is_dangerous):
        return "acknowledged"
    return "done"


def shows_effect(
    type_name: str, *, attributes: dict[str, Any], fix_time: datetime | None, sent_at: datetime | None
) -> bool:
    """Return whether a fix of after the sending has what a command of this type brings about."""
    kind = COMMAND_TYPES[type_name]
    if fix_time is None or sent_at is None or fix_time <= sent_at:
        return False
    if kind.effect is None:
        return kind.is_shown_by_fix
    name, value = kind.effect
    return name in attributes and attributes[name] == value
