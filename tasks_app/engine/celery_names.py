"""Names of Celery that are no names here, each with what takes its place. Nothing of them is accepted and ignored.

The error at the line that is to be changed names it; docs/celery.md has the whole table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tasks_app.engine.errors import NotOffered

_QUEUE = "a task has its queue, @task(queue=...); get_task(name).on_queue(...) is another one of its other_queues"
_RETRY = (
    "a job that raises is tried again, max_attempts times in all and with growing waits; PermanentError ends it at once"
)
_BACKOFF = "the waits are those of the queue: backoff_seconds of Q_CLUSTER['ALT_CLUSTERS']"
_LIMIT = "timeout_seconds=..., at which JobTimeout is raised in the task"
_ALWAYS = "it is so always: a job is acknowledged once its row is stored"
_JSON = "arguments and results are JSON"
_CURRENT = "current_job() has id, attempt, queue, progress() and requested_by_id"
_HERE = (
    "call the task itself, task(...); in tests inline_jobs() of tasks_app.engine.testing runs jobs where they are made"
)
_ROW = "tasks_app.models.Job has the row of an ended job"

TASK_OPTIONS = {
    "bind": _CURRENT,
    **dict.fromkeys(("autoretry_for", "dont_autoretry_for", "throws", "retry_kwargs"), _RETRY),
    **dict.fromkeys(("default_retry_delay", "retry_backoff", "retry_backoff_max", "retry_jitter"), _BACKOFF),
    "max_retries": "max_attempts=..., which counts the first one too",
    **dict.fromkeys(("acks_late", "reject_on_worker_lost", "acks_on_failure_or_timeout", "track_started"), _ALWAYS),
    "rate_limit": "none; as many jobs run at once as the queue has workers",
    **dict.fromkeys(("time_limit", "soft_time_limit"), _LIMIT),
    "ignore_result": "keeps_successes=False",
    "serializer": _JSON,
    "expires": "compare the time in the task, or cancel the job",
    "priority": "apply_async(priority=...)",
    "base": "a task is a function",
}
CALL_OPTIONS = {
    "expires": "compare the time in the task, or cancel the job by its id",
    **dict.fromkeys(("queue", "routing_key", "exchange"), _QUEUE),
    **dict.fromkeys(("retry", "retry_policy"), "QueueUnavailable is raised; call again with the same job_id"),
    "link": "task.s(...).on_success(...).apply_async(...)",
    "link_error": "task.s(...).on_error(...).apply_async(...)",
    "ignore_result": "@task(keeps_successes=False)",
    "task_id": "job_id=..., a UUID",
    **dict.fromkeys(("time_limit", "soft_time_limit"), _LIMIT),
    **dict.fromkeys(("serializer", "compression"), _JSON),
    "headers": "give it as an argument; X-Request-ID goes with the job by itself",
    **dict.fromkeys(("producer", "connection"), "there is one Redis, REDIS_URL"),
}
TASK_NAMES = {
    "retry": _RETRY,
    "request": _CURRENT,
    "update_state": "current_job().progress(current, total, message)",
    **dict.fromkeys(("apply", "run"), _HERE),
    **dict.fromkeys(("map", "starmap", "chunks"), "enqueue_group([(1,), (2,)]) is many calls as one job"),
    **dict.fromkeys(("signature", "subtask"), "s(...) or si(...)"),
    "AsyncResult": "JobHandle(job_id)",
    "max_retries": "retry_policy.max_attempts",
}
RESULT_NAMES = {
    "status": "state",
    "task_id": "id",
    "ready": "state in FINAL_STATES, or wait(0)",
    "successful": "state == 'succeeded'",
    "failed": "state == 'failed'",
    "revoke": "cancel(reason)",
    "forget": "the clean-up removes rows of jobs",
    "info": "result; GET /api/tasks/task/<id> has the progress",
    **dict.fromkeys(("traceback", "args", "kwargs", "date_done"), _ROW),
    **dict.fromkeys(("collect", "iterate", "join"), "get() of a group is the list of results; children are its jobs"),
    "then": "task.s(...).on_success(...)",
}
RESULT_OPTIONS = {
    "propagate": "wait(timeout_seconds), then state and result, which raise nothing of the task",
    "interval": "the end of the job wakes the caller",
    "timeout": "wait(timeout_seconds=...)",
    **dict.fromkeys(("terminate", "signal"), "a running job is asked to stop, and stopped if it does not"),
}
SIGNATURE_NAMES = {
    "set": "apply_async(countdown=, eta=, job_id=, priority=, requested_by=)",
    "link": "on_success(...)",
    "link_error": "on_error(...)",
    "clone": "a signature does not change: use it again",
    "apply": _HERE,
    "freeze": "apply_async(job_id=...)",
    "set_immutable": "si(...)",
    "skew": "apply_async(countdown=...) of each",
}
SIGNATURE_OPTIONS = CALL_OPTIONS | {
    "link": SIGNATURE_NAMES["link"],
    "link_error": SIGNATURE_NAMES["link_error"],
}


def refuse_options(where: str, options: Iterable[str], alternatives: Mapping[str, str]) -> None:
    """Refuse options that `where` does not have: NotOffered with the alternative for those of Celery, else TypeError."""
    for name in options:
        if name in alternatives:
            raise NotOffered(f"{where} takes no {name}; here: {alternatives[name]}.")
        raise TypeError(f"{where} got an unexpected keyword argument {name!r}")


def missing(owner: object, name: str, alternatives: Mapping[str, str]) -> AttributeError:
    """Return the error for a name that `owner` does not have, with the alternative if it is one of Celery."""
    what = f"{type(owner).__name__!r} object has no attribute {name!r}"
    return AttributeError(
        f"{what}; here: {alternatives[name]}." if name in alternatives else what, name=name, obj=owner
    )
