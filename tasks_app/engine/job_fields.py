"""Reading fields of a job's hash. A damaged field reads as a missing one: one job must not hide the others."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from tasks_app.engine.keys import PRIORITIES
from tasks_app.engine.records import from_ms
from tasks_app.engine.states import JobState
from tasks_app.engine.storable import storable_value

_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_JOB_ID = re.compile(_ID)
_JOB_IDS = re.compile(f"(?:{_ID},)*{_ID}")


def read_hash(answer: Any) -> dict[str, bytes]:
    """Read the answer to HGETALL; no fields for anything else (a key of another type, an error of a pipeline)."""
    return {read_text(name): value for name, value in answer.items()} if isinstance(answer, dict) else {}


def read_text(raw: bytes | None) -> str:
    """Decode a field, escaping bytes that are not UTF-8."""
    return (raw or b"").decode("utf-8", "backslashreplace")


def read_number(raw: Any) -> int:
    """Read a whole number that is not negative and fits into 63 bits; 0 for anything else."""
    try:
        return max(0, min(int(raw or 0), 2**63 - 1))
    except (TypeError, ValueError, OverflowError):
        return 0


def read_timestamp(raw: bytes | None) -> datetime | None:
    """Read milliseconds since the epoch; None for anything else."""
    return datetime_of_ms(read_number(raw))


def datetime_of_ms(milliseconds: int) -> datetime | None:
    """Return the time so many milliseconds after the epoch; None for 0 and for a time beyond the calendar."""
    try:
        return from_ms(milliseconds) if milliseconds else None
    except (ValueError, OverflowError, OSError):
        return None


def read_json(raw: bytes | None) -> Any:
    """Read JSON as values that can be stored; None for anything else."""
    try:
        return storable_value(json.loads(raw)) if raw else None
    except (ValueError, RecursionError):
        return None


def read_object(raw: bytes | None) -> dict[str, Any]:
    """Read a JSON object; an empty one for anything else."""
    found = read_json(raw)
    return found if isinstance(found, dict) else {}


def read_failures(raw: bytes | None) -> list[dict[str, Any]]:
    """Read the attempts that failed, each with the fields that readers show."""
    found = read_json(raw)
    return [{**_NO_FAILURE, **one} for one in found if isinstance(one, dict)] if isinstance(found, list) else []


_NO_FAILURE: dict[str, Any] = {"error_class": "", "error_message": "", "traceback": ""}


def read_state(raw: bytes | None) -> JobState | None:
    """Read a state; None for one that does not exist."""
    try:
        return JobState(read_text(raw))
    except ValueError:
        return None


def read_priority(raw: bytes | None) -> str:
    """Read a priority; "normal" for anything else, as in the scripts."""
    text = read_text(raw)
    return text if text in PRIORITIES else "normal"


def are_job_ids(texts: list[str]) -> bool:
    """Return whether all of these can be ids of jobs, by one match."""
    return _JOB_IDS.fullmatch(",".join(texts)) is not None


def is_job_id(text: str) -> bool:
    """Return whether this can be the id of a job, and so of a row."""
    return _JOB_ID.fullmatch(text) is not None
