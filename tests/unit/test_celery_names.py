"""A project that comes from Celery: what is offered works under its names, the rest is refused with the alternative."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from tasks_app.engine import InvalidArguments, JobHandle, NotOffered, UnknownTask, chain, group, signature, task
from tasks_app.engine.celery_names import CALL_OPTIONS, TASK_OPTIONS
from tasks_app.engine.testing import inline_jobs
from tests.support.probe import tasks as probe

add: Any = probe.probe_add


@task(queue="reports")
def probe_three_numbers(first: int, second: str, third: str) -> None:
    """Take a number where an error has a text."""


@pytest.mark.parametrize("name", CALL_OPTIONS)
def test_an_option_of_a_call_is_refused_before_anything_is_made(name):
    with inline_jobs() as jobs:
        with pytest.raises(NotOffered, match=f"takes no {name}; here: "):
            add.apply_async([1], **{name: 1})
        with pytest.raises(NotOffered, match=f"takes no {name}; here: "):
            add.s(1).apply_async(**{name: 1})
    assert jobs.finished == []


@pytest.mark.parametrize("name", TASK_OPTIONS)
def test_an_option_of_a_task_is_refused_where_it_is_declared(name):
    declare: Any = task
    with pytest.raises(NotOffered, match=f"@task takes no {name}; here: "):
        declare(queue="positions", **{name: True})


def test_an_unknown_option_is_what_it_is_in_python():
    declare: Any = task
    for call in (lambda: add.apply_async([1], shadow="x"), lambda: declare(queue="positions", shadow="x")):
        with pytest.raises(TypeError, match="unexpected keyword argument 'shadow'"):
            call()
    with pytest.raises(ImproperlyConfigured, match="Options of @task are named"):
        declare("reports", queue="positions")


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda job: add.retry, "PermanentError"),
        (lambda job: add.request, "current_job"),
        (lambda job: job.ready, "state in FINAL_STATES"),
        (lambda job: job.revoke, "cancel"),
        (lambda job: add.s(1).set, "apply_async"),
        (lambda job: add.s(1).link, "on_success"),
    ],
)
def test_an_attribute_says_what_takes_its_place(ask: Callable[[Any], Any], words):
    with inline_jobs(), pytest.raises(AttributeError, match=f"; here: .*{words}"):
        ask(add.delay(1))


def test_an_attribute_of_nobody_is_missing_as_ever():
    job: Any = JobHandle("0a5c1b7e-6f3d-4a52-9d6b-2f4c8e1d7a90")
    assert not any(hasattr(one, "nonsense") for one in (add, add.s(1), job))
    assert pickle.loads(pickle.dumps(job)) == copy.deepcopy(job) == job


@pytest.mark.parametrize(
    "ask",
    [
        lambda job: job.get(propagate=False),
        lambda job: job.wait(timeout=5),
        lambda job: job.cancel(terminate=True),
        lambda job: add.s(1)(),
        lambda job: group(add.s(1))(),
        lambda job: add.s().delay(1),
        lambda job: add.s().apply_async([1]),
    ],
)
def test_a_call_in_the_way_of_celery_is_refused(ask: Callable[[Any], Any]):
    with inline_jobs():
        job = add.delay(1)
        with pytest.raises(NotOffered):
            ask(job)


def test_groups_and_chains_take_signatures_or_a_list_of_them():
    with inline_jobs():
        ways = [group(add.s(1), add.s(2)), group([add.s(1), add.s(2)]), group(add.s(one) for one in (1, 2))]
        assert {tuple(one.delay().get()) for one in ways} == {(2, 3)}
        assert chain([add.s(1), add.s()]).delay().get() == chain(add.s(1), add.s()).delay().get() == 3
    for wrong in (None, "ab", add, 5):
        with pytest.raises(InvalidArguments, match="is no signature"):
            group(wrong)


def test_a_callback_of_errors_takes_three_texts():
    """Its arguments are known before there is an error: an id, a class and a message."""
    with pytest.raises(InvalidArguments, match="Expected `int`, got `str`"):
        add.s(1).on_error(signature("probe_three_numbers"))


def test_a_name_of_a_task_is_a_text():
    with pytest.raises(UnknownTask, match="is no name of a task"):
        signature(add)
