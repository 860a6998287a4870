"""The id of a request: as its sender gave it, or made here. It goes into log lines, jobs that the request makes, and theirs."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar

HEADER = "X-Request-ID"
_FIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")

current_request: ContextVar[str] = ContextVar("current_request", default="")


def request_id_of(given: str | None) -> str:
    """Return the given id where it is one of 1 to 64 letters, digits and . _ : -, else a new one."""
    return given if given and _FIT.fullmatch(given) else uuid.uuid4().hex


# What else every log line says; each is asked for fields.
log_fields: list[Callable[[], Mapping[str, str]]] = []


def fields_of_log_line() -> dict[str, str]:
    """Return the fields of a log line that is written now: of its request, and of its job."""
    request_id = current_request.get()
    found = {"request_id": request_id} if request_id else {}
    for fields in log_fields:
        found |= fields()
    return found
