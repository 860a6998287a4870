"""The way of commands to devices that ask by HTTP: in the answer to their positions, or at /ingest/commands.

A device proves by its key who it is: an identifier alone gets no command. That something waits for a device stands in Redis, so
that a device for which nothing waits costs no query; web processes look there once a second for the answers to positions.

Redis keys, of tasks_app.utils.redis_client:
    <prefix>:commands-to-fetch         ZSET     device's number -> epoch seconds until which a command waits for it
    <prefix>:commands-to-fetch:ids     HASH     device's number -> number of that command
    <prefix>:command-form:<device>     STRING   how the device fetches commands: json, osmand, owntracks; kept for a month
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any, Literal

import msgspec
from django.conf import settings
from django.utils.translation import gettext as _

from tasks_app.ingest.trackers.base import EncodedCommand, InvalidCommand, OutgoingCommand
from tasks_app.ingest.trackers.command_types import COMMAND_TYPES
from tasks_app.models import Command, CommandState, CommandWay, Device
from tasks_app.queries.commands import access_of
from tasks_app.services.commands.answers import record_answer
from tasks_app.services.commands.attempts import send_attempt
from tasks_app.services.commands.changes import send_soon
from tasks_app.utils.iso_times import iso_utc
from tasks_app.utils.redis_client import redis_client

Form = Literal["json", "osmand", "owntracks"]
FORM_KEPT_SECONDS = 30 * 24 * 3600
LOOK_SECONDS = 1.0

OWNTRACKS_TYPES = frozenset({"position_request", "position_interval", "status_request", "custom"})
_TYPES: dict[Form, frozenset[str]] = {
    "json": frozenset(COMMAND_TYPES),
    "osmand": frozenset({"custom"}),
    "owntracks": OWNTRACKS_TYPES,
}


class PollWay:
    name = CommandWay.POLL.value
    answer_seconds = 600.0

    def types(self, device: Device) -> frozenset[str]:
        if not device.ingest_key_hash:
            return frozenset()
        if (form := form_of(device.pk)) is not None:
            return _TYPES[form]
        # Its first request while a command waits says what it can be sent.
        return _TYPES["json"] if CommandWay.POLL in access_of(device).ways else frozenset()

    def check(self, device: Device, command: OutgoingCommand) -> None:
        if (form := form_of(device.pk)) is not None:
            encode(form, command, 0, command.now)

    def can_take(self, device: Device, command: Command) -> bool:
        return command.type in self.types(device)

    def hand_over(self, device: Device, command: Command) -> None:
        let_wait(device.pk, command.pk, until=command.expires_at)
        Command.objects.filter(pk=command.pk, state=CommandState.QUEUED).update(state_reason="to_fetch")


# --- Waiting ---


def let_wait(device_pk: int, command_pk: int, *, until: datetime) -> None:
    """Have the device's next request fetch this command, in place of one that waited for it."""
    pipeline = redis_client().pipeline(transaction=True)
    pipeline.zadd(_key("commands-to-fetch"), {str(device_pk): until.timestamp()})
    pipeline.hset(_key("commands-to-fetch:ids"), str(device_pk), command_pk)
    pipeline.zremrangebyscore(_key("commands-to-fetch"), "-inf", time.time())
    pipeline.execute()


def claim(device_pk: int) -> int | None:
    """Return the key of the command that waits for the device; of several requests at once, one gets it."""
    pipeline = redis_client().pipeline(transaction=True)
    pipeline.zrem(_key("commands-to-fetch"), str(device_pk))
    pipeline.hget(_key("commands-to-fetch:ids"), str(device_pk))
    pipeline.hdel(_key("commands-to-fetch:ids"), str(device_pk))
    removed, command_pk, _deleted = pipeline.execute()
    return int(command_pk) if removed and command_pk else None


class _Seen:
    """The devices for which commands wait, as this process last saw them."""

    def __init__(self) -> None:
        self._devices: frozenset[int] = frozenset()
        self._looked_at = -LOOK_SECONDS

    def holds(self, device_pk: int) -> bool:
        now = time.monotonic()
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            found: Any = redis_client().zrangebyscore(_key("commands-to-fetch"), time.time(), "+inf")
            self._devices = frozenset(map(int, found))
        return device_pk in self._devices


_seen = _Seen()


def may_wait(device_pk: int) -> bool:
    """Whether a command waited for the device within the last second. Costs next to nothing: it is asked at every message."""
    return _seen.holds(device_pk)


# --- Fetching ---


def fetch_command(device: Device, form: Form) -> bytes | None:
    """Take the command that waits for a device that proved who it is, for the answer to its request; None without one.

    It counts as sent when this returns it. A device that asks at /ingest/commands gets commands nowhere else. Where a form
    cannot express a command, the chain goes on to its next way.
    """
    known = form_of(device.pk)
    if form != "json" and known == "json":
        return None
    command_pk = claim(device.pk)
    if form != known:
        _note_form(device.pk, form)
    command = None if command_pk is None else Command.objects.filter(pk=command_pk, device_id=device.pk).first()
    if command is None:
        return None
    if command.type not in _TYPES[form]:
        send_soon(device.pk, f"not-{form}-{command.pk}")
        return None
    taken: list[bytes] = []

    def write(encoded: EncodedCommand, _expires_at: datetime) -> None:
        taken.append(encoded.data)

    outcome = send_attempt(
        command.pk,
        way=CommandWay.POLL.value,
        address=form,
        encode=lambda outgoing: encode(form, outgoing, command.pk, command.expires_at),
        write=write,
    )
    return taken[0] if outcome.result == "sent" else None


def acknowledge_fetched(device: Device, token: str, *, is_success: bool, text: str, now: datetime) -> str | None:
    """Record the outcome of a command that the device fetched; return the command's state, None without such a command."""
    fetched = Command.objects.filter(device_id=device.pk, attempts__way=CommandWay.POLL, attempts__token=token)
    if not token or not fetched.exists():
        return None
    record_answer(
        device_id=device.unique_id, protocol="http", text=text, token=token, is_success=is_success, received_at=now
    )
    return fetched.values_list("state", flat=True)[0]


def answer_position_request(device: Device, *, now: datetime) -> None:
    """Record that a phone with OwnTracks reported its place on request, if it was sent the request from here."""
    asked = Command.objects.filter(device_id=device.pk, type="position_request", state=CommandState.SENT)
    if asked.filter(attempts__way=CommandWay.POLL).exists():
        text = _("Position reported.")
        record_answer(device_id=device.unique_id, protocol="owntracks", text=text, is_success=True, received_at=now)


def form_of(device_pk: int) -> Form | None:
    """Return how the device fetches commands, None where it never asked while one waited."""
    known: Any = redis_client().get(_key(f"command-form:{device_pk}"))
    return known.decode() if known else None


def _note_form(device_pk: int, form: Form) -> None:
    redis_client().set(_key(f"command-form:{device_pk}"), form, ex=FORM_KEPT_SECONDS)


def encode(form: Form, outgoing: OutgoingCommand, command_pk: int, expires_at: datetime) -> EncodedCommand:
    """Return a command in the device's form. Raises InvalidCommand."""
    if form == "osmand":
        text = str(outgoing.parameters["text"])
        return EncodedCommand(text.encode(), text)
    if form == "owntracks":
        data = msgspec.json.encode(_owntracks(outgoing))
        return EncodedCommand(data, data.decode())
    token = f"{command_pk}-{outgoing.number}"
    body = {
        "id": token,
        "type": outgoing.type,
        "parameters": outgoing.parameters,
        "expires_at": iso_utc(expires_at),
    }
    data = msgspec.json.encode(body)
    return EncodedCommand(data, data.decode(), token=token)


def _owntracks(outgoing: OutgoingCommand) -> dict[str, Any]:
    """Return a message of type cmd, as owntracks.org/booklet/tech/json has them."""
    if outgoing.type == "position_request":
        return {"_type": "cmd", "action": "reportLocation"}
    if outgoing.type == "status_request":
        return {"_type": "cmd", "action": "status"}
    if outgoing.type == "position_interval":
        seconds = outgoing.parameters["interval_seconds"]
        # Of the modes in which the app reports by time; which one is on is its owner's business.
        configuration = {"_type": "configuration", "locatorInterval": seconds, "moveModeLocatorInterval": seconds}
        return {"_type": "cmd", "action": "setConfiguration", "configuration": configuration}
    return {**_action(outgoing.parameters["text"]), "_type": "cmd"}


def _action(text: str) -> dict[str, Any]:
    """Return a custom text as the message it is. Raises InvalidCommand."""
    try:
        message = msgspec.json.decode(text)
    except msgspec.MsgspecError:
        message = None
    if not isinstance(message, dict) or not isinstance(message.get("action"), str):
        sentence = _('A text for OwnTracks is a JSON object with an action, such as {"action": "dump"}.')
        raise InvalidCommand(sentence, "text")
    return message


def _key(name: str) -> str:
    return f"{settings.CACHE_KEY_PREFIX}:{name}"
