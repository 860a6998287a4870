"""Jobs as tables for a terminal."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tasks_app.engine import JobState
from tasks_app.engine.flows import TASK
from tasks_app.queries.jobs import JobView, repeats_of

STATE_STYLES = {
    JobState.RUNNING: "cyan",
    JobState.RETRYING: "yellow",
    JobState.SUCCEEDED: "green",
    JobState.FAILED: "red",
    JobState.CANCELLED: "dim",
}
MAX_CALL_CHARACTERS = 60


def job_table(jobs: list[JobView]) -> Table:
    """One line per job."""
    table = Table()
    for heading in (_("Job"), _("Task"), _("Queue"), _("State"), _("Created"), _("Ran (s)"), _("Arguments or error")):
        table.add_column(heading, no_wrap=heading == _("Job"), overflow="fold")
    for job in jobs:
        ran = "" if job.run_seconds is None else f"{job.run_seconds:.2f}"
        about = f"{job.error_class}: {job.error_message}" if job.error_class else call_text(job)
        # Text, not str: what a job carries must not be read as rich's markup.
        table.add_row(
            str(job.id),
            Text(job.task),
            job.queue,
            Text(str(job.state), style=STATE_STYLES.get(job.state, "")),
            format_time(job.created_at),
            ran,
            Text(printable(about)[:MAX_CALL_CHARACTERS]),
        )
    return table


def job_details(job: JobView) -> Group:
    """Table of all fields of one job."""
    table = Table(show_header=False, box=None)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in _facts(job):
        if value not in (None, "", [], {}):
            table.add_row(label, Text(printable(str(value))))
    parts: list[RenderableType] = [table]
    if job.logs:
        parts += [Text(_("Log"), style="bold"), Text(printable("\n".join(job.logs)))]
    if job.traceback:
        parts += [Text(_("Traceback"), style="bold"), Text(printable(job.traceback))]
    return Group(*parts)


def _facts(job: JobView) -> list[tuple[str, Any]]:
    progress = job.progress or {}
    return [
        (_("Job"), job.id),
        (_("Task"), job.task),
        (_("Queue"), f"{job.queue} ({job.priority})"),
        (_("State"), str(job.state) + (f" ({_('being cancelled')})" if job.cancel_requested and job.is_live else "")),
        (_("Arguments"), call_text(job)),
        (_("Requested by"), job.requested_by_id),
        (_("Schedule"), job.schedule_id),
        (_("Repeats the job"), job.retry_of),
        (_("Run again as"), ", ".join(map(str, repeats_of(job.id)))),
        (_("Request"), job.request_id),
        (_("Kind"), "" if job.kind == TASK else job.kind),
        (_("Part of"), job.parent_id),
        (_("Number in the group"), job.member_index),
        (_("Created"), format_time(job.created_at)),
        (_("Due"), format_time(job.due_at)),
        (_("Started"), format_time(job.started_at)),
        (_("Finished"), format_time(job.finished_at)),
        (_("Waited (s)"), job.wait_seconds),
        (_("Ran (s)"), job.run_seconds),
        (_("Worker"), f"{job.worker_host} {job.worker_pid or ''}".strip()),
        (_("Attempts"), job.attempt_count),
        (_("Progress"), " ".join(str(part) for part in progress.values() if part not in (None, ""))),
        (_("Result"), None if job.result is None else json.dumps(job.result, ensure_ascii=False)),
        (_("Error"), f"{job.error_class}: {job.error_message}" if job.error_class else ""),
    ]


def call_text(job: JobView) -> str:
    """The arguments as in a call."""
    parts = [json.dumps(value, ensure_ascii=False, default=str) for value in job.args]
    parts += [f"{name}={json.dumps(value, ensure_ascii=False, default=str)}" for name, value in job.kwargs.items()]
    return ", ".join(parts)


def format_time(at: datetime | None) -> str:
    """In the server's time zone, to the second."""
    return "" if at is None else f"{localtime(at):%Y-%m-%d %H:%M:%S}"


def printable(text: str) -> str:
    """Return the text without the control characters with which a text could steer the terminal."""
    return "".join(character if character.isprintable() or character in "\n\t" else "?" for character in text)
