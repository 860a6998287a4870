"""Carrying out a bulk action: its jobs are looked for once, then changed chunk by chunk, each stored before the next."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from tasks_app.engine import EngineError, PermanentError, current_job, get_task
from tasks_app.models import BulkAction, JobAction
from tasks_app.queries.access import SHELL
from tasks_app.queries.task_rights import check_may_start
from tasks_app.services.exclusive_locks import exclusive_lock
from tasks_app.services.jobs.bulk.selecting import matching_ids, read_filters
from tasks_app.services.jobs.bulk.steps import Chunk, change_chunk

# Cancellation of the action is noticed after each.
CHUNK_JOBS = 50
# Who has more asks again.
MAX_SELECTED = 200_000
# Of the jobs that were skipped for one reason, so many are named.
NAMED_SKIPPED = 20
_ID_BYTES = 16


class BulkActionBusy(EngineError):
    """Another job carries out this bulk action."""

    code = "bulk_action_busy"


def run_bulk_action(*, action_id: str) -> dict[str, Any]:
    """Change the jobs of an action that were not changed before, as the person who asked for this job; return what became of
    all. That is not the one who asked for the action where someone else retries its job: nobody borrows another one's rights.

    Raises PermanentError, TaskNotPermitted, JobCancelled, BulkActionBusy; QueueFull and QueueUnavailable, after which it can
    be tried again.
    """
    with exclusive_lock(f"bulk_action.{action_id}") as check_lock:
        if check_lock is None:
            raise BulkActionBusy(BulkActionBusy.__doc__)
        action = BulkAction.objects.filter(pk=action_id).select_related("user").first()
        if action is None:
            raise PermanentError(_("What it was about is not kept any more."))
        user = _person(action)
        check_may_start(user, get_task("change_jobs"), (), {"action_id": action_id})
        # A worker that died may have changed jobs of the chunk that comes next.
        is_resumed = current_job().attempt > 1 or current_job().id != action.pk
        if action.job_ids is None:
            _select(action, user)
        while action.done_count < action.total_count:
            current_job().raise_if_cancelled()
            check_lock()
            _change_next(action, user, is_resumed=is_resumed)
            is_resumed = False
            current_job().progress(action.done_count, action.total_count)
        BulkAction.objects.filter(pk=action.pk).update(job_ids=b"")
    return outcome(action)


def outcome(action: BulkAction) -> dict[str, Any]:
    """Result of an action so far."""
    return {
        "verb": action.verb,
        "total": action.total_count,
        "changed": action.changed_count,
        "skipped": {code: each["count"] for code, each in action.skipped.items()},
        "skipped_ids": {code: each["ids"] for code, each in action.skipped.items()},
        "more": action.has_more,
    }


def _person(action: BulkAction) -> Any:
    """Return the user who asked for the current job; the shell for one of its own, and for one that it retried."""
    user_id = current_job().requested_by_id
    user = User.objects.filter(pk=user_id).first() if user_id else action.user
    if user is None and not (action.is_of_shell and user_id is None):
        raise PermanentError(_("The account of the person who asked for it was removed."))
    return user or SHELL


def _select(action: BulkAction, user: Any) -> None:
    """Look for the jobs that match, and keep their ids: from then on the action is about exactly those."""
    own = {action.pk, current_job().id}
    found: dict[UUID, None] = {}
    for ids in matching_ids(user=user, filters=read_filters(action.filters or {}), verb=action.verb):
        current_job().raise_if_cancelled()
        found |= dict.fromkeys(one for one in ids if one not in own)
        current_job().progress(len(found), None, _("Looking for the jobs"))
        if len(found) > MAX_SELECTED:
            action.has_more = True
            break
    chosen = list(found)[:MAX_SELECTED]
    action.job_ids, action.total_count = b"".join(one.bytes for one in chosen), len(chosen)
    action.save(update_fields=["job_ids", "total_count", "has_more"])


def _change_next(action: BulkAction, user: Any, *, is_resumed: bool) -> None:
    """Change the jobs of the next chunk and store what became of them. Raises QueueFull, QueueUnavailable, RedisError."""
    assert action.job_ids is not None
    packed, first = bytes(action.job_ids), action.done_count
    places = range(first, min(first + CHUNK_JOBS, action.total_count))
    ids = [UUID(bytes=packed[place * _ID_BYTES : (place + 1) * _ID_BYTES]) for place in places]
    chunk = change_chunk(action, ids, user, is_resumed=is_resumed)
    _count(action, chunk)
    with transaction.atomic():
        JobAction.objects.bulk_create(chunk.audit)
        action.save(update_fields=["done_count", "changed_count", "skipped"])
    if chunk.error:
        raise chunk.error


def _count(action: BulkAction, chunk: Chunk) -> None:
    action.done_count += chunk.done
    action.changed_count += chunk.changed
    for code, job_id in chunk.skipped:
        each = action.skipped.setdefault(code, {"count": 0, "ids": []})
        each["count"] += 1
        if len(each["ids"]) < NAMED_SKIPPED:
            each["ids"].append(str(job_id))
