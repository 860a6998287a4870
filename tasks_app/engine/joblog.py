"""What a task logs is kept with its job."""

from __future__ import annotations

import logging

from tasks_app.engine.context import current_job

MAX_LINES = 500
MAX_LINE_CHARS = 1000


class JobLogHandler(logging.Handler):
    """Adds each record logged while a job runs, in the thread that runs it, to that job; the first MAX_LINES of them."""

    def emit(self, record: logging.LogRecord) -> None:
        lines = current_job().log_lines
        if lines is None or len(lines) > MAX_LINES:
            return
        if len(lines) == MAX_LINES:
            lines.append(f"(more than {MAX_LINES} lines: the rest is in the worker's log only)")
            return
        text = f"{record.levelname} {record.name}: {record.getMessage()}".replace("\x00", "")
        lines.append(text.encode("utf-8", "replace").decode()[:MAX_LINE_CHARS])


def capture_logs() -> None:
    """Call once in a worker process."""
    logging.getLogger().addHandler(JobLogHandler())
