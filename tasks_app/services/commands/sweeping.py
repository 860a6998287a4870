"""The sweep: what became of commands while nobody looked. Each run takes up where the one before left off."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Case, Exists, F, Min, OuterRef, Q, QuerySet, Subquery, Value, When
from redis import RedisError

from tasks_app.engine import EngineError, get_task
from tasks_app.ingest.trackers.command_types import COMMAND_TYPES, RELAY
from tasks_app.models import Command, CommandAttempt, CommandState
from tasks_app.queries.trackers import connected_trackers
from tasks_app.services.commands.answers import is_effect_seen
from tasks_app.services.commands.attempts import end_attempt
from tasks_app.services.commands.changes import OUTSTANDING, WAITING, change_state
from tasks_app.services.commands.deciding import EFFECT_SECONDS, LATE, shows_effect
from tasks_app.services.commands.ways.registry import WAYS

# A sender locks its command's row while it writes; between noting the attempt and that it is nowhere for longer than this.
SENDER_SECONDS = 15.0
# How soon a command that could not be handed over is tried again, unless its tracker connects before.
RETRY_SECONDS, NO_WAY_RETRY_SECONDS = 10.0, 120.0
# Of one kind in one run; the next run follows soon.
MOST = 1000

_SHOWN_BY_RELAY = [name for name, kind in COMMAND_TYPES.items() if kind.effect is not None and kind.effect[0] == RELAY]
# Commands whose effect the newest fix of their device has; the rest is not looked at one by one.
_SEEN = Q(type__in=[name for name, kind in COMMAND_TYPES.items() if kind.is_shown_by_fix])
for _name, _kind in COMMAND_TYPES.items():
    if _kind.effect is not None:
        _SEEN |= Q(type=_name, device__state__attributes__contains=dict([_kind.effect]))
_OPPOSITE = Case(
    *(When(type=name, then=Value(kind.opposite)) for name, kind in COMMAND_TYPES.items() if kind.opposite), default=None
)
_WITH_EFFECT = [name for name, kind in COMMAND_TYPES.items() if kind.effect is not None or kind.is_shown_by_fix]


def sweep_commands(*, now: datetime) -> dict[str, int]:
    """End what has expired, was left by a dead sender, was not answered or has had its effect; have the rest sent.

    Returns how many of each. Rows that are locked are being worked on, and left for the next run.
    """
    return {
        "expired": _each(Command.objects.filter(state__in=WAITING, expires_at__lte=now), _expire, now),
        "effects": _each(
            _with_effects(now).filter(_SEEN, device__state__fix_time__gt=F("sent_at")), _look_for_effect, now
        ),
        "lost": _each(_left_by_senders(now), _end_lost, now),
        "unanswered": _each(_unanswered(now), _end_unanswered, now),
        "without_effect": _each(_without_effect(now), _end_without_effect, now),
        "tried": _try_again(now),
    }


def _each(commands: QuerySet[Command], change: object, now: datetime) -> int:
    """Make the change to each of these commands, a transaction each."""
    changed = 0
    for pk in commands.order_by("pk").values_list("pk", flat=True)[:MOST]:
        with transaction.atomic():
            # The conditions once more, of the row as it is now.
            locked = commands.filter(pk=pk).select_for_update(of=("self",), skip_locked=True).first()
            if locked is not None:
                changed += bool(change(locked, now))  # type: ignore[operator]
    return changed


def _expire(command: Command, now: datetime) -> bool:
    is_unconfirmed = command.state == CommandState.AWAITING_CONFIRMATION
    change_state(command, CommandState.EXPIRED, "not_confirmed" if is_unconfirmed else "expired", now=now)
    return True


def _with_effects(now: datetime) -> QuerySet[Command]:
    """Commands that were sent, and whose effect may show in telemetry.

    None after which one of the same or the opposite type was sent: what is seen now is that one's doing.
    """
    states = (CommandState.SENT, CommandState.ACKNOWLEDGED, CommandState.UNCONFIRMED)
    sent = Command.objects.filter(type__in=_WITH_EFFECT, state__in=states, sent_at__gt=now - LATE)
    later = Command.objects.filter(device=OuterRef("device"), sent_at__gt=OuterRef("sent_at"))
    same_or_opposite = Q(type=OuterRef("type")) | Q(type=OuterRef("opposite"))
    return sent.annotate(opposite=_OPPOSITE).exclude(Exists(later.filter(same_or_opposite)))


def _look_for_effect(command: Command, now: datetime) -> bool:
    if not is_effect_seen(command):
        return False
    change_state(command, CommandState.DONE, "effect_seen", now=now)
    return True


def record_relay(*, device_id: str, is_relay_cut: bool, received_at: datetime) -> dict[str, int]:
    """End the commands whose effect is this state of the relay, which a device (by its unique id) sent without a place.

    A tracker that stands still sends no fix for hours, but goes on sending its state.
    """

    def look(command: Command, now: datetime) -> bool:
        is_seen = shows_effect(
            command.type, attributes={RELAY: is_relay_cut}, fix_time=received_at, sent_at=command.sent_at
        )
        if not is_seen:
            return False
        change_state(command, CommandState.DONE, "effect_seen", now=now)
        return True

    commands = _with_effects(received_at).filter(device__unique_id=device_id, type__in=_SHOWN_BY_RELAY)
    return {"done": _each(commands, look, received_at)}


def _left_by_senders(now: datetime) -> QuerySet[Command]:
    recent = Q(attempts__started_at__gt=now - timedelta(seconds=SENDER_SECONDS))
    return Command.objects.filter(state=CommandState.SENDING).exclude(recent)


def _end_lost(command: Command, now: datetime) -> bool:
    """Nobody holds the row of a command in `sending`: its sender is gone, before or after it wrote."""
    command.attempts.filter(sent_at=None, error="").update(error="sender_lost")
    end_attempt(command, "unknown", "sender_lost", now)
    return True


def _unanswered(now: datetime) -> QuerySet[Command]:
    """Commands whose time to be answered, which depends on the way they went, is over."""
    newest = CommandAttempt.objects.filter(command=OuterRef("pk")).order_by("-number")
    over = ~Q(sent_by__in=list(WAYS)) | Q(sent_by=None)
    for name, way in WAYS.items():
        over |= Q(sent_by=name, sent_at__lte=now - timedelta(seconds=way.answer_seconds))
    sent = Command.objects.filter(state=CommandState.SENT, sent_at__lte=now)
    return sent.annotate(sent_by=Subquery(newest.values("way")[:1])).filter(over)


def _end_unanswered(command: Command, now: datetime) -> bool:
    change_state(command, CommandState.UNCONFIRMED, "no_answer", now=now)
    return True


def _without_effect(now: datetime) -> QuerySet[Command]:
    return Command.objects.filter(
        state=CommandState.ACKNOWLEDGED, acknowledged_at__lte=now - timedelta(seconds=EFFECT_SECONDS)
    )


def _end_without_effect(command: Command, now: datetime) -> bool:
    change_state(command, CommandState.UNCONFIRMED, "effect_not_seen", now=now)
    return True


def _try_again(now: datetime) -> int:
    """Enqueue the sending for devices whose commands are due and were not tried lately."""
    patience, no_way = (now - timedelta(seconds=seconds) for seconds in (RETRY_SECONDS, NO_WAY_RETRY_SECONDS))
    outstanding = Command.objects.filter(state__in=OUTSTANDING)
    due = (
        Command.objects.filter(state=CommandState.QUEUED, expires_at__gt=now)
        .filter(Q(not_before=None) | Q(not_before__lte=now), Q(next_attempt_at=None) | Q(next_attempt_at__lte=now))
        .filter(Q(last_tried_at=None) | Q(last_tried_at__lte=patience))
        .exclude(device__in=outstanding.values("device"))
    )
    without_way = Q(state_reason="no_way", last_tried_at__gt=no_way)
    devices = sorted({*_some_devices(due.exclude(without_way)), *_connected(due.filter(without_way))})
    try:
        get_task("send_commands").enqueue_many(
            [(pk,) for pk in devices], unique_keys=[f"send-commands:{pk}:sweep" for pk in devices], priority="high"
        )
    except EngineError:
        # The queue is full or away; so is then the next run of this, which finds them again.
        return 0
    return len(devices)


def _some_devices(commands: QuerySet[Command]) -> list[int]:
    """Those that were tried longest ago: further ones of many get their turn, whatever their numbers."""
    devices = commands.order_by().values("device_id").annotate(tried_at=Min("last_tried_at"))
    ordered = devices.order_by(F("tried_at").asc(nulls_first=True), "device_id")
    return list(ordered.values_list("device_id", flat=True)[:MOST])


def _connected(commands: QuerySet[Command]) -> list[int]:
    """Return the devices of these that have a session: after an outage it is there again without a new connection."""
    names = commands.order_by("device_id").values_list("device__unique_id", flat=True).distinct()[:MOST]
    try:
        return [one.device_pk for one in connected_trackers(names)]
    except RedisError:
        return []
