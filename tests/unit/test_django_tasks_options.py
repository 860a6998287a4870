"""The options of the backend of `django.tasks`: limits, queues, modules, and settings that would be ignored."""

from __future__ import annotations

import environ
import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from tasks_app.engine import NotOffered, get_task
from tasks_app.engine.config import engine_config
from tasks_app.engine.django_tasks.framework import (
    InvalidTask,
    task_backends,
)
from tasks_app.engine.testing import inline_jobs
from tests.support.declared_tasks import MODULE, configured
from tests.support.third_party import tasks as third_party
from trackerproject.queues import declared_tasks


@pytest.fixture(autouse=True)
def backends(settings):
    settings.TASKS = {"default": configured()}


def test_limits_are_those_of_the_queue_unless_options_say_otherwise(settings):
    task = get_task(f"{MODULE}.add")
    reports, cleanup = engine_config().queue("reports"), engine_config().queue("cleanup")
    assert (task.timeout_seconds, task.retry_policy.max_attempts) == (reports.timeout_seconds, reports.max_attempts)
    assert task.on_queue("cleanup").timeout_seconds == cleanup.timeout_seconds
    settings.TASKS = {"default": configured(MAX_ATTEMPTS=1, TIMEOUT_SECONDS=7)}
    assert (task.timeout_seconds, task.retry_policy.max_attempts) == (7, 1)
    assert task.on_queue("cleanup").retry_policy.base_seconds == cleanup.backoff_seconds
    with inline_jobs():
        result = third_party.fail.enqueue("once")
        result.refresh()
    assert result.attempts == 1


def test_a_backend_with_other_limits_than_the_tasks_own_is_refused(settings):
    settings.TASKS = {"default": configured(), "patient": configured(MAX_ATTEMPTS=9), "same": configured()}
    with inline_jobs() as jobs:
        third_party.add.using(backend="same").enqueue(1)
        with pytest.raises(InvalidTask, match="MAX_ATTEMPTS of backend 'patient' is not that of 'default'"):
            third_party.add.using(backend="patient").enqueue(1)
    assert len(jobs.finished) == 1


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"OPTIONS": {"MAX_ATTEMPT": 1}}, "['MAX_ATTEMPT'] has no meaning"),
        ({"OPTIONS": {"MAX_ATTEMPTS": 0}}, "['MAX_ATTEMPTS'] must be a whole number from 1"),
        ({"OPTIONS": {"MAX_ATTEMPTS": True}}, "['MAX_ATTEMPTS'] must be a whole number from 1"),
        ({"OPTIONS": {"TIMEOUT_SECONDS": "60"}}, "['TIMEOUT_SECONDS'] must be a number of seconds"),
        ({"OPTIONS": {"QUEUE_ALIASES": ["default"]}}, "['QUEUE_ALIASES'] must be a dict"),
        ({"OPTIONS": {"QUEUE_ALIASES": {"default": "urgent"}}}, "leads to 'urgent', which is no queue"),
        ({"OPTIONS": {"QUEUE_ALIASES": {"mail": "reports"}}}, "has 'mail', which is not in QUEUES"),
        ({"OPTIONS": {"MODULES": "tests"}}, "['MODULES'] must be a list"),
        ({"OPTIONS": {"MODULES": ["does.not.exist"]}}, "has 'does.not.exist', which is no module"),
        ({"OPTIONS": {"ENQUEUE_ON_COMMIT": 1}}, "['ENQUEUE_ON_COMMIT'] must be True or False"),
        ({"QUEUES": ["urgent"], "OPTIONS": {}}, "['QUEUES'] has 'urgent', which is no queue"),
        ({"ENQUEUE_ON_COMMIT": True}, "['ENQUEUE_ON_COMMIT'] has no meaning"),
    ],
)
def test_settings_that_would_be_ignored_are_errors(settings, changed, problem):
    settings.TASKS = {"default": {**configured(), "QUEUES": ["default", "reports", "cleanup", "positions"], **changed}}
    found = [error.msg for error in task_backends["default"].check() if error.id == "tasks_app.E008"]
    assert any(problem in message for message in found), found
    assert all(message.startswith("TASKS['default'][") for message in found)
    # Some servers start without the checks.
    with inline_jobs(), pytest.raises((ImproperlyConfigured, InvalidTask)):
        third_party.add.enqueue(1)


def test_proper_settings_pass_the_check():
    assert not [found for found in run_checks() if "TASKS" in str(found.msg)]
    assert list(task_backends["default"].check()) == []


def test_django_qs_async_task_takes_declared_tasks_with_its_own_options():
    from django_q.tasks import async_task

    with inline_jobs() as jobs:
        async_task(f"{MODULE}.add", 1, b=2, timeout=60)
        with pytest.raises(NotOffered):
            async_task(f"{MODULE}.add", 1, cluster="positions")
    assert jobs.finished[0].result == 3


def test_the_environment_adds_queue_aliases_and_modules(monkeypatch):
    assert declared_tasks(["reports"], environ.Env())["default"]["OPTIONS"] == {
        "QUEUE_ALIASES": {"default": "reports"},
        "MODULES": [],
    }
    monkeypatch.setenv("DJANGO_TASKS_QUEUES", "default=cleanup,emails=notifications")
    monkeypatch.setenv("DJANGO_TASKS_MODULES", "one.jobs,two.jobs")
    changed = declared_tasks(["reports"], environ.Env())["default"]
    assert changed["QUEUES"] == ["default", "emails", "reports"]
    assert changed["OPTIONS"] == {
        "QUEUE_ALIASES": {"default": "cleanup", "emails": "notifications"},
        "MODULES": ["one.jobs", "two.jobs"],
    }
