"""Receipts of SMS: what the provider says of a message that carried a command, found by the reference that it was sent with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings

from tasks_app.models import Command, CommandAttempt, CommandState, CommandWay
from tasks_app.services.audit import record, subject_of_row
from tasks_app.services.commands.changes import change_state, reason
from tasks_app.services.transactions import run_in_transaction

# Infobip and others put the reports of several messages into one list.
LISTS = ("results", "reports", "messages")
MAX_REPORTS = 1000
MAX_WORD_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Receipt:
    """A message's reference, and whether it arrived; `word` is the provider's own."""

    reference: str
    is_delivered: bool
    word: str


def read_receipts(reports: Sequence[Any]) -> list[Receipt]:
    """Return the final ones among reports of a provider; those of states on the way, and what is none, are left out."""
    return [receipt for one in _single(reports) if (receipt := _receipt(one)) is not None]


def _single(reports: Sequence[Any]) -> Iterable[Any]:
    single: list[Any] = []
    for one in reports:
        found = (
            next((one[name] for name in LISTS if isinstance(one.get(name), list)), None) if _is_object(one) else None
        )
        single += [one] if found is None else found
    return single[:MAX_REPORTS]


def _receipt(report: Any) -> Receipt | None:
    reference = _member(report, settings.SMS["RECEIPT_REFERENCE"])
    word = _member(report, settings.SMS["RECEIPT_STATUS"])
    is_delivered = word.lower() in settings.SMS["RECEIPT_DELIVERED"]
    if not reference or not (is_delivered or word.lower() in settings.SMS["RECEIPT_UNDELIVERED"]):
        return None
    return Receipt(reference, is_delivered, word)


def _member(report: Any, path: str) -> str:
    """Return the text or number at a path of names with dots between them, "" where there is none."""
    for name in path.split("."):
        report = report.get(name) if _is_object(report) else None
    is_one = isinstance(report, str | int) and not isinstance(report, bool)
    text = str(report).strip() if is_one else ""
    return text if len(text) <= MAX_WORD_CHARACTERS and text.isprintable() else ""


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def record_receipts(receipts: Sequence[Receipt], *, now: datetime) -> int:
    """Record receipts; return how many changed a command. Doing it twice changes nothing more."""
    return sum(run_in_transaction(partial(_record, receipt, now)) for receipt in receipts)


def _record(receipt: Receipt, now: datetime) -> bool:
    """Acknowledge a command whose message arrived: that it was carried out, nobody said. Fail one whose message will not."""
    attempts = CommandAttempt.objects.filter(way=CommandWay.SMS, token=receipt.reference)
    attempt = attempts.order_by("-pk").first()
    if attempt is None:
        return False
    command = Command.objects.select_for_update(of=("self",)).select_related("device").get(pk=attempt.command_id)
    is_newest = not command.attempts.filter(number__gt=attempt.number).exists()
    if command.state not in (CommandState.SENT, CommandState.UNCONFIRMED) or not is_newest or attempt.answered_at:
        return False
    attempt.answered_at, attempt.answer = now, receipt.word
    attempt.save(update_fields=["answered_at", "answer"])
    if receipt.is_delivered:
        command.acknowledged_at = now
        change_state(command, CommandState.ACKNOWLEDGED, "delivered", now=now)
    else:
        change_state(command, CommandState.FAILED, reason("not_delivered", receipt.word), now=now)
    record("answer_command", subject_of_row(command), given={"receipt": receipt.word, "reference": receipt.reference})
    return True
