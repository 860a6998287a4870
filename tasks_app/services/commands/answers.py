"""Answers of devices: each goes to the attempt it belongs to, or stays an event of its own."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tasks_app.models import Command, CommandAttempt, CommandState, Device, DeviceState, Event, EventKind
from tasks_app.models.commands import MAX_ANSWER_CHARACTERS
from tasks_app.queries.commands import access_of, reports_effect
from tasks_app.services.audit import record, subject_of_row
from tasks_app.services.commands.changes import OUTSTANDING, change_state, event_data
from tasks_app.services.commands.deciding import LATE, Asked, answer_meaning, matching_attempt, shows_effect
from tasks_app.services.commands.set_up import without_own_password
from tasks_app.services.events import complete_episodes, record_events
from tasks_app.services.transactions import run_in_transaction

# An answer of before the attempt is none to it, such as a tracker kept while it was out of reach. Its clock may be behind.
MAX_CLOCK_BEHIND = timedelta(seconds=60)

_STATES = {"done": CommandState.DONE, "failed": CommandState.FAILED, "acknowledged": CommandState.ACKNOWLEDGED}
_REASONS = {"done": "answered", "failed": "refused_by_device", "acknowledged": ""}


def record_answer(
    *,
    device_id: str,
    protocol: str,
    text: str,
    token: str = "",
    name: str = "",
    is_success: bool | None = None,
    received_at: datetime,
) -> dict[str, Any]:
    """Give an answer to the command it belongs to; `device_id` is the unique id. Doing it twice counts once.

    Without a protocol the answer is a stored event already, to which the command's end is added: it makes no other one.

    Returns {"command": its key, "state": ...}; {"command": key, "duplicate": true} for an answer that came before, and
    {"command": None} for one that belongs to none and is an event now, or to no device.
    """
    device = Device.objects.select_related("access").filter(unique_id=device_id).first()
    if device is None:
        return {"command": None}
    # A stored event is found by its text.
    text = (without_own_password(text, access_of(device)) if protocol else text)[:MAX_ANSWER_CHARACTERS]
    return run_in_transaction(lambda: _record(device, protocol, text, token, name, is_success, received_at))


def _record(
    device: Device, protocol: str, text: str, token: str, name: str, is_success: bool | None, received_at: datetime
) -> dict[str, Any]:
    # Locked before it is looked at: an answer may be quicker than the transaction that notes the sending.
    recent = CommandAttempt.objects.filter(command__device=device, started_at__gt=received_at - LATE)
    rows = Command.objects.filter(pk__in=recent.values("command")).order_by("pk")
    commands = {one.pk: one for one in rows.select_for_update(of=("self",)).select_related("device")}
    made_before = recent.filter(command__in=commands, started_at__lte=received_at + MAX_CLOCK_BEHIND)
    attempts = list(made_before.order_by("-pk"))
    match = matching_attempt(
        [_asked(one, commands[one.command_id]) for one in attempts], token=token, name=name, text=text
    )
    if match.pk is None:
        if protocol:
            _record_unmatched(device, protocol, text, received_at)
        return {"command": None}
    attempt = next(one for one in attempts if one.pk == match.pk)
    command = commands[attempt.command_id]
    if match.is_duplicate:
        return {"command": command.pk, "duplicate": True}
    attempt.answered_at, attempt.answer = received_at, text
    attempt.save(update_fields=["answered_at", "answer"])
    _take_answer(command, text, is_success, received_at, has_event=not protocol)
    if not protocol:
        _complete_event(command, text, received_at)
    given = {"text": text, "token": token, "name": name, "is_success": is_success, "protocol": protocol}
    record("answer_command", subject_of_row(command), given=given)
    return {"command": command.pk, "state": str(command.state)}


def _asked(attempt: CommandAttempt, command: Command) -> Asked:
    is_unanswered = attempt.answered_at is None
    return Asked(
        attempt.pk,
        attempt.token,
        attempt.name,
        is_open=is_unanswered and command.state in OUTSTANDING,
        is_late=is_unanswered and command.state == CommandState.UNCONFIRMED,
        answer=attempt.answer,
    )


def _take_answer(command: Command, text: str, is_success: bool | None, at: datetime, *, has_event: bool) -> None:
    command.answer, command.acknowledged_at = text, at
    meaning = answer_meaning(
        command.type, is_success=is_success, reports_effect=reports_effect(command.device_id, command.type)
    )
    if meaning == "acknowledged" and is_effect_seen(command):
        change_state(command, CommandState.DONE, "effect_seen", now=at)
        return
    change_state(command, _STATES[meaning], _REASONS[meaning], now=at, has_event=has_event)


def _complete_event(command: Command, text: str, occurred_at: datetime) -> None:
    """Add the command to the stored event of its answer."""
    stored = Event.objects.filter(device_id=command.device_id, kind=EventKind.COMMAND_RESULT, occurred_at=occurred_at)
    for pk in stored.filter(data__result=text).values_list("pk", flat=True):
        complete_episodes([(pk, event_data(command))])


def is_effect_seen(command: Command) -> bool:
    """Return whether the device's newest fix shows what the command brings about."""
    state = DeviceState.objects.filter(pk=command.device_id).values("attributes", "fix_time").first()
    return state is not None and shows_effect(command.type, **state, sent_at=command.sent_at)


def _record_unmatched(device: Device, protocol: str, text: str, received_at: datetime) -> None:
    """Record the event of an answer to nothing that is known, unless it was recorded before."""
    data = {"result": text, "protocol": protocol}
    known = Event.objects.filter(device=device, kind=EventKind.COMMAND_RESULT, occurred_at=received_at)
    if not known.filter(data__result=text).exists():
        record_events([Event(device=device, kind=EventKind.COMMAND_RESULT, occurred_at=received_at, data=data)])
