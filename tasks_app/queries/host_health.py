"""Whether the clusters of one host take jobs, as their heartbeats tell. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tasks_app.queries.jobs import WorkerView


def silence_seconds(worker: WorkerView) -> float:
    """Return since when nothing shows that the worker's process runs."""
    return worker.heartbeat_age_seconds + worker.pulse_age_seconds


def why_not_consuming(
    workers: Sequence[WorkerView], host: str, queues: Collection[str], max_silence_seconds: float
) -> list[tuple[str, list[int]]]:
    """Return the queues that this host does not serve, each with the process ids of its workers there that are silent.

    Without `queues` those of which the host has workers; none at all is reported as the queue "".
    """
    here = [worker for worker in workers if worker.host == host]
    wanted = list(queues) or sorted({worker.queue for worker in here}) or [""]
    return [
        (queue, [worker.pid for worker in here if worker.queue == queue])
        for queue in wanted
        if not any(worker.queue == queue and silence_seconds(worker) <= max_silence_seconds for worker in here)
    ]
