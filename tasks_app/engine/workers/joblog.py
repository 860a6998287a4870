"""Keeping the log records of a task with its job."""

from __future__ import annotations

import logging

from tasks_app.engine.context import current_job
from tasks_app.engine.errors import JobInterrupted
from tasks_app.engine.redaction import redact_text
from tasks_app.engine.storable import class_name, storable_text

MAX_LINES = 500
MAX_LINE_CHARS = 1000


class JobLogHandler(logging.Handler):
    """Adds the first MAX_LINES records that are logged while a job runs, in the thread that runs it, to that job."""

    def emit(self, record: logging.LogRecord) -> None:
        lines = current_job().log_lines
        if lines is None or len(lines) > MAX_LINES:
            return
        if len(lines) == MAX_LINES:
            lines.append(f"(more than {MAX_LINES} lines: the rest is in the worker's log only)")
            return
        text = storable_text(f"{record.levelname} {record.name}: {_message_of(record)}", MAX_LINE_CHARS)
        lines.append(redact_text(text)[:MAX_LINE_CHARS])


def _message_of(record: logging.LogRecord) -> str:
    """Return the message with its arguments, or without them if they do not fit: a task may log anything."""
    try:
        return record.getMessage()
    except JobInterrupted:
        raise
    except BaseException as error:  # noqa: BLE001
        return f"{storable_text(record.msg)} (its arguments cannot be written: {class_name(error)})"


def capture_logs() -> None:
    """Call once in a worker process."""
    logging.getLogger().addHandler(JobLogHandler())
