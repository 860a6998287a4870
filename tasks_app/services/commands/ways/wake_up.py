"""A link of a chain that sends no command: an SMS that makes a sleeping tracker connect, for the ways behind it.

Redis key, of tasks_app.utils.redis_client:
    <prefix>:woken:<device>    STRING   epoch seconds of the last SMS; kept until the next one may be sent
"""

from __future__ import annotations

import logging
import time
from typing import Any

from django.conf import settings

from tasks_app.ingest.trackers.base import InvalidCommand, OutgoingCommand
from tasks_app.ingest.trackers.registry import PROTOCOLS
from tasks_app.models import WAKE_UP, Command, CommandState, CommandWay, Device, DeviceAccess
from tasks_app.queries.commands import access_of
from tasks_app.queries.trackers import session_of
from tasks_app.services.audit import record, subject_of_row
from tasks_app.services.commands.attempts import NothingWritten
from tasks_app.services.commands.ways.sms import Message, password_of, redacted_number, send, without_password
from tasks_app.services.commands.ways.sms_texts import teltonika_sms
from tasks_app.utils.redis_client import redis_client

logger = logging.getLogger(__name__)

# How long a tracker that was sent an SMS is waited for before the chain goes on, and until it may be sent another one.
WAIT_SECONDS = 45
AGAIN_SECONDS = 600


class WakeUpWay:
    name = WAKE_UP
    answer_seconds = 60.0

    def types(self, device: Device) -> frozenset[str]:
        access = access_of(device)
        is_set = settings.SMS["URL"] and access.phone_number and _text_of(access.protocol)
        if not is_set or not {WAKE_UP, CommandWay.SESSION} <= set(access.ways) or access.protocol not in PROTOCOLS:
            return frozenset()
        return PROTOCOLS[access.protocol].command_types

    def check(self, device: Device, command: OutgoingCommand) -> None:
        """Refuse nothing: the ways behind this one express the command."""

    def can_take(self, device: Device, command: Command) -> bool:
        if session_of(device.unique_id) is not None:
            return False
        woken_at: Any = redis_client().get(_key(device.pk))
        return woken_at is None or time.time() < float(woken_at) + WAIT_SECONDS

    def hand_over(self, device: Device, command: Command) -> None:
        if redis_client().set(_key(device.pk), time.time(), ex=AGAIN_SECONDS, nx=True):
            _wake(device, command)
        # Meanwhile the command is nobody's: the tracker's connection has it sent.
        Command.objects.filter(pk=command.pk, state=CommandState.QUEUED).update(state_reason="waking")


def wake_up_text(access: DeviceAccess) -> str:
    """Return the text that makes this tracker connect, "" where the settings have none. Raises InvalidCommand."""
    text = _text_of(access.protocol)
    return teltonika_sms(text, password_of(access)) if text and access.protocol == "teltonika" else text


def _text_of(protocol: str) -> str:
    texts: dict[str, Any] = settings.SMS["WAKE_UP_TEXTS"]
    return str(texts.get(protocol, texts.get("*", "")))


def _wake(device: Device, command: Command) -> None:
    access = access_of(device)
    try:
        text = wake_up_text(access)
        send(access, Message(text, f"wake-up-{command.pk}", AGAIN_SECONDS))
    except (InvalidCommand, NothingWritten, OSError) as error:
        logger.warning("The SMS that wakes the tracker of device %d was not sent: %s", device.pk, error)
        return
    given = {"text": without_password(text, access), "address": redacted_number(access.phone_number)}
    record("wake_up_tracker", subject_of_row(command), user=command.requested_by, given=given)


def _key(device_pk: int) -> str:
    return f"{settings.CACHE_KEY_PREFIX}:woken:{device_pk}"
