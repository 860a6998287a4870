"""A Redis that is far away: each round trip is one in which nothing is done, so they are counted."""

from __future__ import annotations

import pytest
import redis
from redis.connection import AbstractConnection

from tasks_app.engine.connection import client, worker_client
from tasks_app.engine.lanes import lanes_of
from tasks_app.engine.scripts import run_scripts
from tasks_app.engine.workers import worker as worker_module
from tasks_app.engine.workers.worker import Worker
from tasks_app.models import Job
from tests.support.probe import tasks as probe
from tests.support.probe.batched import batches, probe_batched

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def round_trips(monkeypatch):
    """The round trips of the client of a worker, each a note."""
    found = []
    send = AbstractConnection.send_packed_command

    def noted(connection, *arguments, **options):
        found.append(arguments)
        return send(connection, *arguments, **options)

    far = worker_client()
    far.ping()
    monkeypatch.setattr(AbstractConnection, "send_packed_command", noted)
    yield far, found
    far.close()


def test_scripts_that_redis_forgot_are_sent_together(round_trips):
    far, found = round_trips
    client().script_flush()
    found.clear()
    calls = [lane.promote_call() for lane in lanes_of("positions", far)]
    assert len(calls) > 2
    assert run_scripts(far, calls) == [[0, -1]] * len(calls)
    assert len(found) == 2


def test_an_error_of_a_script_that_redis_forgot_is_raised_or_is_its_answer():
    lane = lanes_of("positions", client())[0]
    calls = [lane.promote_call(), ("lane_promote", lane.keys.lane_keys, [])]
    client().script_flush()
    with pytest.raises(redis.ResponseError):
        run_scripts(client(), calls)
    client().script_flush()
    answer, error = run_scripts(client(), calls, raise_errors=False)
    assert answer == [0, -1]
    assert isinstance(error, redis.ResponseError)


def test_jobs_that_take_longer_than_expected_go_to_other_workers(monkeypatch):
    """A worker that took many at once, since those before them were short, does not keep them from idle ones."""
    monkeypatch.setattr(worker_module, "HAND_BACK_SECONDS", 0.0)
    ids = [probe.probe_add.delay(number) for number in range(5)]
    one = Worker("positions", "one", client())
    one.fetch_size.average_seconds = 0.0
    two = Worker("positions", "two", client())
    assert one.turn(None) < 5
    assert Job.objects.count() < 5
    while two.turn(None):
        pass
    assert set(Job.objects.filter(pk__in=ids).values_list("state", "attempt_count")) == {("succeeded", 1)}
    assert Job.objects.count() == 5


def test_halves_of_a_batch_stay_together_however_long_they_take(monkeypatch):
    """Handed back, they would be fetched as the whole that failed before, time and again."""
    monkeypatch.setattr(worker_module, "HAND_BACK_SECONDS", 0.0)
    ids = [probe_batched.delay(text) for text in ("a", "b", "poison", "d")]
    worker = Worker("positions", "one", client())
    worker.jobs.add(worker.queue.fetch("one", 4).claims)
    worker._run_waiting()
    assert batches()[:3] == ["a b poison d", "a b", "poison d"]
    assert Job.objects.filter(pk__in=ids, state="succeeded").count() == 3
