"""Every name and option of django_q.tasks works on our jobs, or is refused at the call with the alternative."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import django_q.models
import django_q.tasks
import pytest
from django_q.brokers import get_broker
from django_q.models import Schedule
from django_q.signals import pre_enqueue
from django_q.tasks import AsyncTask, async_chain, async_task, fetch, fetch_group, queue_size, result

from tasks_app.engine import InvalidArguments, JobHandle, NotOffered, UnknownJob, UnknownTask
from tasks_app.engine import testing as engine_testing
from tasks_app.engine.attempt import Attempt
from tasks_app.engine.connection import client
from tasks_app.engine.streams import JobQueue
from tasks_app.models import Job
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_gives_the_result_of_a_job(run_jobs):
    job_id = async_task("probe_add", 1, b=2)
    assert len(job_id) == 32
    assert result(job_id) is None
    run_jobs()
    for known_as in (job_id, UUID(job_id), str(UUID(job_id)), JobHandle(job_id)):
        assert result(known_as) == 3
    assert result(job_id, wait=1000) == result(job_id, -1) == 3
    assert result(job_id, 10, False) == 3


def test_it_fetches_an_ended_job(run_jobs):
    job_id = async_task("tests.support.probe.tasks.probe_add", 1, b=2)
    assert fetch(job_id) is None
    run_jobs()
    task = fetch(job_id, wait=1000)
    assert (task.id, task.func, task.args, task.kwargs) == (job_id, "probe_add", (1,), {"b": 2})
    assert (task.result, task.success, task.cluster, task.attempt_count) == (3, True, "positions", 1)
    assert task.started <= task.stopped
    assert task.time_taken() >= 0


def test_a_failure_has_its_error_and_traceback_as_result(run_jobs):
    job_id = async_task("probe_fail_for_good", "no luck")
    run_jobs()
    assert result(job_id).startswith("PermanentError: no luck : Traceback")
    assert fetch(job_id).success is False


def test_it_waits_for_no_job_that_never_was():
    assert result(uuid4()) is None
    assert fetch(uuid4().hex) is None
    for wait in (1000, -1):
        with pytest.raises(UnknownJob):
            result(uuid4(), wait=wait)
        with pytest.raises(UnknownJob):
            fetch(uuid4(), wait)


@pytest.mark.parametrize("wait", ["5", True, float("nan"), None])
def test_a_wait_is_a_number_of_milliseconds(wait):
    for ask in (lambda: result(uuid4(), wait=wait), lambda: fetch_group("mine", wait=wait)):
        with pytest.raises(InvalidArguments, match="is no number of milliseconds"):
            ask()


@pytest.mark.parametrize("step", [("probe_add", 1), ("probe_add", (1,), [2]), ("probe_add", "1")])
def test_a_step_of_a_chain_is_a_function_with_a_list_and_a_dict(step):
    with pytest.raises(InvalidArguments, match="is no step of a chain"):
        async_chain([step])


@pytest.mark.parametrize("ask", [result, fetch])
def test_it_refuses_names_and_caches(ask):
    with pytest.raises(InvalidArguments, match="by ids, not by names"):
        ask("sunny-seven-moon-two")
    with pytest.raises(NotOffered, match="job history"):
        ask(uuid4(), cached=True)


@pytest.mark.parametrize(
    ("options", "alternative"),
    [
        ({"cached": 60}, "job history"),
        ({"cached": True}, "job history"),
        ({"task_name": "mine"}, "found by their ids"),
        ({"save": False}, "keeps_successes"),
        ({"ack_failure": True}, "max_attempts"),
        ({"chain": [("probe_add", (1,))]}, "async_chain"),
        ({"iter_count": 3}, "async_iter"),
        ({"iter_cached": True}, "async_iter"),
        ({"cluster": "reports"}, "@task"),
        ({"cluster": "nowhere"}, "@task"),
        ({"broker": object()}, "broker_class"),
        ({"sync": True, "timeout": 5}, "only a worker"),
    ],
)
def test_it_refuses_an_option_that_would_have_no_effect(options, alternative):
    for given in (options, {"q_options": options}):
        with pytest.raises(NotOffered, match=alternative):
            async_task("probe_note", "x", **given)
        with pytest.raises(NotOffered, match=alternative):
            AsyncTask("probe_note", "x", **given).run()
    assert queue_size() == 0
    assert probe.ledger() == []


def test_it_takes_options_that_say_what_happens_anyway(run_jobs):
    nothing = {"hook": None, "group": None, "cached": False, "task_name": None, "save": True, "ack_failure": False}
    job_id = async_task("probe_add", 1, sync=False, cluster="positions", broker=get_broker(), timeout=None, **nothing)
    other = async_task("probe_add", 2, q_options={**nothing, "cluster": "positions", "sync": None})
    run_jobs()
    assert (result(job_id), result(other)) == (2, 3)


@pytest.mark.parametrize(
    "given",
    [
        *({"q_options": {"tiemout": 5}}, {"q_options": [1]}, {"timeout": "5"}, {"timeout": 0}),
        *({"sync": "no"}, {"hook": "probe_add"}),  # it would run here, and the hook's argument is a number
    ],
)
def test_it_refuses_options_that_cannot_be_right(given):
    with pytest.raises(InvalidArguments):
        async_task("probe_note", "x", **given)
    assert queue_size() == 0


def test_the_time_limit_goes_with_the_job():
    async_task("probe_add", 1, timeout=7)
    (claim,) = JobQueue("positions", client()).fetch("test:0:positions:0", 1).claims
    attempt = Attempt("positions", claim, datetime.now(UTC))
    attempt.open()
    assert attempt.timeout_seconds == 7


def test_sync_runs_the_job_here_and_keeps_it():
    job_id = async_task("probe_add", 1, b=2, sync=True)
    assert (result(job_id), fetch(job_id).success, queue_size()) == (3, True, 0)
    with pytest.raises(ValueError, match="no luck"):
        async_task(probe.probe_fail, "no luck", sync=True)
    assert Job.objects.get(task="probe_fail").error_message == "no luck"
    with pytest.raises(UnknownTask, match="Decorate the function with @task"):
        async_task("math.copysign", 1, 1, sync=True)
    with pytest.raises(InvalidArguments):
        async_task("probe_add", "1", sync=True)
    assert Job.objects.count() == 2


def test_async_task_objects_give_their_result(run_jobs):
    task = AsyncTask("probe_add", 1, b=2)
    assert task.result() is None
    task.run()
    run_jobs()
    assert (task.result(wait=1000), task.fetch().success) == (3, True)
    task.cached = True
    with pytest.raises(NotOffered):
        task.run()


@pytest.mark.parametrize(
    "call",
    [
        lambda q: q.async_iter("probe_note", ["a", "b"], cached=True),
        lambda q: q.async_iter("probe_note", ["a", "b"], group="g"),
        lambda q: q.async_chain([("probe_note", ("a",)), ("probe_note", ("b",))], cached=True),
        lambda q: q.async_chain([("probe_note", ("a",), {"group": "g"})]),
        lambda q: q.async_chain([("probe_note", ("a",), {"cached": 60})]),
        lambda q: q.async_chain(["probe_log"], broker=object()),
        lambda q: q.Chain([("probe_note", ("a",))], cached=True).run(),
        lambda q: q.Iter("probe_note", ["a"], cached=True).run(),
        lambda q: q.result_group("g", cached=True),
        lambda q: q.fetch_group("g", cached=True),
        lambda q: q.count_group("g", cached=True),
        lambda q: q.delete_group("g", tasks=True),
        lambda q: q.result_cached(uuid4().hex),
        lambda q: q.fetch_cached(uuid4().hex),
        lambda q: q.delete_cached(uuid4().hex),
        lambda q: q.result_group_cached("g"),
        lambda q: q.fetch_group_cached("g"),
        lambda q: q.count_group_cached("g"),
        lambda q: q.delete_group_cached("g"),
    ],
)
def test_what_is_not_offered_is_refused_as_a_whole(call):
    with pytest.raises(NotOffered, match="is not offered here: "):
        call(django_q.tasks)
    assert queue_size() == 0


def test_every_name_of_django_q_tasks_is_spoken_for():
    """A new version of django-q2 may bring functions which would read its empty tables."""
    known = "async_task schedule result fetch queue_size AsyncTask Chain Iter async_iter async_chain"
    refused = "_sync delete_cached"
    groups = "result_group fetch_group count_group delete_group"
    cached = "result_cached fetch_cached result_group_cached fetch_group_cached count_group_cached delete_group_cached"
    expected = {*known.split(), *groups.split(), *refused.split(), *cached.split()}
    ours = ("django_q.tasks", "tasks_app.engine.django_q.tasks", "tasks_app.engine.django_q.groups")
    found = {name for name, value in vars(django_q.tasks).items() if getattr(value, "__module__", "") in ours}
    assert found == expected


def test_the_size_is_that_of_the_named_queue():
    async_task("probe_add", 1)
    probe.probe_progress.delay(1)
    assert (queue_size(), queue_size(get_broker("reports")), queue_size(get_broker("cleanup"))) == (2, 1, 0)
    assert get_broker("positions").lock_size() == 0


@pytest.mark.parametrize("method", ["purge_queue", "delete_queue", "dequeue"])
def test_the_broker_pretends_nothing(method):
    with pytest.raises(NotOffered):
        getattr(get_broker(), method)()
    for method in ("delete", "acknowledge", "fail"):
        with pytest.raises(NotOffered):
            getattr(get_broker(), method)("x")


@pytest.mark.parametrize("model", ["Task", "Success", "Failure", "OrmQ"])
def test_the_empty_tables_of_django_q_are_not_asked(model):
    with pytest.raises(NotOffered, match=r"tasks_app\."):
        getattr(django_q.models, model).objects.count()
    assert not getattr(django_q.models, model)._base_manager.exists()


def test_a_schedule_that_could_not_run_is_refused():
    for options in ({"hook": "print"}, {"cluster": "reports"}):
        with pytest.raises(NotOffered):
            django_q.tasks.schedule("probe_add", 1, **options)
    for options in ({"repeats": 0}, {"schedule_type": "D", "minutes": 5}, {"schedule_type": "D", "cron": "0 3 * * *"}):
        with pytest.raises(InvalidArguments, match=list(options)[-1]):
            django_q.tasks.schedule("probe_add", 1, **options)
    for options, words in (
        ({"schedule_type": "I", "minutes": 0}, "at least 1"),
        ({"schedule_type": "I", "minutes": 1.5}, "minutes=1.5: a whole number is meant"),
        ({"schedule_type": "C"}, "five fields"),
        ({"schedule_type": "C", "cron": "* * * * * * *"}, "five fields"),
        ({"schedule_type": "H", "repeats": "2"}, "repeats='2': a whole number is meant"),
    ):
        with pytest.raises(InvalidArguments, match=words):
            django_q.tasks.schedule("probe_add", 1, **options)
    with pytest.raises(InvalidArguments, match="schedulable"):
        django_q.tasks.schedule("probe_note", "x")
    with pytest.raises(UnknownTask):
        django_q.tasks.schedule("os.system", "true")
    assert not Schedule.objects.filter(func__in=["probe_add", "probe_note", "os.system"]).exists()
    assert django_q.tasks.schedule(probe.probe_add, 1, cluster="positions").func == "probe_add"


def test_receivers_may_change_what_is_enqueued(run_jobs):
    def receiver(sender, task, **kwargs):
        task["kwargs"] = {"b": 40}

    pre_enqueue.connect(receiver)
    try:
        job_id = async_task("probe_add", 2, b=1)
    finally:
        pre_enqueue.disconnect(receiver)
    run_jobs()
    assert result(job_id) == 42


def test_it_works_on_jobs_that_run_inline():
    with engine_testing.inline_jobs():
        job_id = async_task("probe_add", 1, b=2)
        assert (result(job_id, wait=1000), fetch(job_id).success) == (3, True)
