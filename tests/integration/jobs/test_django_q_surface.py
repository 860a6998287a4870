"""The functions, commands and signals of django-q2 work with this engine."""

from __future__ import annotations

from datetime import timedelta

import django_q.models
import django_q.tasks
import pytest
from django.conf import settings as django_settings
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import Schedule
from django_q.signals import post_execute, pre_enqueue, pre_execute

from tasks_app.engine import InvalidArguments, NotOffered, UnknownTask
from tasks_app.engine.broker import RedisStreamsBroker
from tasks_app.models import Job
from tasks_app.services.schedules.actions import run_due_schedules
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def received_signals():
    """Return name of a signal -> its task, for the length of a test."""
    seen: dict[str, dict] = {}
    receivers = []
    for name, signal in {"pre_enqueue": pre_enqueue, "pre_execute": pre_execute, "post_execute": post_execute}.items():

        def receiver(sender, task, name=name, **kwargs):
            seen[name] = dict(task)

        signal.connect(receiver, weak=False)
        receivers.append((signal, receiver))
    yield seen
    for signal, receiver in receivers:
        signal.disconnect(receiver)


def test_the_configured_broker_is_ours():
    broker = get_broker("positions")
    assert isinstance(broker, RedisStreamsBroker)
    assert broker.ping()
    assert "streams" in broker.info()


def test_async_task_takes_names_dotted_paths_and_tasks(run_jobs):
    ids = [
        django_q.tasks.async_task("probe_add", 1, b=2),
        django_q.tasks.async_task("tests.support.probe.tasks.probe_add", 3),
        django_q.tasks.async_task(probe.probe_add, 5),
    ]
    assert get_broker().queue_size() == 3
    run_jobs()
    assert [Job.objects.get(pk=job_id).result for job_id in ids] == [3, 4, 6]


@pytest.mark.parametrize("function", ["os.system", "builtins.eval", "math.copysign", print])
def test_async_task_refuses_what_is_no_registered_task(function):
    with pytest.raises(UnknownTask):
        django_q.tasks.async_task(function, "true")
    assert get_broker().queue_size() == 0


def test_its_signals_are_sent(run_jobs, received_signals):
    job_id = django_q.tasks.async_task("probe_add", 1, b=2)
    assert received_signals["pre_enqueue"]["func"] == "probe_add"
    run_jobs()
    assert received_signals["pre_execute"]["func"] == "probe_add"
    assert str(received_signals["post_execute"]["id"]).replace("-", "") == job_id
    assert received_signals["post_execute"]["success"] is True


def test_a_receiver_that_raises_harms_nobody(run_jobs):
    def receiver(sender, **kwargs):
        raise RuntimeError("bad receiver")

    pre_execute.connect(receiver)
    try:
        job_id = probe.probe_add.delay(1)
        run_jobs()
    finally:
        pre_execute.disconnect(receiver)
    assert Job.objects.get(pk=job_id).state == "succeeded"


def test_schedule_makes_a_row_that_runs(run_jobs):
    due = timezone.now() - timedelta(seconds=1)
    row = django_q.tasks.schedule("probe_add", 4, b=5, schedule_type=Schedule.HOURLY, next_run=due)
    run_due_schedules(timezone.now())
    run_jobs()
    row.refresh_from_db()
    job = Job.objects.get(pk=row.task)
    assert (job.result, job.schedule_id) == (9, row.pk)
    assert row.next_run > timezone.now()


@pytest.mark.parametrize(
    ("args", "kwargs"), [((), {}), ((1, 2, 3), {}), ((1,), {"c": 2}), ((1,), {"intended_date_kwarg": "c"})]
)
def test_a_schedule_with_arguments_that_its_task_does_not_take_is_refused(args, kwargs):
    with pytest.raises(InvalidArguments):
        django_q.tasks.schedule("probe_add", *args, **kwargs)
    assert not Schedule.objects.exists()
    django_q.tasks.schedule("probe_add", 1, intended_date_kwarg="b")


def test_a_broker_of_another_queue_is_refused_as_that_queue_is(run_jobs):
    with pytest.raises(NotOffered, match="'reports' for a task of queue 'positions'"):
        django_q.tasks.async_task("probe_add", 1, broker=get_broker("reports"))
    with pytest.raises(NotOffered, match="'reports' for a task of queue 'positions'"):
        django_q.tasks.async_chain([("probe_add", (1,))], broker=get_broker("reports"))
    made = [django_q.tasks.async_task("probe_add", 1, broker=get_broker(name)) for name in ("positions", None)]
    run_jobs()
    assert [django_q.tasks.result(job_id) for job_id in made] == [2, 2]


def test_a_schedule_of_something_else_is_switched_off_and_the_others_run(run_jobs):
    due = timezone.now() - timedelta(seconds=1)
    # For an hour it may be a task of another version's.
    unknown = {"func": "os.system", "args": "'true'", "next_run": due - timedelta(hours=1)}
    bad = Schedule.objects.create(schedule_type=Schedule.HOURLY, **unknown)
    good = Schedule.objects.create(func="probe_add", args="1", schedule_type=Schedule.HOURLY, next_run=due)
    run_due_schedules(timezone.now())
    bad.refresh_from_db()
    good.refresh_from_db()
    assert not bad.state.is_enabled
    assert "os.system" in bad.state.last_error
    assert good.task
    run_jobs()
    assert Job.objects.filter(task="send_system_alert", state="succeeded", args__0__icontains="switched off").exists()


def test_nothing_of_it_writes_pickles(run_jobs):
    """django-q2 keeps its tasks in a table of pickles; ours stays empty."""
    django_q.tasks.async_task("probe_add", 1)
    run_jobs()
    assert not django_q.models.Task._base_manager.exists()
    assert django_settings.Q_CLUSTER["broker_class"].startswith("tasks_app.engine.")
