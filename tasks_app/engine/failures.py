"""Descriptions of failed attempts that can be stored. An exception is code of a task: no step here relies on it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from types import TracebackType

from tasks_app.engine.errors import JobCancelled, JobInterrupted
from tasks_app.engine.redaction import redact_text, redact_traceback
from tasks_app.engine.storable import class_name, class_path, storable_text

MAX_TRACEBACK_CHARS = 20_000
MAX_MESSAGE_CHARS = 2_000
_HEAD_CHARS = 4_000


@dataclass(frozen=True, slots=True)
class Failure:
    """The error of an attempt as text that both servers accept, without secrets that have a name."""

    error_class: str
    error_message: str
    traceback: str
    # Dotted path of the class.
    error_path: str = ""


def describe(error: BaseException) -> Failure:
    """Describe an exception. Raises nothing, whatever its str(), its causes or its class do."""
    try:
        message = redact_text(storable_text(error, MAX_MESSAGE_CHARS))
        return Failure(class_name(error), message[:MAX_MESSAGE_CHARS], format_traceback(error), class_path(error))
    except BaseException as trouble:  # noqa: BLE001 - also the interrupt of a job whose str() takes too long
        message = f"Its message cannot be written: {class_name(trouble)}."
        return Failure(class_name(error), message, "", class_path(error))


def format_traceback(error: BaseException) -> str:
    """Return the traceback without the frames of the engine, cut in the middle if it is too long."""
    try:
        text = "".join(traceback.format_exception(type(error), error, _of_the_task(error.__traceback__)))
    except JobInterrupted:
        raise
    except BaseException as trouble:  # noqa: BLE001
        text = f"{class_name(error)} (its traceback cannot be written: {class_name(trouble)})\n"
    return redact_traceback(storable_text(_cut(text)))[:MAX_TRACEBACK_CHARS]


def _cut(text: str) -> str:
    """Cut a long traceback in the middle: its beginning names the place, its end the error."""
    if len(text) <= MAX_TRACEBACK_CHARS:
        return text
    return f"{text[:_HEAD_CHARS]}\n[...]\n{text[_HEAD_CHARS + 10 - MAX_TRACEBACK_CHARS :]}"


def _of_the_task(trace: TracebackType | None) -> TracebackType | None:
    while trace and str(trace.tb_frame.f_globals.get("__name__", "")).startswith("tasks_app.engine."):
        trace = trace.tb_next
    return trace


def is_cancellation(error: BaseException) -> bool:
    """Return whether the job was cancelled; a group of exceptions may contain the cancellation among others."""
    left = [error]
    while left:
        one = left.pop()
        # By its type: isinstance() asks the object, too, which may raise.
        if issubclass(type(one), JobCancelled):
            return True
        if issubclass(type(one), BaseExceptionGroup):
            left += BaseExceptionGroup.exceptions.__get__(one)
    return False
