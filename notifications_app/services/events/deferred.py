"""Deferred alerts: held for a digest, pending until a state has lasted, watched for an acknowledgement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Min

from notifications_app.matching.match_results import Held, MatchResults
from notifications_app.models import Escalation, EscalationStep, WaitingAlert

# Rows are written in the order of their keys, so that two writers wait for each other instead of deadlocking.
_HOLD = """
    INSERT INTO notifications_app_heldalert AS h
        (user_id, device_id, kind, reason, channels, event_count, first_at, last_at, due_at)
    SELECT user_id, device_id, kind, reason, string_to_array(channels, ','), event_count, first_at, last_at, due_at
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::int[], %s::timestamptz[],
        %s::timestamptz[], %s::timestamptz[])
        AS n(user_id, device_id, kind, reason, channels, event_count, first_at, last_at, due_at)
    ON CONFLICT (user_id, device_id, kind, reason) DO UPDATE SET
        channels = ARRAY(SELECT DISTINCT unnest(h.channels || excluded.channels) ORDER BY 1),
        event_count = h.event_count + excluded.event_count,
        first_at = least(h.first_at, excluded.first_at),
        last_at = greatest(h.last_at, excluded.last_at),
        due_at = least(h.due_at, excluded.due_at)
"""
_COOL_DOWN = """
    INSERT INTO notifications_app_rulecooldown AS c (rule_id, device_id, kind, notified_at)
    SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[])
    ON CONFLICT (rule_id, device_id, kind) DO UPDATE SET notified_at = greatest(c.notified_at, excluded.notified_at)
"""


class _HeldRow(NamedTuple):
    """A row for _HOLD, in the order of its columns."""

    user_id: int
    device_id: int
    kind: str
    reason: str
    channels: str
    event_count: int
    first_at: datetime
    last_at: datetime
    due_at: datetime

    @classmethod
    def of(cls, held: Held) -> _HeldRow:
        return cls(
            user_id=held.user_id,
            device_id=held.device_id,
            kind=held.kind,
            reason=held.reason,
            channels=",".join(sorted(held.channels)),
            event_count=held.event_count,
            first_at=held.first_at,
            last_at=held.last_at,
            due_at=held.due_at,
        )


def defer_alerts(results: MatchResults, *, now: datetime) -> None:
    """Write the deferred part of these results in the caller's transaction."""
    hold(results.held.values())
    if results.cooldowns:
        _execute(_COOL_DOWN, _columns([(*key, at) for key, at in sorted(results.cooldowns.items())]))
    waits = [WaitingAlert(rule_id=rule, event_id=event, due_at=due) for (rule, event), due in results.waits.items()]
    WaitingAlert.objects.bulk_create(waits, ignore_conflicts=True)
    watch(results.escalations, now=now)


def hold(held: Iterable[Held]) -> None:
    """Add to the held alerts."""
    rows = sorted((_HeldRow.of(one) for one in held), key=lambda row: row[:4])
    if rows:
        _execute(_HOLD, _columns(rows))


def watch(notified: Iterable[tuple[int, int]], *, now: datetime) -> None:
    """Start the escalation of these (rule, event) pairs at their rule's first step."""
    pairs = sorted(set(notified))
    if not pairs:
        return
    firsts = dict(
        EscalationStep.objects.filter(rule__in={rule_id for rule_id, _event in pairs})
        .order_by()
        .values_list("rule_id")
        .annotate(first=Min("after_minutes"))
    )
    rows = [
        Escalation(rule_id=rule_id, event_id=event_id, notified_at=now, due_at=minutes_after(now, firsts[rule_id]))
        for rule_id, event_id in pairs
        if rule_id in firsts
    ]
    Escalation.objects.bulk_create(rows, ignore_conflicts=True)


def minutes_after(at: datetime, minutes: int) -> datetime:
    return at + timedelta(minutes=minutes)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _execute(statement: str, parameters: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
