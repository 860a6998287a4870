"""Calls that are split become a group and its parts in one transaction: all of it is there, or nothing."""

from __future__ import annotations

from unittest import mock
from uuid import uuid4

import pytest
import redis

from tasks_app.engine import QueueFull, QueueLanesChanged, QueueUnavailable
from tasks_app.engine.connection import client
from tasks_app.engine.kept_connection import CallerClient
from tasks_app.engine.lanes import lanes_of
from tasks_app.engine.streams import JobQueue
from tests.integration.jobs.test_groups import remaining_keys
from tests.support.jobs import queue_limit
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)
NUMBERS = [5, 6, 7]


def waiting() -> int:
    """Return how many parts wait in lanes."""
    return sum(client().zcard(lane.keys.queued) for lane in lanes_of("positions", client()))


def test_no_plan_is_written_and_nothing_is_left_to_be_made(run_jobs):
    job = probe.probe_split.delay(NUMBERS)
    keys = JobQueue("positions", client()).keys
    assert not client().exists(keys.plan(str(job)), keys.making)
    assert waiting() == len(NUMBERS)
    run_jobs()
    assert job.get(0) == {"0": 5, "1": 6, "2": 7}


def test_the_same_id_makes_it_once_also_when_parts_have_ended_and_are_forgotten(run_jobs):
    job_id = uuid4()
    job = probe.probe_split.apply_async((NUMBERS,), job_id=job_id)
    lane = next(lane for lane in lanes_of("positions", client()) if client().zcard(lane.keys.queued))
    client().set(lane.keys.lease, "one")
    claims = lane.fetch("one", 1).claims
    part = claims[0].job_id
    # As a part that ended is, after a minute.
    client().zrem(lane.keys.running, part)
    client().delete(lane.keys.job(part))
    assert probe.probe_split.apply_async((NUMBERS,), job_id=job_id) == job
    assert not client().exists(lane.keys.job(part))
    client().delete(lane.keys.lease)


def test_scripts_that_the_server_forgot_are_loaded_and_all_of_it_is_made(run_jobs):
    client().script_flush()
    job = probe.probe_split.delay(NUMBERS)
    assert waiting() == len(NUMBERS)
    run_jobs()
    assert job.state == "succeeded"


def test_an_answer_that_is_lost_makes_nothing_twice(run_jobs):
    sent = CallerClient._exchange

    def lost(caller, commands):
        sent(caller, commands)

    with mock.patch.object(CallerClient, "_exchange", lost):
        job = probe.probe_split.delay(NUMBERS)
    assert waiting() == len(NUMBERS)
    run_jobs()
    assert job.get(0) == {"0": 5, "1": 6, "2": 7}


def test_a_queue_full_of_groups_takes_no_other_and_nothing_of_it_is_there(settings):
    with queue_limit(settings, 5):
        probe.probe_split.delay(NUMBERS)
        probe.probe_split.delay([8, 9])
        with pytest.raises(QueueFull, match="leaves no room for 4 more"):
            probe.probe_split.delay([1, 2, 3, 4])
    assert waiting() == 5


def test_a_part_without_memory_for_it_is_refused_with_all_of_it():
    whole = CallerClient.evalsha_whole

    def out_of_memory(caller, calls):
        answers = whole(caller, calls)
        return [*answers[:-2], redis.ResponseError("OOM command not allowed"), answers[-1]]

    with (
        mock.patch.object(CallerClient, "evalsha_whole", out_of_memory),
        mock.patch("tasks_app.engine.enqueueing.run_scripts", side_effect=redis.ResponseError("OOM")),
        pytest.raises(QueueUnavailable, match="did not take the job"),
    ):
        probe.probe_split.delay(NUMBERS)
    keys = JobQueue("positions", client()).keys
    assert not client().exists(keys.groups)


def test_lanes_of_another_number_refuse_all_of_it():
    queue = JobQueue("positions", client())
    client().set(queue.keys.lane_count, 3)
    for lane in lanes_of("positions", client()):
        client().set(lane.keys.lane_keys[-1], 3)
    with pytest.raises(QueueLanesChanged):
        probe.probe_split.delay(NUMBERS)
    assert (waiting(), client().exists(queue.keys.groups)) == (0, 0)
    assert not [key for key in remaining_keys() if ":job:" in str(key) or ":members:" in str(key)]
