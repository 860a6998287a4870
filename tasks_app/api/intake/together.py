"""Ordinary messages of many devices, taken in together: one query, one round trip for the limits, one for the buffer.

Whatever is not ordinary is left to the view of its address, which says what is wrong with it: so far nothing has come of
it, but that its device's limit may have counted it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from tasks_app.api.errors import DATABASE_DOWN, json_problem, problem_of
from tasks_app.api.ingest_limits import count_together
from tasks_app.api.intake.ordinary import Ordinary
from tasks_app.api.intake.osmand import ordinary_osmand
from tasks_app.api.intake.owntracks import ordinary_owntracks
from tasks_app.api.intake.positions import ordinary_positions
from tasks_app.api.intake.senders import sent_key
from tasks_app.ingest.errors import BodyError
from tasks_app.models import Device, FixSource
from tasks_app.queries.senders import devices_of_keys
from tasks_app.services.intake import add_to_buffer
from tasks_app.services.positions import count_received

logger = logging.getLogger(__name__)

# Reads the message of this device; None for one that is not ordinary, of which an error says the same.
Reader = Callable[[Request, Device, datetime], Ordinary | None]

# Addresses as in `urls`, with their methods.
_WAYS: list[tuple[re.Pattern[str], set[str], Reader, FixSource]] = [
    (re.compile(r"/ingest/osmand(?:/([^/]+))?/?"), {"GET", "POST"}, ordinary_osmand, FixSource.OSMAND),
    (re.compile(r"/ingest/owntracks()/?"), {"POST"}, ordinary_owntracks, FixSource.OWNTRACKS),
    (re.compile(r"/ingest/positions()"), {"POST"}, ordinary_positions, FixSource.POSITIONS),
]


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request to an address of devices, with a key."""

    request: Request
    reader: Reader
    key: str
    source: FixSource


def take_in_together(requests: Sequence[HttpRequest]) -> list[HttpResponse | None]:
    """Take in the ordinary messages among these requests; return the answer to each, None for one left to its view.

    The fixes of a request answered 2xx are in the buffer; while the database is away all are answered 503. Raises errors of
    Redis, BufferFull: then all are left to their views, of which some may have been added already. The pipeline stores a fix
    once.
    """
    now = timezone.now()
    sent = {place: one for place, request in enumerate(requests) if (one := _sent(request))}
    try:
        devices = devices_of_keys({one.key for one in sent.values()})
    except DATABASE_DOWN as error:
        # Each view would ask for the key as well, and wait as long for a database that hangs.
        return [_unavailable(error) if place in sent else None for place in range(len(requests))]
    read = {
        place: (device, message)
        for place, one in sent.items()
        if (device := devices.get(one.key)) and device.is_active and (message := _read(one, device, now))
    }
    within = count_together([(device, len(message.fixes)) for device, message in read.values()])
    messages = {place: read[place][1] for place, is_within in zip(read, within, strict=True) if is_within}
    if messages:
        add_to_buffer([fix for message in messages.values() for fix in message.fixes], received_at=now)
        for place, message in messages.items():
            count_received(sent[place].source, len(message.fixes))
    return [messages[place].answer if place in messages else None for place in range(len(requests))]


def _unavailable(error: Exception) -> HttpResponse | None:
    problem = problem_of(error)
    return None if problem is None else json_problem(problem)


def _sent(request: HttpRequest) -> _Sent | None:
    for pattern, methods, reader, source in _WAYS:
        if request.method in methods and (found := pattern.fullmatch(request.path_info)):
            wrapped = Request(request)
            key = sent_key(wrapped, found[1] or "")
            return _Sent(wrapped, reader, key, source) if key else None
    return None


def _read(sent: _Sent, device: Device, now: datetime) -> Ordinary | None:
    try:
        message = sent.reader(sent.request, device, now)
    except (APIException, BodyError, SuspiciousOperation) as error:
        logger.debug("A message of device %s is no ordinary one: %s", device.pk, error)
        return None
    return message if message and message.fixes and not any(fix.unknown for fix in message.fixes) else None
