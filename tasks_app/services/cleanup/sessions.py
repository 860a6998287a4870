"""Log-ins that are over: web sessions and API tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.sessions.models import Session
from knox.models import AuthToken

from tasks_app.services.cleanup.runs import delete_in_batches, run_exclusively


def remove_expired_sessions(*, now: datetime, dry_run: bool = False) -> dict[str, Any]:
    """Remove web sessions and API tokens that expired before `now`. Returns sessions, tokens, rows (their sum), seconds."""

    def work() -> dict[str, Any]:
        sessions = delete_in_batches(
            Session.objects.filter(expire_date__lt=now), order_by="expire_date", dry_run=dry_run
        )
        tokens = delete_in_batches(AuthToken.objects.filter(expiry__lt=now), dry_run=dry_run)
        return {"dry_run": dry_run, "sessions": sessions, "tokens": tokens, "rows": sessions + tokens}

    return run_exclusively("expired_sessions", work)
