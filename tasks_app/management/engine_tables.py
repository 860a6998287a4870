"""Queues and workers as tables for a terminal, shared by qinfo, qmonitor, qmemory and queues."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from rich.console import Group
from rich.table import Table
from rich.text import Text

from tasks_app.queries.jobs import WorkerView, list_workers, queue_stats
from tasks_app.utils.number_ranges import numbers_text


def engine_tables() -> Group:
    """Return one table of the queues and one of the workers, as they are now. Raises RedisError."""
    return Group(queue_table(), worker_table())


def engine_facts() -> dict[str, Any]:
    """The same for programs."""
    return {"queues": queue_stats(), "workers": list_workers()}


def queue_table() -> Table:
    """One line per queue, a paused one marked, and their sum. Raises RedisError."""
    # Without lines it fits 80 columns.
    table = Table(
        title=_("Queues"), title_justify="left", show_footer=True, box=None, padding=(0, 1, 0, 0), pad_edge=False
    )
    queues = queue_stats()
    counts = [(queue.depth, queue.running, queue.scheduled, queue.retrying, queue.workers) for queue in queues]
    sums = [f"{sum(column):,}" for column in zip(*counts, strict=True)]
    per_minute = f"{sum(queue.per_minute for queue in queues):,.1f}"
    headings = (
        _("Waiting"),
        _("Running"),
        _("Scheduled"),
        _("Retrying"),
        _("Workers"),
        _("Oldest (s)"),
        _("Per minute"),
    )
    table.add_column(_("Queue"), footer=_("all"), no_wrap=True)
    for heading, footer in zip(headings, [*sums, "", per_minute], strict=True):
        table.add_column(heading, footer=footer, justify="right")
    table.add_column(_("Paused"), footer="")
    for queue, numbers in zip(queues, counts, strict=True):
        oldest = "" if queue.oldest_age_seconds is None else f"{queue.oldest_age_seconds:.0f}"
        reason = queue.pause.get("reason") or ""
        paused = Text(f"{_('paused')} {reason}".strip(), style="yellow") if queue.paused else Text("")
        for task, jobs in queue.put_aside.items():
            paused.append(f" {task}: {jobs:,}", style="yellow")
        table.add_row(queue.name, *(f"{n:,}" for n in numbers), oldest, f"{queue.per_minute:,.1f}", paused)
    return table


def worker_table() -> Table:
    """Return one line per worker: its name and its cluster's as orders take them, memory, job, lanes. Raises RedisError."""
    table = Table(title=_("Workers"), title_justify="left")
    headings = (
        _("Queue"),
        _("Worker"),
        _("Cluster"),
        _("Memory (MB)"),
        _("Current job"),
        _("Lanes"),
        _("Heartbeat (s ago)"),
    )
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number in (3, 6) else "left", no_wrap=number < 3)
    for worker in list_workers():
        memory = f"{worker.memory_bytes / 2**20:,.0f}"
        lanes = numbers_text(worker.lanes)
        row = (worker.queue, f"{worker.host}:{worker.pid}", worker.cluster, memory, _what_it_does(worker), lanes)
        table.add_row(*row, f"{worker.heartbeat_age_seconds:.1f}")
    return table


def _what_it_does(worker: WorkerView) -> str:
    modes = {"quiet": _("resting"), "stopping": _("stopping")}
    began_at = worker.current_job_started_at
    age = _("for %d s") % (timezone.now() - began_at).total_seconds() if began_at else ""
    job = f"{worker.current_task} {worker.current_job_id} {age}".strip() or _("idle")
    return ", ".join(filter(None, (job, modes.get(worker.mode, ""))))
