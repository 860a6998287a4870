"""The broker of django-q2's `broker_class` setting: `django_q.tasks.async_task` makes jobs on our queues.

django-q2 hands its broker a signed pickle of the task. It is written and read in the same call here, as JSON: django-q2's
serializer is replaced (see `use_json_packages`), so no pickle is ever made or loaded. An option of a package works or is
refused, with the alternative in the message: none is accepted and ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Any, NoReturn
from uuid import UUID

import django_q.signing
import msgspec
import redis
from django_q.brokers import Broker
from django_q.conf import Conf
from django_q.signing import SignedPackage

from tasks_app.engine.backends import current_backend
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.enqueueing import JobOptions
from tasks_app.engine.errors import InvalidArguments, NotOffered, UnknownTask
from tasks_app.engine.flows import Flow, Step
from tasks_app.engine.groups.making import make
from tasks_app.engine.groups.signatures import Call
from tasks_app.engine.live import QueueStats, queue_stats
from tasks_app.engine.number_types import is_number
from tasks_app.engine.registered_task import Task
from tasks_app.engine.registry import get_task

MAX_LABEL_CHARS = 100
ITER = "async_iter makes a group of calls."
# Options that cannot work here, and what to do instead.
REFUSED_OPTIONS = {
    "iter_count": ITER,
    "iter_cached": ITER,
    "chain": "async_chain makes a chain of tasks.",
    "cached": "every result is kept in the job history, and result(id, wait=...) is woken when it is there.",
    "task_name": "jobs are found by their ids, so keep the one that async_task returns.",
    "ack_failure": "@task(max_attempts=...) says how often a job is tried.",
}


class JSONPackages:
    """Serializer with the interface of django_q.signing.PickleSerializer. A Task is written as its name."""

    @staticmethod
    def dumps(obj: Any) -> bytes:
        return msgspec.json.encode(obj, enc_hook=_name_of)

    @staticmethod
    def loads(data: bytes) -> Any:
        return msgspec.json.decode(data)


def _name_of(value: Any) -> str:
    if isinstance(value, Task):
        return value.name
    if callable(value):
        raise _not_registered(value)
    raise TypeError(f"{type(value).__name__} is not a JSON type.")


def use_json_packages() -> None:
    """Call once when the app is ready."""
    django_q.signing.PickleSerializer = JSONPackages


def refuse(what: str, alternative: str) -> NoReturn:
    """Raise NotOffered with the alternative to `what`."""
    raise NotOffered(f"{what} of django-q2 is not offered here: {alternative}")


def check_options(options: dict[str, Any], task: Task[Any, Any]) -> None:
    """Check the options of a package for this task. Raises NotOffered, InvalidArguments."""
    for name, alternative in REFUSED_OPTIONS.items():
        if options.get(name) not in (None, False, ""):
            refuse(f"The option {name}={options[name]!r}", alternative)
    if options.get("save") not in (None, True):
        refuse("The option save=False", "a task keeps its successes or not: @task(keeps_successes=False).")
    if options.get("cluster") not in (None, "", task.queue):
        refuse_queue(options["cluster"], task)
    if options.get("group"):
        check_label(options["group"])
    if not isinstance(options.get("sync"), bool | None):
        raise InvalidArguments(f"sync={options['sync']!r:.100} is neither True nor False.")
    timeout = options.get("timeout")
    if timeout is not None and not is_number(timeout):
        raise InvalidArguments(f"timeout={timeout!r} is no number of seconds.")
    # Before anything is made: it has bounds.
    JobOptions(timeout_seconds=timeout)


def refuse_timeout_here() -> NoReturn:
    """Raise NotOffered for a time limit of a job that runs where it is made."""
    refuse("The option timeout together with sync=True", "only a worker can interrupt a task.")


# An id as a hook gets it.
ANY_ID = UUID(int=0).hex
OPTIONS = frozenset(REFUSED_OPTIONS) | {"save", "sync", "broker", "cluster", "timeout", "group", "hook"}


def take_options(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Take the options out of the keyword arguments, those of q_options first. Raises InvalidArguments, NotOffered."""
    given = kwargs.pop("q_options", None) or {}
    if not isinstance(given, dict):
        raise InvalidArguments("q_options is a dict of options.")
    if unknown := sorted(map(str, set(given) - OPTIONS)):
        raise InvalidArguments(f"Unknown in q_options: {', '.join(unknown)}.")
    own = {name: kwargs.pop(name) for name in OPTIONS & set(kwargs)}
    options = {**own, **given}
    if queue := queue_of_broker(options.pop("broker", None)):
        options["cluster"] = queue
    return options


def queue_of_broker(broker: Any) -> str:
    """Return the queue that a broker was asked for, "" for that of any queue. Raises NotOffered for one that is not ours."""
    if broker is None:
        return ""
    if not isinstance(broker, RedisStreamsBroker):
        refuse("A broker of your own", "Q_CLUSTER['broker_class'] is the broker of every queue.")
    # Within a cluster that serves one queue, this is what get_broker() makes of no name.
    is_asked_for = broker.list_key in engine_config().queues and broker.list_key != Conf.CLUSTER_NAME
    return str(broker.list_key) if is_asked_for else ""


def refuse_queue(name: str, task: Task[Any, Any]) -> NoReturn:
    """Raise NotOffered for a queue that is not the task's."""
    refuse(
        f"The option cluster={name!r} for a task of queue {task.queue!r}", "@task(queue=...) says where a task runs."
    )


def step_of(task: Task[Any, Any], args: Sequence[Any], kwargs: dict[str, Any], options: dict[str, Any]) -> Step:
    """Return a step of a call with options that were checked. Raises InvalidArguments, UnknownTask."""
    call = Call(task=task, args=tuple(args), kwargs=kwargs, timeout_seconds=options.get("timeout"))
    return msgspec.structs.replace(call.step(), on_end=hook_steps(options.get("hook")))


def hook_steps(hook: Any) -> tuple[Step, ...]:
    """Return the steps of a hook, a registered task that takes the id of a job; none without one.

    Raises UnknownTask, InvalidArguments.
    """
    if not hook:
        return ()
    task = task_of(hook)
    try:
        task.arguments.check((ANY_ID,), {})
        call = task.arguments.check_following((), {}, 1)
    except InvalidArguments as error:
        raise InvalidArguments(f"The hook {task.name} cannot be called with the id of a job: {error}") from error
    return (Step(task=task.name, queue=task.queue, call=msgspec.Raw(call.encode())),)


def check_wait(wait: Any) -> None:
    """Raise InvalidArguments unless this is a number of milliseconds to wait."""
    if not is_number(wait) or isnan(wait):
        raise InvalidArguments(f"wait={wait!r:.100} is no number of milliseconds.")


def check_label(label: Any) -> str:
    """Return the name of a group of django-q2. Raises InvalidArguments unless a row can have it."""
    if not isinstance(label, str) or not 0 < len(label) <= MAX_LABEL_CHARS or not label.isprintable():
        raise InvalidArguments(f"{label!r} is no group: 1 to {MAX_LABEL_CHARS} printable characters.")
    return label


def package_options(package: dict[str, Any]) -> JobOptions:
    """Return the job's options of a package that was checked."""
    flow = Flow(label=package["group"]) if package.get("group") else None
    return JobOptions(timeout_seconds=package.get("timeout"), flow=flow)


def enqueue_package(package: dict[str, Any]) -> UUID:
    """Make a job of a django-q2 package; the job has the package's id. Raises EngineError."""
    task = task_of(package["func"])
    check_options(package, task)
    job_id = UUID(package["id"])
    step = step_of(task, package["args"], package["kwargs"], package)
    make(current_backend(), step, job_id, package_options(package))
    return job_id


def task_of(function: Any) -> Task[Any, Any]:
    """Return the task that is given as itself, by name or by dotted path. Raises UnknownTask."""
    if isinstance(function, Task):
        return function
    if isinstance(function, str):
        try:
            return get_task(function)
        except UnknownTask:
            raise _not_registered(function) from None
    raise _not_registered(function)


def _not_registered(function: Any) -> UnknownTask:
    """Return the error of a function that django-q2 would import and run as it is."""
    cure = "Decorate the function with @task of tasks_app.engine, in <app>/tasks.py of an installed app."
    return UnknownTask(f"{UnknownTask.NOT_REGISTERED} {function!r}. {cure}")


class RedisStreamsBroker(Broker):
    """Makes jobs of django-q2's packages whose function is a registered task and whose arguments are JSON."""

    def get_connection(self, list_key: str | None = None) -> redis.Redis:
        return client()

    def enqueue(self, task: str) -> str:
        """Make a job of a django-q2 package; the job has the package's id. Raises EngineError."""
        return str(enqueue_package(SignedPackage.loads(task)))

    def queue_size(self) -> int:
        """Return how many jobs wait on the queue of this name, on all queues for the name of the cluster."""
        return sum(queue.depth for queue in self._own_queues())

    def lock_size(self) -> int:
        """Return how many jobs run, counted as `queue_size` counts."""
        return sum(queue.running for queue in self._own_queues())

    def _own_queues(self) -> list[QueueStats]:
        queues = queue_stats(client())
        return [queue for queue in queues if queue.name == self.list_key] or queues

    def ping(self) -> bool:
        return bool(client().ping())

    def info(self) -> str:
        server = client().info("server")
        return f"Redis {server.get('valkey_version') or server['redis_version']} streams"

    def purge_queue(self) -> NoReturn:
        """Refused: a purge keeps rows and an audit trail."""
        refuse("purge_queue()", "manage.py queues purge, or the page of the queue in the admin.")

    def delete_queue(self) -> NoReturn:
        """Refused, as `purge_queue`."""
        self.purge_queue()

    def delete(self, task_id: str) -> NoReturn:
        """Refused: a job is cancelled, and its row remains."""
        refuse("delete()", "JobHandle(id).cancel(), or manage.py jobs cancel.")

    def dequeue(self) -> NoReturn:
        """Refused: only the workers of qcluster take jobs."""
        refuse("dequeue()", "manage.py qcluster runs the jobs.")

    def acknowledge(self, task_id: str) -> NoReturn:
        """Refused, as `dequeue`."""
        self.dequeue()

    def fail(self, task_id: str) -> NoReturn:
        """Refused, as `dequeue`."""
        self.dequeue()
