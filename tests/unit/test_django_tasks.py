"""Tasks of the tasks framework (django.tasks) on the engine: declaring, refusing, and running inline without a server."""

from __future__ import annotations

import asyncio
import shutil
import signal
from datetime import UTC, datetime, timedelta

import pytest
from asgiref.sync import async_to_sync

from tasks_app.engine import UnknownTask, enqueue, get_task
from tasks_app.engine.django_tasks import EngineBackend, declared
from tasks_app.engine.django_tasks.coroutines import run_coroutine
from tasks_app.engine.django_tasks.framework import (
    InvalidTask,
    Task,
    TaskResultDoesNotExist,
    TaskResultStatus,
    task_backends,
    task_enqueued,
    task_finished,
    task_started,
)
from tasks_app.engine.errors import JobTimeout, UnserialisableResult
from tasks_app.engine.testing import inline_jobs
from tests.support.declared_tasks import MODULE, configured
from tests.support.signals import recorded_signals
from tests.support.third_party import tasks as third_party


@pytest.fixture(autouse=True)
def backends(settings):
    settings.TASKS = {"default": configured()}


def test_the_backend_of_the_settings_is_ours_and_says_what_it_can():
    backend = task_backends["default"]
    assert isinstance(backend, EngineBackend)
    assert backend.supports_defer
    assert backend.supports_async_task
    assert backend.supports_get_result
    assert backend.supports_priority


def test_a_call_becomes_a_job_under_the_path_of_its_function():
    with inline_jobs() as jobs:
        result = third_party.add.enqueue(2, b=3)
        again = third_party.add.get_result(result.id)
    (job,) = jobs.finished
    assert (job.task, job.queue, job.state, job.args, job.kwargs) == (
        f"{MODULE}.add",
        "reports",
        "succeeded",
        [2],
        {"b": 3},
    )
    assert result.status == TaskResultStatus.READY
    assert (again.status, again.return_value, again.attempts, again.errors) == (TaskResultStatus.SUCCESSFUL, 5, 1, [])
    assert again.task == third_party.add
    assert again.enqueued_at <= again.started_at <= again.finished_at
    assert again.last_attempted_at == again.started_at


def test_a_result_is_refreshed():
    with inline_jobs():
        result = third_party.add.enqueue(2)
        with pytest.raises(ValueError, match="not finished"):
            result.return_value  # noqa: B018
        result.refresh()
        assert (result.status, result.return_value) == (TaskResultStatus.SUCCESSFUL, 3)


def test_coroutines_enqueue_and_ask_and_run():
    async def use() -> tuple:
        result = await third_party.add_in_coroutine.aenqueue(1, 2)
        await result.arefresh()
        found = await third_party.add_in_coroutine.aget_result(result.id)
        return result.return_value, found.return_value

    with inline_jobs():
        assert async_to_sync(use)() == (3, 3)


@pytest.mark.parametrize(("priority", "level"), [(100, "high"), (1, "high"), (0, "normal"), (-1, "low"), (-100, "low")])
def test_priorities_are_three_ranges(priority, level):
    with inline_jobs() as jobs:
        result = third_party.add.using(priority=priority).enqueue(1)
        found = third_party.add.get_result(result.id).task.priority
    assert jobs.finished[0].priority == level
    assert result.task.priority == priority
    assert found == {"high": 1, "normal": 0, "low": -1}[level]


def test_a_declared_priority_is_found_again():
    with inline_jobs():
        result = third_party.echo.enqueue()
        assert third_party.echo.get_result(result.id).task == third_party.echo


def test_a_task_waits_for_its_earliest_start():
    later = datetime.now(UTC) + timedelta(hours=1)
    with inline_jobs() as jobs:
        result = third_party.add.using(run_after=later).enqueue(1)
        assert jobs.finished == []
        waiting = third_party.add.get_result(result.id)
        assert (waiting.status, waiting.args, waiting.started_at) == (TaskResultStatus.READY, [1], None)
        jobs.run_waiting()
        result.refresh()
    assert result.return_value == 2


@pytest.mark.parametrize("run_after", [datetime(2030, 1, 1), datetime.now(UTC) + timedelta(days=400)])
def test_a_start_that_cannot_be_is_refused(run_after):
    with inline_jobs(), pytest.raises(InvalidTask, match="run_after"):
        third_party.add.using(run_after=run_after).enqueue(1)


def test_queues_are_the_engines_by_name_or_alias():
    with inline_jobs() as jobs:
        for name in ("default", "notifications", "cleanup"):
            result = third_party.add.using(queue_name=name).enqueue(1)
            assert third_party.add.get_result(result.id).task.queue_name == name
    assert [job.queue for job in jobs.finished] == ["reports", "notifications", "cleanup"]


def test_unknown_queues_are_refused(settings):
    with pytest.raises(InvalidTask, match="Queue 'urgent' is not valid for backend"):
        third_party.add.using(queue_name="urgent")
    settings.TASKS = {"default": configured(QUEUES=[])}
    with pytest.raises(InvalidTask, match=r"Queue 'urgent' is not valid for backend\. There are positions"):
        third_party.add.using(queue_name="urgent")
    third_party.add.using(queue_name="positions")


def test_arguments_are_checked_at_the_call():
    refused = [
        (third_party.add, (1, 2, 3), {}),
        (third_party.add, (), {}),
        (third_party.add, (1,), {"c": 2}),
        (third_party.describe, (), {}),
        (third_party.echo, (datetime.now(UTC),), {}),
        (third_party.echo, (object(),), {}),
        (third_party.echo, (float("nan"),), {}),
        (third_party.echo, ("a\x00b",), {}),
    ]
    with inline_jobs() as jobs:
        for task, args, kwargs in refused:
            with pytest.raises(TypeError):
                task.enqueue(*args, **kwargs)
    assert jobs.finished == []


def test_arguments_are_json_and_of_any_type():
    with inline_jobs():
        result = third_party.echo.enqueue((1, 2), b"text", key={"a": [None, True]})
        assert result.args == [[1, 2], "text"]
        result.refresh()
        typed = third_party.typed_by_name.enqueue("any")
        typed.refresh()
    assert result.return_value == [[[1, 2], "text"], {"key": {"a": [None, True]}}]
    assert typed.return_value == "any"


def test_the_context_has_the_result_as_it_is_in_this_attempt():
    with inline_jobs():
        result = third_party.describe.enqueue("note")
        result.refresh()
        retried = third_party.succeed_at.enqueue(3)
        retried.refresh()
    assert result.return_value == ["note", result.id, 1, "RUNNING", "default", 1]
    assert retried.return_value == [3, ["builtins.LookupError"] * 2]
    assert retried.attempts == 3
    assert retried.started_at < retried.last_attempted_at


def test_failures_are_kept_with_their_classes_and_tracebacks():
    with inline_jobs():
        result = third_party.fail.enqueue("broken")
        result.refresh()
    assert result.status == TaskResultStatus.FAILED
    assert [error.exception_class for error in result.errors] == [ValueError] * 5
    assert result.errors[0].traceback.endswith("ValueError: broken\n")
    assert (result.is_finished, result.attempts) == (True, 5)
    with pytest.raises(ValueError, match="Task failed"):
        result.return_value  # noqa: B018


@pytest.mark.parametrize(("task", "args"), [(third_party.return_object, ()), (third_party.return_much, (10**6,))])
def test_results_that_cannot_be_kept_fail_at_once(task, args):
    with inline_jobs(), recorded_signals(task_finished) as sent:
        result = task.enqueue(*args)
        result.refresh()
    assert (result.status, result.attempts) == (TaskResultStatus.FAILED, 1)
    assert result.errors[0].exception_class is UnserialisableResult
    assert [one["task_result"].status for one in sent[task_finished]] == [TaskResultStatus.FAILED]


def test_signals_of_a_success():
    statuses = {}
    with inline_jobs(), recorded_signals(task_enqueued, task_started, task_finished) as sent:
        # The result is one object that changes while the attempt runs: its status is noted at each signal.
        task_started.connect(note_started := lambda task_result, **_: statuses.update(started=task_result.status))
        result = third_party.add.enqueue(1)
        task_started.disconnect(note_started)
    (enqueued,), (started,), (finished,) = (sent[one] for one in (task_enqueued, task_started, task_finished))
    assert {one["sender"] for one in (enqueued, started, finished)} == {EngineBackend}
    assert {one["task_result"].id for one in (enqueued, started, finished)} == {result.id}
    assert statuses == {"started": TaskResultStatus.RUNNING}
    assert finished["task_result"].status == TaskResultStatus.SUCCESSFUL
    assert finished["task_result"].return_value == 2
    assert finished["task_result"].task == third_party.add


def test_task_finished_is_sent_once_for_a_job_that_is_tried_again():
    with inline_jobs(), recorded_signals(task_started, task_finished) as sent:
        third_party.succeed_at.enqueue(3)
        third_party.fail.enqueue("broken")
    assert len(sent[task_started]) == 3 + 5
    assert [(one["task_result"].status, one["task_result"].attempts) for one in sent[task_finished]] == [
        (TaskResultStatus.SUCCESSFUL, 3),
        (TaskResultStatus.FAILED, 5),
    ]


def test_an_error_of_a_receiver_changes_nothing():
    def broken(**_: object) -> None:
        raise RuntimeError("receiver")

    signals = (task_enqueued, task_started, task_finished)
    for one in signals:
        one.connect(broken)
    try:
        with inline_jobs() as jobs:
            third_party.add.enqueue(1)
    finally:
        for one in signals:
            one.disconnect(broken)
    assert [job.state for job in jobs.finished] == ["succeeded"]


@pytest.mark.parametrize("result_id", ["123", "", "not an id", 5, None, "00000000-0000-0000-0000-000000000000"])
def test_results_that_do_not_exist(result_id):
    with inline_jobs(), pytest.raises(TaskResultDoesNotExist):
        third_party.add.get_result(result_id)


def test_jobs_of_the_engines_own_tasks_are_no_results():
    from tests.support.probe import tasks as probe

    with inline_jobs():
        job = probe.probe_add.delay(1)
        with pytest.raises(TaskResultDoesNotExist, match="no declared task"):
            third_party.add.get_result(str(job))


def test_an_interrupt_ends_a_coroutine_before_its_worker_goes_on():
    """The coroutine runs in a thread of its own, which nothing else would end."""
    steps = []

    async def wait_long() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            steps.append("cleaned up")

    def interrupt(*_: object) -> None:
        raise JobTimeout("out of time")

    former = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(JobTimeout):
            run_coroutine(wait_long)
    finally:
        signal.signal(signal.SIGALRM, former)
    assert steps == ["cleaned up"]


# --- Only declared tasks run ---


def test_a_function_that_is_not_decorated_where_it_is_defined_is_refused():
    made_later = Task(func=third_party.plain, priority=0, backend="default", queue_name="default", run_after=None)
    foreign = Task(func=shutil.rmtree, priority=0, backend="default", queue_name="default", run_after=None)
    with inline_jobs() as jobs:
        for task in (made_later, foreign):
            with pytest.raises(InvalidTask, match="not decorated with @task where it is defined"):
                task.enqueue(1)
    assert jobs.finished == []


def test_a_task_of_a_module_that_workers_do_not_import_is_refused(settings):
    settings.TASKS = {"default": configured(MODULES=[])}
    with inline_jobs(), pytest.raises(InvalidTask, match=r"name its module in OPTIONS\['MODULES'\]"):
        third_party.add.enqueue(1)


def test_a_task_declared_for_another_kind_of_backend_is_refused(settings):
    package = task_backends["default"].__class__.__mro__[1].__module__.partition(".backends")[0]
    settings.TASKS = {
        "default": {"BACKEND": f"{package}.backends.dummy.DummyBackend"},
        "engine": configured(),
    }
    with inline_jobs(), pytest.raises(InvalidTask, match="declared for backend 'default'"):
        third_party.add.using(backend="engine").enqueue(1)


def test_names_lead_to_declared_functions_only():
    assert get_task(f"{MODULE}.add").name == f"{MODULE}.add"
    for name in ("shutil.copytree", "os.system", "add", f"{MODULE}.undefined", f"{MODULE}.Holder"):
        with pytest.raises(UnknownTask):
            get_task(name)
    with inline_jobs(), pytest.raises(UnknownTask):
        enqueue("os.system", "true")


def test_a_function_that_was_only_wrapped_in_a_task_never_runs():
    Task(func=third_party.plain, priority=0, backend="default", queue_name="default", run_after=None)
    with inline_jobs() as jobs:
        enqueue(f"{MODULE}.plain", 1)
    assert (jobs.finished[0].state, jobs.finished[0].error_class) == ("failed", "UnknownTask")


def test_no_module_is_imported_by_a_name(monkeypatch):
    monkeypatch.setattr("importlib.import_module", lambda name: pytest.fail(f"{name} was imported"))
    with pytest.raises(UnknownTask):
        get_task("antigravity.fly")


def test_a_method_of_a_class_is_found_by_its_qualified_name():
    with inline_jobs() as jobs:
        result = third_party.Holder.inside.enqueue(4)
        result.refresh()
    assert (jobs.finished[0].task, result.return_value) == (f"{MODULE}.Holder.inside", 8)


def test_a_path_that_no_row_can_keep_is_refused(monkeypatch):
    monkeypatch.setattr(declared, "MAX_TASK_CHARS", 10)
    with inline_jobs(), pytest.raises(InvalidTask, match="at most 10 characters"):
        third_party.add.enqueue(1)


def test_declared_tasks_go_on_no_schedule_and_have_no_permission():
    task = get_task(f"{MODULE}.add")
    assert (task.schedulable, task.permission, task.members, task.is_startable) == (False, None, None, False)
