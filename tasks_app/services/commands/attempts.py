"""One attempt to send a command: noted before the bytes are written, checked once more directly before that.

The row of the attempt commits first. Then the command's row is locked again, everything is checked, the bytes are written
while the lock is held, and the end of the transaction notes that. A sender that dies in between leaves an attempt without
`sent_at` and `error`: the sweep finds it (`sweeping`), and nobody claims to know whether the device got it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.db import DatabaseError, IntegrityError, InterfaceError, connection, transaction
from django.utils import timezone

from tasks_app.ingest.trackers.base import EncodedCommand, InvalidCommand, OutgoingCommand
from tasks_app.models import Command, CommandAttempt, CommandState
from tasks_app.queries.access import has_right
from tasks_app.queries.commands import rights_to_send, types_of, ways_of
from tasks_app.services.audit import record, subject_of_row
from tasks_app.services.commands.changes import OUTSTANDING, change_state, reason, send_soon
from tasks_app.services.commands.checking import unsafe
from tasks_app.services.commands.deciding import LATE, Written, after_attempt
from tasks_app.services.transactions import run_in_transaction

logger = logging.getLogger(__name__)

# Numbers of attempts fit four hexadecimal digits. 0 and FFFF mean no number to some trackers.
_NUMBERS = 0xFFFE
# A token that holds a time of day, as that of H02, is another one a second later; one that holds the number with another one.
_MAX_TOKEN_STEPS, _NUMBER_STEP = 120, 257
# How long the database may be away until it is given up to note that bytes were written.
NOTE_SECONDS = 30.0

NOT_ENCODABLE = "not_encodable"
# Codes of errors of attempts whose bytes may have left.
MAYBE_WRITTEN = frozenset({"unknown", "sender_lost"})

Clock = Callable[[], datetime]
Encode = Callable[[OutgoingCommand], EncodedCommand]
# Writes the bytes, unless the time given has come; returns what the answer will bear, where only sending says so, else None.
Write = Callable[[EncodedCommand, datetime], str | None]


class NothingWritten(Exception):
    """Not one byte of the command has left; it may be sent again."""


@dataclass(frozen=True, slots=True)
class SendOutcome:
    """The end of an attempt.

    sent: the bytes left. again: nothing left, and it is tried again later. unknown: nobody knows. ended: the command ended
    instead (expired, unsafe, not encodable). busy: it is not this command's turn, or not this process's.
    """

    result: Literal["sent", "again", "unknown", "ended", "busy"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Prepared:
    attempt_pk: int
    encoded: EncodedCommand


def send_attempt(
    command_pk: int, *, way: str, address: str, encode: Encode, write: Write, now: Clock = timezone.now
) -> SendOutcome:
    """Send a queued command by `write`, at most once, never after its expiry and never against the rules of safety.

    `encode` raises InvalidCommand. `write` gets what `encode` returned and the expiry, to be compared with the clock directly
    before the bytes go; it raises NothingWritten where none went, and after any other error nobody knows. Call it outside of
    a transaction. Raises DatabaseError before anything is written, nothing afterwards.
    """
    try:
        prepared = run_in_transaction(lambda: _prepare(command_pk, way, address, encode, now))
    except IntegrityError as error:
        if "one_outstanding_command_per_device" not in str(error):
            raise
        return SendOutcome("busy", "busy")
    if isinstance(prepared, SendOutcome):
        return prepared
    written: list[datetime] = []
    try:
        with transaction.atomic():
            return _write(command_pk, prepared, write, now, written)
    except (DatabaseError, InterfaceError) as error:
        if not written:
            raise
        logger.warning("Command %d was written, and the database did not take note: %s", command_pk, error)
        return _note_again(command_pk, prepared, written[0])


def _prepare(command_pk: int, way: str, address: str, encode: Encode, now: Clock) -> _Prepared | SendOutcome:
    command = _locked(command_pk)
    at = _latest_clock(now)
    if command is None or not _is_its_turn(command, way, at):
        return SendOutcome("busy", "busy")
    if stop := _ended_before(command, at):
        return stop
    attempt = CommandAttempt.objects.create(
        command=command, number=command.attempts.count() + 1, way=way, address=address[:320], data=b"", started_at=at
    )
    try:
        encoded = _encoded(command, attempt, encode, at)
    except InvalidCommand as error:
        attempt.error = reason(NOT_ENCODABLE, error)
        attempt.save(update_fields=["error"])
        return _not_encodable(command, attempt, at)
    attempt.token, attempt.name = encoded.token[:64], encoded.name[:64]
    attempt.data, attempt.text = encoded.kept_data, encoded.kept_text[:1000]
    attempt.save()
    change_state(command, CommandState.SENDING, now=at)
    return _Prepared(attempt.pk, encoded)


def _not_encodable(command: Command, attempt: CommandAttempt, at: datetime) -> SendOutcome:
    """Leave a command that this way cannot express to the next one of its device's chain; without one it has failed."""
    tried = ways_that_refused(command)
    others = [] if command.way else [way for way in ways_of(command.device) if way not in tried]
    if any(command.type in types_of(command.device, way) for way in others):
        send_soon(command.device_id, f"again-{command.pk}-{attempt.number}", at=at)
        return SendOutcome("again", attempt.error)
    change_state(command, CommandState.FAILED, attempt.error, now=at)
    return SendOutcome("ended", attempt.error)


def ways_that_refused(command: Command) -> set[str]:
    """Return the ways that were found unable to express this command."""
    return set(command.attempts.filter(error__startswith=NOT_ENCODABLE).values_list("way", flat=True))


def _write(command_pk: int, prepared: _Prepared, write: Write, now: Clock, written: list[datetime]) -> SendOutcome:
    command = _locked(command_pk)
    attempt = CommandAttempt.objects.filter(command_id=command_pk).order_by("-number").first()
    if command is None or attempt is None or not _is_held(command, attempt, prepared):
        return SendOutcome("busy", "busy")
    # Once by both clocks, and once by this process's own directly before: the first question may have taken its time.
    stop = _ended_before(command, _latest_clock(now)) or _expired(command, now())
    if stop is not None:
        attempt.error = stop.reason
        attempt.save(update_fields=["error"])
        return stop
    try:
        token = write(prepared.encoded, command.expires_at)
    except NothingWritten as error:
        return _failed(command, attempt, "nothing", str(error), now())
    except Exception as error:
        logger.exception("Nobody knows whether command %d was written", command_pk)
        return _failed(command, attempt, "unknown", f"{type(error).__name__}: {error}", now())
    written.append(now())
    if token:
        attempt.token = token[:64]
    _note_sent(command, attempt, written[0])
    return SendOutcome("sent")


def _note_sent(command: Command, attempt: CommandAttempt, at: datetime) -> None:
    attempt.sent_at = command.sent_at = at
    attempt.save()
    change_state(command, CommandState.SENT, now=at)
    given = {
        "way": attempt.way, "address": attempt.address, "text": attempt.text, "bytes": bytes(attempt.data).hex(" "),
    }  # fmt: skip
    record("send_command", subject_of_row(command), user=command.requested_by, reason=command.reason, given=given)


def _failed(command: Command, attempt: CommandAttempt, written: Written, detail: str, at: datetime) -> SendOutcome:
    """Note an attempt that did not succeed, and what becomes of its command."""
    attempt.error = reason("not_written" if written == "nothing" else "unknown", detail)
    attempt.save(update_fields=["error"])
    return end_attempt(command, written, attempt.error, at)


def end_attempt(command: Command, written: Written, why: str, at: datetime) -> SendOutcome:
    """Give a locked command the state that follows from its last attempt, which did not succeed."""
    attempts = list(command.attempts.values_list("error", "sent_at"))
    reached = sum(1 for error, sent_at in attempts if sent_at is not None or error.partition(": ")[0] in MAYBE_WRITTEN)
    following = after_attempt(command.type, written=written, attempts=len(attempts), written_attempts=reached)
    if following.state == "queued":
        command.next_attempt_at = at + timedelta(seconds=following.delay_seconds)
        change_state(command, CommandState.QUEUED, why, now=at)
        send_soon(command.device_id, f"again-{command.pk}-{len(attempts)}", at=command.next_attempt_at)
        return SendOutcome("again" if written == "nothing" else "unknown", why)
    if following.state == "failed":
        why = "too_many_attempts"
    change_state(command, CommandState(following.state), why, now=at)
    return SendOutcome("unknown" if following.state == "unconfirmed" else "ended", why)


def _note_again(command_pk: int, prepared: _Prepared, written_at: datetime) -> SendOutcome:
    """Note what was written, once the database is back. After NOTE_SECONDS the sweep says that nobody knows."""
    until = time.monotonic() + NOTE_SECONDS
    while True:
        try:
            connection.close()
            with transaction.atomic():
                command = _locked(command_pk)
                attempt = CommandAttempt.objects.filter(pk=prepared.attempt_pk).first()
                if command is None or attempt is None or not _is_held(command, attempt, prepared):
                    return SendOutcome("unknown", "unknown")
                _note_sent(command, attempt, written_at)
                return SendOutcome("sent")
        except (DatabaseError, InterfaceError) as error:
            if time.monotonic() > until:
                logger.error("Command %d was written, and the database never took note: %s", command_pk, error)
                return SendOutcome("unknown", "unknown")
        time.sleep(0.5)


def _locked(command_pk: int) -> Command | None:
    rows = Command.objects.select_for_update(of=("self",)).select_related("device__fleet", "requested_by")
    return rows.filter(pk=command_pk).first()


def _latest_clock(now: Clock) -> datetime:
    """The later of this machine's clock and the database's: a clock that is behind keeps nothing alive."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return max(now(), cursor.fetchone()[0])


def _is_its_turn(command: Command, way: str, at: datetime) -> bool:
    """Whether the command is queued and due, for this way, and no other one of its device is outstanding."""
    is_due = all(time is None or time <= at for time in (command.not_before, command.next_attempt_at))
    if command.state != CommandState.QUEUED or not is_due or command.way not in ("", way):
        return False
    return not Command.objects.filter(device_id=command.device_id, state__in=OUTSTANDING).exists()


def _is_held(command: Command, attempt: CommandAttempt, prepared: _Prepared) -> bool:
    """Whether this attempt is still the command's: else the sweep took its sender for dead meanwhile."""
    return command.state == CommandState.SENDING and attempt.pk == prepared.attempt_pk and not attempt.error


def _ended_before(command: Command, at: datetime) -> SendOutcome | None:
    """End a command that must not be sent any more; None where it may."""
    if (expired := _expired(command, at)) is not None:
        return expired
    if not command.device.is_active:
        state, why = CommandState.FAILED, "device_inactive"
    elif not _may_still_send(command):
        state, why = CommandState.FAILED, "right_lost"
    elif why := unsafe(command.type, command.device, is_override=command.is_override, now=at):
        state = CommandState.FAILED
    else:
        return None
    change_state(command, state, why, now=at)
    return SendOutcome("ended", why)


def _may_still_send(command: Command) -> bool:
    """Whether the person who asked for it has the rights to send it now: it may have waited for days."""
    user = command.requested_by
    if user is None:
        return True
    return all(has_right(user, command.device.fleet, one) for one in rights_to_send(command.type))


def _expired(command: Command, at: datetime) -> SendOutcome | None:
    if at < command.expires_at:
        return None
    change_state(command, CommandState.EXPIRED, "expired", now=at)
    return SendOutcome("ended", "expired")


def _encoded(command: Command, attempt: CommandAttempt, encode: Encode, at: datetime) -> EncodedCommand:
    """The bytes of an attempt, with a token that no other one of the device had lately. Raises InvalidCommand.

    A text may bear a token of its own, which is the same at every step: it is sent as it is, however often.
    """
    lately = CommandAttempt.objects.filter(command__device_id=command.device_id, started_at__gt=at - LATE)
    taken = set(lately.exclude(pk=attempt.pk).exclude(token="").values_list("token", flat=True))
    before: str | None = None
    for step in range(_MAX_TOKEN_STEPS):
        number = (attempt.pk - 1 + step * _NUMBER_STEP) % _NUMBERS + 1
        encoded = encode(OutgoingCommand(command.type, command.parameters, number, at + timedelta(seconds=step)))
        if not encoded.token or encoded.token not in taken or encoded.token == before:
            return encoded
        before = encoded.token
    raise InvalidCommand("No token is left for it.")
