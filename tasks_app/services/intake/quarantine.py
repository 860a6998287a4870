"""Quarantine of messages that cannot be right: shortened, without secrets, a bounded number per device.

A device that repeats one adds no row: the row that is there counts how often it came.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import F, QuerySet

from tasks_app.ingest.attributes import UNSTORABLE
from tasks_app.models import Device, FixSource, QuarantinedFix
from tasks_app.models.quarantine import MAX_BODY_CHARACTERS, MAX_CODE_CHARACTERS, MAX_DETAIL_CHARACTERS
from tasks_app.services.positions import count_rejected
from tasks_app.services.transactions import run_in_transaction

# One request may hold thousands of bad fixes, and the first hundred are enough.
MAX_PER_CALL = 100
# As a query parameter or as a member of JSON.
_SECRET = re.compile(r"""((?:^|[?&])(?:key|token|notificationToken)=)[^&\s"]*|("(?:key|token)"\s*:\s*")[^"]*""")


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """One fix that cannot be right: the reason, and the message as it came. `unique_id` is the sender's identifier."""

    code: str
    detail: str
    body: bytes | str
    unique_id: str = ""


def quarantine_entries(
    entries: Sequence[QuarantineEntry], *, source: FixSource, device_pk: int | None, received_at: datetime
) -> None:
    """Save the first MAX_PER_CALL of these, or count them on rows like them.

    Of one device (or of all unknown ones) the newest QUARANTINE_MAX_ROWS rows stay.
    """
    count_rejected(source, [entry.code for entry in entries])
    rows = [_row(entry, source, device_pk, received_at) for entry in entries[:MAX_PER_CALL]]
    if rows:
        run_in_transaction(lambda: _save(rows, device_pk))


def printable(body: bytes | str) -> str:
    """A body as text PostgreSQL can store: shortened, undecodable bytes replaced, secrets left out."""
    # Cut with some room before looking for secrets, so that none is cut to something that is no longer recognised.
    text = body[: 4 * MAX_BODY_CHARACTERS]
    if isinstance(text, bytes):
        text = text.decode("utf-8", errors="replace")
    text = _SECRET.sub(lambda found: f"{found[1] or found[2]}***", UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text))
    return text if len(text) <= MAX_BODY_CHARACTERS else text[: MAX_BODY_CHARACTERS - 1] + "…"


def _row(entry: QuarantineEntry, source: FixSource, device_pk: int | None, received_at: datetime) -> QuarantinedFix:
    return QuarantinedFix(
        device_id=device_pk,
        unique_id=printable(entry.unique_id)[:128],
        source=source,
        code=entry.code[:MAX_CODE_CHARACTERS],
        detail=printable(entry.detail)[:MAX_DETAIL_CHARACTERS],
        body=printable(entry.body),
        received_at=received_at,
    )


def _identity(row: QuarantinedFix) -> tuple[str, ...]:
    return row.unique_id, row.source, row.code, row.detail, row.body


def _save(rows: list[QuarantinedFix], device_pk: int | None) -> None:
    if device_pk is not None and not Device.objects.filter(pk=device_pk).exists():
        # Deleted since its message came: it is one of an unknown device by now.
        device_pk = None
        for row in rows:
            row.device_id = None
    same = (
        QuarantinedFix.objects.filter(device_id=device_pk) if device_pk else QuarantinedFix.objects.filter(device=None)
    )
    alike: defaultdict[tuple[str, ...], list[QuarantinedFix]] = defaultdict(list)
    for row in rows:
        alike[_identity(row)].append(row)
    repeated: defaultdict[int, list[int]] = defaultdict(list)
    for kept in same.filter(body__in={row.body for row in rows}).order_by("-id"):
        # Where two processes kept it at once, the newer row counts on.
        if some := alike.pop(_identity(kept), None):
            repeated[len(some)].append(kept.pk)
    for times, keys in repeated.items():
        same.filter(pk__in=keys).update(count=F("count") + times, last_received_at=rows[0].received_at)
    if alike:
        QuarantinedFix.objects.bulk_create([_first_of(some) for some in alike.values()])
        _drop_oldest(same)


def _first_of(alike: list[QuarantinedFix]) -> QuarantinedFix:
    first = alike[0]
    if len(alike) > 1:
        first.count, first.last_received_at = len(alike), first.received_at
    return first


def _drop_oldest(same: QuerySet[QuarantinedFix]) -> None:
    kept = settings.QUARANTINE_MAX_ROWS
    oldest_over = same.order_by("-id").values_list("id", flat=True)[kept : kept + 1].first()
    if oldest_over is not None:
        same.filter(id__lte=oldest_over).delete()
