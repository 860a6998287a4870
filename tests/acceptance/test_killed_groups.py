"""A real cluster of which a process is killed (SIGKILL) between two steps of a group, a chain or a callback."""

from __future__ import annotations

import signal
import subprocess
import sys
from uuid import uuid4

import pytest

from tasks_app.engine import JobHandle, chain, chord
from tasks_app.engine.connection import client
from tasks_app.models import Job
from tests.support.cluster import ROOT, ClusterProcess, allowed, environment, running_cluster, wait_until
from tests.support.probe import crashes
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)

# What follows the row of a job, in its order.
POINTS = ["Follower.follow", "RedisGroups._advance", "RedisGroups.plan", "WorkerQueue.finish"]
EFFECTS = ["called 7", "part 1", "part 2", "part 7", "total 11", "whole 11"]


def start(folder, **variables: str):
    return running_cluster(folder, "--name", "positions", "--name", "reports", "--workers", "2", **variables)


def whole():
    """Return a chord with a chain in it and callbacks, on two queues: it has the EFFECTS."""
    called = probe.probe_part.s(7).on_success(probe.probe_result.s("called"))
    steps = chain(probe.probe_part.s(2), probe.probe_add.s(1))
    return chord([probe.probe_part.s(1), steps, called], probe.probe_total.s()).on_success(
        probe.probe_result.s("whole")
    )


def wait_for_effects(effects: list[str]) -> None:
    wait_until(lambda: len(probe.ledger()) >= len(effects), 60, lambda: str(probe.ledger()))


def wait_for_one_death(cluster: ClusterProcess) -> None:
    """The others may have had all the effects before the cluster notices it."""
    wait_until(lambda: cluster.log.read_bytes().count(b"was killed by SIGKILL; starting another") == 1, 60)


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("point", POINTS)
def test_a_worker_is_killed_between_two_steps(tmp_path, point, number):
    if (point, number) == ("RedisGroups.plan", 3):
        number = 2
    job = whole().delay()
    with start(tmp_path, PROBE_DIES_AT=f"{point} {number}") as cluster:
        assert job.get(allowed(60)) == 11
        wait_for_effects(EFFECTS)
        wait_for_one_death(cluster)
        wait_until(lambda: not Job.objects.filter(state="failed").exists(), what="no failures")
    assert sorted(probe.ledger()) == EFFECTS
    assert int(client().get(crashes.deaths_key())) > number


def test_the_scheduler_is_killed_in_its_sweep_of_what_a_killed_caller_left(tmp_path):
    job_id = uuid4()
    script = (
        "import sys, uuid, django; django.setup()\n"
        "from tests.support.probe import tasks as probe\n"
        "probe.probe_part.enqueue_group([(1,), (2,)], indexes=[[0], [1]], job_id=uuid.UUID(sys.argv[1]))"
    )
    # The group is begun, and its caller dies before it has noted that all members are made.
    variables = environment(PROBE_DIES_AT="RedisGroups._advance 1")
    command = [sys.executable, "-c", script, str(job_id)]
    died = subprocess.run(command, cwd=ROOT, env=variables, timeout=allowed(60), check=False)
    assert died.returncode == -signal.SIGKILL
    assert JobHandle(job_id).state == "running"
    client().delete(crashes.deaths_key())
    with start(tmp_path, PROBE_DIES_AT="GroupSweeper.turn 4") as cluster:
        assert JobHandle(job_id).get(allowed(60)) == {"0": 1, "1": 2}
        # On a busy machine the group may be old enough for a turn before that one.
        wait_for_one_death(cluster)
    assert sorted(probe.ledger()) == ["part 1", "part 2"]
