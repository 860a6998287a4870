"""Clean-up of expired sessions, tokens and answers kept for idempotency keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.sessions.models import Session
from knox.models import AuthToken

from tasks_app.models import IdempotentRequest
from tasks_app.services.cleanup.runs import Run, delete_in_batches, run_exclusively
from tasks_app.services.idempotency import KEPT


def remove_expired_sessions(
    *, now: datetime, dry_run: bool = False, max_seconds: float | None = None
) -> dict[str, Any]:
    """Remove web sessions, API tokens and answers kept for idempotency keys that expired before `now`.

    Return how many of each, and the figures of the run.
    """

    def work(run: Run) -> dict[str, Any]:
        sessions = delete_in_batches(Session.objects.filter(expire_date__lt=now), run, order_by="expire_date")
        requests = IdempotentRequest.objects.filter(created_at__lt=now - KEPT)
        return {
            "sessions": sessions,
            "tokens": delete_in_batches(AuthToken.objects.filter(expiry__lt=now), run),
            "idempotency_keys": delete_in_batches(requests, run, order_by="created_at"),
        }

    return run_exclusively("expired_sessions", work, dry_run=dry_run, max_seconds=max_seconds)
