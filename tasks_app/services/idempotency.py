"""Requests under a key: each is done once, however often it is sent (docs/adr/0013).

A request is claimed by a row, which commits at once. Then one transaction locks the row, does the work and writes the answer
into it: all of that commits, or none. A process that dies leaves the row without a lock and without an answer, so the next
request of the key does the work, with jobs of the same ids.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec

from tasks_app.models import IdempotentRequest
from tasks_app.utils.sealing import Unreadable, seal, unseal

KEPT = timedelta(hours=24)
_PURPOSE = "tasks_app.idempotency"


class KeyUsedOtherwise(Exception):
    """The key came with another request before."""


class StillInProgress(Exception):
    """The first request of the key is being worked on."""


class AnswerLost(Exception):
    """The request was done before, but none of the present secret keys opens its answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of a user under a key; `fingerprint` differs between requests that are not the same."""

    user_id: int
    key: str
    fingerprint: str

    @property
    def key_hash(self) -> str:
        return hashlib.sha256(self.key.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Claim:
    """The row of a request. With `is_repeat` another process claimed it before."""

    seed: UUID
    is_repeat: bool


class KeptAnswer(msgspec.Struct, frozen=True):
    """An answer: its body, as it was sent, and the headers that are part of it."""

    status_code: int
    body: str
    headers: dict[str, str] = {}


def claim(asked: Asked, *, now: datetime) -> Claim:
    """Write the row of the request, unless there is one that is not too old."""
    rows = IdempotentRequest.objects.filter(user_id=asked.user_id, key_hash=asked.key_hash)
    rows.filter(created_at__lt=now - KEPT).delete()
    seed = uuid4()
    row = IdempotentRequest(
        user_id=asked.user_id, key_hash=asked.key_hash, fingerprint=asked.fingerprint, seed=seed, created_at=now
    )
    IdempotentRequest.objects.bulk_create([row], ignore_conflicts=True)
    found = rows.values_list("seed", flat=True).first()
    if found is None:
        raise StillInProgress(StillInProgress.__doc__)
    return Claim(found, is_repeat=found != seed)


def hold(asked: Asked, claimed: Claim) -> KeptAnswer | None:
    """Lock the row until the end of the transaction; return the answer, None for work that is to be done.

    Raises StillInProgress, KeyUsedOtherwise, AnswerLost.
    """
    row = _row(asked, claimed).select_for_update(skip_locked=True).first()
    if row is None:
        raise StillInProgress(StillInProgress.__doc__)
    if row.fingerprint != asked.fingerprint:
        raise KeyUsedOtherwise(KeyUsedOtherwise.__doc__)
    if row.answer is None:
        return None
    try:
        return msgspec.json.decode(unseal(bytes(row.answer), secret=asked.key, purpose=_PURPOSE), type=KeptAnswer)
    except Unreadable as error:
        raise AnswerLost(AnswerLost.__doc__) from error


def keep(asked: Asked, claimed: Claim, answer: KeptAnswer) -> None:
    """Write the answer into the row that is held."""
    sealed = seal(msgspec.json.encode(answer), secret=asked.key, purpose=_PURPOSE)
    _row(asked, claimed).update(status_code=answer.status_code, answer=sealed)


def forget(asked: Asked, claimed: Claim) -> None:
    """Remove the row of a request that made nothing, so that it may be mended and sent again under its key."""
    _row(asked, claimed).filter(answer__isnull=True).delete()


def _row(asked: Asked, claimed: Claim) -> Any:
    return IdempotentRequest.objects.filter(user_id=asked.user_id, key_hash=asked.key_hash, seed=claimed.seed)
