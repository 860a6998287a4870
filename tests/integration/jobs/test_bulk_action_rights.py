"""As whom a job acts that cancels or retries many: the person who asked, with the rights that they have when it runs."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission

from tasks_app.engine import JobState, TaskNotPermitted
from tasks_app.models import BulkAction, Job, JobAction
from tasks_app.queries.access import SHELL
from tasks_app.queries.jobs import find_job, repeats_of
from tasks_app.services.jobs import ask_for_bulk_action, cancel_job, retry_job
from tests.integration.jobs.test_bulk_actions import result_of
from tests.support.jobs import make_due
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("verb", "codename"), [("cancel", "cancel_job"), ("retry", "retry_job"), ("run_now", "run_job_now")]
)
def test_each_verb_asks_for_its_own_permission(verb, codename, run_jobs, make_user):
    others = {"cancel_job", "retry_job", "run_job_now", "change_job", "delete_job", "pause_queue"} - {codename}
    able, unable = make_user(is_staff=True), make_user(is_staff=True)
    able.user_permissions.set(Permission.objects.filter(codename__in=["view_job", codename]))
    unable.user_permissions.set(Permission.objects.filter(codename__in=["view_job", *others]))
    waiting = probe.probe_add.apply_async((1,), countdown=999)
    with pytest.raises(TaskNotPermitted):
        ask_for_bulk_action(verb=verb, user=unable, job_ids=[waiting])
    job = ask_for_bulk_action(verb=verb, user=able, job_ids=[waiting])
    run_jobs("cleanup")
    assert result_of(job)["total"] == 1


def test_only_who_may_change_jobs_may_ask_and_the_job_asks_again(run_jobs, make_user):
    helper = make_user(is_staff=True)
    waiting = probe.probe_add.delay(1)
    with pytest.raises(TaskNotPermitted):
        ask_for_bulk_action(verb="cancel", user=helper, job_ids=[waiting])
    assert not BulkAction.objects.exists()
    helper.user_permissions.set(Permission.objects.filter(codename__in=["cancel_job", "view_job"]))
    helper = type(helper).objects.get(pk=helper.pk)
    job = ask_for_bulk_action(verb="cancel", user=helper, job_ids=[waiting])
    helper.user_permissions.clear()
    run_jobs("cleanup")
    make_due("cleanup")
    run_jobs("cleanup")
    assert find_job(job, user=SHELL).error_class == "TaskNotPermitted"
    assert find_job(waiting, user=SHELL).state is JobState.QUEUED


def test_it_acts_as_the_person_who_asked(run_jobs, make_user):
    """The permission of the verb is enough for any job; a task the person may not start is not started again."""
    helper = make_user(is_staff=True)
    helper.user_permissions.set(Permission.objects.filter(codename__in=["view_job", "cancel_job", "retry_job"]))
    failed = probe.probe_fail_for_good.delay("x")
    run_jobs("positions")
    waiting = probe.probe_add.delay(2)
    cancelling = ask_for_bulk_action(verb="cancel", user=helper, job_ids=[waiting])
    retrying = ask_for_bulk_action(verb="retry", user=helper, job_ids=[failed])
    run_jobs("cleanup")
    assert result_of(cancelling)["changed"] == 1
    assert result_of(retrying)["skipped"] == {"task_not_permitted": 1}
    assert JobAction.objects.get(verb="cancel").user == helper


def test_an_action_whose_person_is_gone_does_not_act_as_the_shell(run_jobs, staff, make_user):
    leaver = make_user(is_staff=True, is_superuser=True)
    waiting = probe.probe_add.delay(1)
    job = ask_for_bulk_action(verb="cancel", user=leaver, job_ids=[waiting])
    leaver.delete()
    run_jobs("cleanup")
    assert "was removed" in Job.objects.get(pk=job).error_message
    assert find_job(waiting, user=SHELL).state is JobState.QUEUED
    job = ask_for_bulk_action(verb="cancel", user=SHELL, job_ids=[waiting])
    run_jobs("cleanup")
    assert result_of(job)["changed"] == 1


def test_who_retries_the_job_of_another_person_does_not_get_their_rights(run_jobs, staff, make_user):
    helper = make_user(is_staff=True)
    helper.user_permissions.set(Permission.objects.filter(codename__in=["view_job", "retry_job"]))
    failed = probe.probe_fail_for_good.delay("x")
    run_jobs("positions")
    job = ask_for_bulk_action(verb="retry", user=staff, job_ids=[failed])
    cancel_job(job_id=job, user=staff)
    again = retry_job(job_id=job, user=helper)
    run_jobs("cleanup")
    assert result_of(again)["skipped"] == {"task_not_permitted": 1}
    assert repeats_of(failed) == []
