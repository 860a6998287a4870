"""Queues and workers as tables for a terminal, shared by qinfo, qmonitor and qmemory."""

from __future__ import annotations

from django.utils.translation import gettext as _
from rich.console import Group
from rich.table import Table

from tasks_app.queries.jobs import list_workers, queue_stats


def engine_tables() -> Group:
    """Return one table of the queues and one of the workers, as they are now. Raises RedisError."""
    return Group(_queue_table(), _worker_table())


def _queue_table() -> Table:
    table = Table(title=_("Queues"), title_justify="left")
    headings = (_("Queue"), _("Waiting"), _("Running"), _("Scheduled"), _("Retrying"), _("Oldest (s)"), _("Per minute"))
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number == 0 else "right", no_wrap=number == 0)
    for queue in queue_stats():
        oldest = "" if queue.oldest_age_seconds is None else f"{queue.oldest_age_seconds:.0f}"
        counts = (queue.depth, queue.running, queue.scheduled, queue.retrying)
        table.add_row(queue.name, *(f"{count:,}" for count in counts), oldest, f"{queue.per_minute:,.1f}")
    return table


def _worker_table() -> Table:
    table = Table(title=_("Workers"), title_justify="left")
    headings = (_("Queue"), _("Host"), _("Process"), _("Memory (MB)"), _("Job"), _("Heartbeat (s ago)"))
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number in (2, 3, 5) else "left", no_wrap=number == 0)
    for worker in list_workers():
        job = f"{worker.current_task} {worker.current_job_id}".strip()
        memory = f"{worker.memory_bytes / 2**20:,.0f}"
        table.add_row(worker.queue, worker.host, str(worker.pid), memory, job, f"{worker.heartbeat_age_seconds:.1f}")
    return table
