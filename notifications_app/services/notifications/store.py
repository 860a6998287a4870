"""Storage of notifications and deliveries in the caller's transaction; the delivery jobs follow its commit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from django.db import connection, transaction

from notifications_app.channels.registry import CHANNELS
from notifications_app.messages.rendering import Rendered
from notifications_app.models import DeliveryState, NotificationAttachment
from notifications_app.queries.targets import read_targets
from notifications_app.services.inbox import note_change
from notifications_app.services.notifications.delivery_jobs import enqueue_deliveries

# Arrays instead of one set of parameters per row; RETURNING gives only what was not there yet, and everything else
# follows from the returned rows, so the same draft written again has no second effect.
_INSERT = """
    INSERT INTO notifications_app_notification
        (user_id, kind, event_id, device_id, rule_id, dedupe_key, subject, body_text, body_html, on_behalf_to, event_data,
        created_at)
    SELECT *, %s::timestamptz FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[],
        %s::text[], %s::text[], %s::text[], %s::text[], %s::jsonb[])
    ON CONFLICT (user_id, dedupe_key) DO NOTHING
    RETURNING id, user_id, dedupe_key
"""
_INSERT_DELIVERIES = """
    INSERT INTO notifications_app_delivery
        (notification_id, channel, destination_id, state, attempt_count, sent_at, hold_until, created_at, attempts_forgiven,
        address, last_error)
    SELECT notification_id, channel, destination_id, state, (state = 'sent')::int,
        CASE WHEN state = 'sent' THEN %(now)s::timestamptz END,
        CASE WHEN state = 'pending' THEN hold_until END, %(now)s, 0, '', ''
    FROM unnest(%(notification_ids)s::bigint[], %(channels)s::text[], %(destination_ids)s::bigint[], %(states)s::text[],
        %(holds)s::timestamptz[]) AS n(notification_id, channel, destination_id, state, hold_until)
    RETURNING id, state = 'pending' AND hold_until IS NULL
"""
_ROWS_PER_INSERT = 10_000


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of Django's default storage that goes with a message, under the name its recipient sees."""

    storage_name: str
    file_name: str
    content_type: str


@dataclass(frozen=True, slots=True)
class Draft:
    """One message to one person, ready to be written. (user, dedupe_key) is its identity.

    With `on_behalf_to` (an e-mail address) it goes there instead of to the user, who answers for it. With `hold_until` it is in
    the application at once, and sent elsewhere then.
    """

    user_id: int
    kind: str
    dedupe_key: str
    rendered: Rendered
    channels: Collection[str]
    event_id: int | None = None
    device_id: int | None = None
    attachments: tuple[Attachment, ...] = ()
    on_behalf_to: str = ""
    rule_id: int | None = None
    hold_until: datetime | None = None
    event_data: Mapping[str, Any] = field(default_factory=dict)


def write_notifications(drafts: Iterable[Draft], *, now: datetime) -> list[int]:
    """Write the drafts that are new, with one delivery per channel; return the ids of the new notifications.

    In-app deliveries are sent by being written. The others are enqueued once the transaction commits, those
    that are held by the sweeper when they are due.
    """
    # Always in the same order, so that two writers of the same drafts wait for each other instead of deadlocking.
    unique = {(draft.user_id, draft.dedupe_key): draft for draft in drafts}
    ordered = [unique[key] for key in sorted(unique)]
    with transaction.atomic():
        new_ids: dict[tuple[int, str], int] = {}
        for start in range(0, len(ordered), _ROWS_PER_INSERT):
            new_ids |= _insert(ordered[start : start + _ROWS_PER_INSERT], now)
        if not new_ids:
            return []
        written = [(new_id, unique[key]) for key, new_id in new_ids.items()]
        _write_attachments(written)
        to_send = _write_deliveries(written, now)
        note_change({user_id for user_id, _key in new_ids})
        if to_send:
            transaction.on_commit(partial(enqueue_deliveries, to_send))
    return list(new_ids.values())


def _insert(drafts: Sequence[Draft], now: datetime) -> dict[tuple[int, str], int]:
    columns: list[Any] = [
        [draft.user_id for draft in drafts],
        [str(draft.kind) for draft in drafts],
        [draft.event_id for draft in drafts],
        [draft.device_id for draft in drafts],
        [draft.rule_id for draft in drafts],
        [draft.dedupe_key for draft in drafts],
        [draft.rendered.subject for draft in drafts],
        [draft.rendered.text for draft in drafts],
        [draft.rendered.html for draft in drafts],
        [draft.on_behalf_to for draft in drafts],
        [msgspec.json.encode(draft.event_data).decode() for draft in drafts],
    ]
    if not drafts:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [now, *columns])
        return {(user_id, key): new_id for new_id, user_id, key in cursor.fetchall()}


def _write_attachments(written: Sequence[tuple[int, Draft]]) -> None:
    rows = [
        NotificationAttachment(
            notification_id=notification_id,
            storage_name=attachment.storage_name,
            file_name=attachment.file_name,
            content_type=attachment.content_type,
        )
        for notification_id, draft in written
        for attachment in draft.attachments
    ]
    if rows:
        NotificationAttachment.objects.bulk_create(rows)


def _write_deliveries(written: Sequence[tuple[int, Draft]], now: datetime) -> list[int]:
    """Write one delivery per notification and target; return the ids of those to be sent now."""
    targets = read_targets((draft.user_id, draft.channels) for _id, draft in written)
    rows = [
        (pk, channel, destination, draft.hold_until)
        for pk, draft in written
        for channel, destination in targets.of(draft)
    ]
    columns: dict[str, Any] = {
        "now": now,
        "notification_ids": [pk for pk, _channel, _destination, _hold in rows],
        "channels": [channel for _pk, channel, _destination, _hold in rows],
        "destination_ids": [destination for _pk, _channel, destination, _hold in rows],
        "states": [_first_state(channel) for _pk, channel, _destination, _hold in rows],
        "holds": [hold for _pk, _channel, _destination, hold in rows],
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_DELIVERIES, columns)
        return [pk for pk, is_due in cursor if is_due]


def _first_state(channel: str) -> str:
    return (DeliveryState.SENT if CHANNELS[channel].sent_by_writing else DeliveryState.PENDING).value
