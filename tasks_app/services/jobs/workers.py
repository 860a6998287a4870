"""Actions of users on workers: rest, wake, stop; one more or one less in a cluster. Each leaves an audit row.

The cluster obeys within a second or so, and its next heartbeats tell.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from tasks_app.engine.clusters.orders import Order, Verb, send_order
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.keys import QueueKeys
from tasks_app.engine.live import WorkerInfo, list_workers
from tasks_app.engine.slots import Mode
from tasks_app.exceptions import WorkerLimit, WorkerNotFound
from tasks_app.models import QueueAction
from tasks_app.services.audit import Subject, record

STOPPING = Mode.STOPPING.name.lower()


def quiet_worker(*, name: str, user: Any, reason: str = "", now: datetime) -> None:
    """Let a worker take no more jobs; it ends the one it has, and its lanes go to others. Twice is fine.

    Raises WorkerNotFound, RedisError.
    """
    _order("quiet", _worker(name), name, user, reason, now)


def wake_worker(*, name: str, user: Any, reason: str = "", now: datetime) -> None:
    """Let a worker that rests take jobs again. Twice is fine. Raises WorkerNotFound, RedisError."""
    _order("wake", _worker(name), name, user, reason, now)


def stop_worker(*, name: str, user: Any, reason: str = "", now: datetime) -> None:
    """Let a worker end after the job it has, and no other take its place until the cluster starts anew.

    Raises WorkerNotFound, WorkerLimit, RedisError.
    """
    worker = _worker(name)
    _require_another(worker)
    _order("stop", worker, name, user, reason, now)


def grow_cluster(*, cluster: str, queue: str, user: Any, reason: str = "", now: datetime) -> None:
    """Let a cluster start one more worker of a queue. Raises WorkerNotFound, WorkerLimit, RedisError."""
    workers = _workers_of(cluster, queue)
    most = max(worker.most_workers for worker in workers)
    if len(workers) >= most:
        raise WorkerLimit(_("This cluster has places for %(most)d workers of this queue.") % {"most": most})
    _order("grow", workers[0], "", user, reason, now)


def shrink_cluster(*, cluster: str, queue: str, user: Any, reason: str = "", now: datetime) -> None:
    """Let a cluster stop one worker of a queue, an idle one if there is any.

    Raises WorkerNotFound, WorkerLimit, RedisError.
    """
    worker = _workers_of(cluster, queue)[0]
    _require_another(worker)
    _order("shrink", worker, "", user, reason, now)


def _worker(name: str) -> WorkerInfo:
    worker = next((worker for worker in list_workers(client()) if worker.name == name), None)
    if worker is None:
        raise WorkerNotFound(WorkerNotFound.__doc__)
    return worker


def _workers_of(cluster: str, queue: str) -> list[WorkerInfo]:
    """Return the workers of this queue that the cluster has and will have."""
    found = [worker for worker in list_workers(client()) if (worker.cluster, worker.queue) == (cluster, queue)]
    if not found:
        raise WorkerNotFound(WorkerNotFound.__doc__)
    return [worker for worker in found if worker.mode != STOPPING] or found


def _require_another(worker: WorkerInfo) -> None:
    """Raise WorkerLimit for the last worker of a queue in its cluster, and for one that stops already."""
    others = [other for other in _workers_of(worker.cluster, worker.queue) if other.name != worker.name]
    if worker.mode == STOPPING:
        raise WorkerLimit(_("This worker is stopping already."))
    if not others:
        raise WorkerLimit(_("It is the last worker of this queue in its cluster. To let nothing run, pause the queue."))


def _order(verb: Verb, worker: WorkerInfo, name: str, user: Any, reason: str, now: datetime) -> None:
    about = Subject("worker", name, name) if name else Subject("cluster", worker.cluster, worker.cluster)
    with transaction.atomic():
        QueueAction.objects.create(
            queue=worker.queue,
            verb=QueueAction.Verb(verb),
            subject=name or worker.cluster,
            user_id=user.pk,
            reason=reason[:500],
            created_at=now,
        )
        record(verb, about, user=user, reason=reason, given={"queue": worker.queue})
    keys = QueueKeys(engine_config().prefix, worker.queue)
    send_order(client(), keys, worker.cluster, Order(verb=verb, queue=worker.queue, worker=name))
