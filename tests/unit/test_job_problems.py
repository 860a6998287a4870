"""Errors of jobs as the API answers them: one status, code and sentence for each."""

from __future__ import annotations

import pytest
from django.utils import translation

from tasks_app import exceptions
from tasks_app.api.errors import JOB_SENTENCES, problem_of
from tasks_app.engine import JobState

RUNNING, FAILED = JobState.RUNNING, JobState.FAILED
NOT_LATER = "The job does not wait for a later time: running."


@pytest.mark.parametrize(
    ("error", "status", "code", "detail", "state"),
    [
        (exceptions.JobNotFound(), 404, "not_found", "Not found.", None),
        (exceptions.QueueNotFound(), 404, "unknown_queue", "There is no such queue.", None),
        (exceptions.TaskNotFound(), 404, "unknown_task", "There is no such task.", None),
        (exceptions.WorkerNotFound(), 404, "unknown_worker", "There is no such worker.", None),
        (exceptions.WorkerLimit("The last one."), 409, "worker_limit", "The last one.", None),
        (exceptions.JobNotRepeatable("Its file is gone."), 409, "job_not_repeatable", "Its file is gone.", None),
        (exceptions.JobAlreadyFinished(FAILED), 409, "job_already_finished", "The job has ended already: failed.", FAILED),
        (exceptions.JobStillLive(RUNNING), 409, "job_still_live", "The job has not ended yet: running.", RUNNING),
        (exceptions.JobNotWaiting(RUNNING), 409, "job_not_waiting", NOT_LATER, RUNNING),
        (exceptions.JobWaitsNoMore(RUNNING), 409, "job_not_waiting", "The job does not wait any more: running.", RUNNING),
        (exceptions.PriorityNotChangeable(RUNNING, "In a lane."), 409, "priority_not_changeable", "In a lane.", RUNNING),
    ],
)  # fmt: skip
def test_each_error_has_its_answer(error, status, code, detail, state):
    problem = problem_of(error)
    assert (problem.status_code, problem.code, problem.detail) == (status, code, detail)
    assert problem.extra == ({"state": str(state)} if state else {})


def test_the_sentences_are_in_the_readers_language():
    english = {kind: str(sentence) for kind, sentence in JOB_SENTENCES.items()}
    with translation.override("pt-br"):
        assert [kind for kind, sentence in JOB_SENTENCES.items() if str(sentence) == english[kind]] == []
