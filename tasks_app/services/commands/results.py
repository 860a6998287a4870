"""Results of commands among stored events: a Traccar server forwards them, and devices send them with their positions."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial

from django.db import transaction
from django.utils import timezone

from tasks_app.engine import EngineError, get_task
from tasks_app.models import CommandAttempt, Event, EventKind
from tasks_app.services.commands.deciding import LATE

logger = logging.getLogger(__name__)

# In events that commands themselves make: of their end, of an answer to none of them, of what a rule was refused.
_OWN = ("command_id", "protocol", "rule")


def match_results(events: Iterable[Event]) -> None:
    """Have each result among new events that may be the answer to a command matched after the commit.

    A batch without results costs no query.
    """
    results = [event for event in events if event.kind == EventKind.COMMAND_RESULT and not _is_own(event)]
    if not results:
        return
    recent = CommandAttempt.objects.filter(
        command__device__in={event.device_id for event in results}, started_at__gt=timezone.now() - LATE
    )
    asked = dict(recent.values_list("command__device_id", "command__device__unique_id"))
    for event in results:
        if event.device_id in asked:
            transaction.on_commit(partial(_enqueue, asked[event.device_id], event), robust=True)


def _is_own(event: Event) -> bool:
    return any(name in event.data for name in _OWN)


def _enqueue(unique_id: str, event: Event) -> None:
    arguments = (unique_id, "", event.data["result"], "", "", None, event.occurred_at.isoformat())
    try:
        get_task("record_command_answer").apply_async(arguments, unique_key=f"result:{event.pk}", priority="high")
    except EngineError as error:
        logger.warning("The result of event %d was matched with no command: %s", event.pk, error)
