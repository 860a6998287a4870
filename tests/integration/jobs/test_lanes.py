"""Jobs of one lane run one after the other, in the order in which they were accepted, whatever happens to them."""

from __future__ import annotations

import uuid

import pytest

from tasks_app.engine import InvalidArguments, JobState, QueueFull, QueueLanesChanged
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.ended_rows import record_ended
from tasks_app.engine.kept_connection import CallerClient
from tasks_app.engine.lanes import Lane, lane_number, part_of_job, queue_parts
from tasks_app.engine.live import repair_queue
from tasks_app.engine.streams import JobQueue
from tasks_app.engine.workers.worker import Worker
from tasks_app.models import Job
from tasks_app.queries.access import SHELL
from tasks_app.queries.jobs import JobFilters, list_jobs
from tests.support.jobs import queue_settings
from tests.support.probe import lanes as probe
from tests.support.probe.ledger import ledger

pytestmark = pytest.mark.django_db(transaction=True)

LANES = 16


def lane_of(key: str) -> Lane:
    return Lane("positions", client(), lane_number(key, LANES))


def keys_of_other_lanes(key: str, count: int) -> list[str]:
    """Return keys whose lanes differ from each other's and from that of `key`."""
    found = {lane_number(key, LANES): key}
    number = 0
    while len(found) <= count:
        number += 1
        found.setdefault(lane_number(f"other {number}", LANES), f"other {number}")
    return [other for other in found.values() if other != key]


def held_lane(key: str, consumer: str = "one") -> Lane:
    """Return the lane of a key, whose lease this consumer holds."""
    lane = lane_of(key)
    assert lane._run_call(lane.take_call(consumer)) == 1
    return lane


def claimed(lane: Lane, count: int = 10, consumer: str = "one") -> list[str]:
    """Return the ids of the jobs whose attempts begin now."""
    return [claim.job_id for claim in lane.fetch(consumer, count).claims]


def make_due(lane: Lane, job_id) -> None:
    """Let the time have come for which a job waits."""
    client().zadd(lane.keys.delayed, {str(job_id): 1})
    client().hset(lane.keys.job(str(job_id)), "due", 1)


def enqueue(key: str, *texts: str) -> list[str]:
    return [str(probe.lane_note.delay(key, text)) for text in texts]


def test_jobs_of_a_key_run_in_order_and_beside_jobs_without_one(run_jobs):
    for number in range(30):
        probe.lane_note.delay(["van", "bus", ""][number % 3], str(number))
    run_jobs()
    for key in ("van", "bus", ""):
        mine = [line for line in ledger() if line.startswith(f"{key} ")]
        assert mine == sorted(mine, key=lambda line: int(line.split()[-1]))
        assert len(mine) == 10
    assert Job.objects.filter(state="succeeded").count() == 30


def test_many_at_once_keep_their_order_and_ids(run_jobs):
    ids = [uuid.uuid4() for _ in range(50)]
    calls = [(f"van {number % 5}", f"{number}") for number in range(50)]
    assert probe.lane_note.enqueue_many(calls, job_ids=ids) == ids
    assert probe.lane_note.enqueue_many(calls, job_ids=ids) == ids, "a repeated call makes nothing twice"
    run_jobs()
    for key in range(5):
        numbers = [int(line.split()[-1]) for line in ledger() if line.startswith(f"van {key} ")]
        assert numbers == list(range(key, 50, 5))


def test_jobs_of_many_lanes_are_made_in_one_round_trip(monkeypatch):
    probe.lane_note.delay("first", "opens the lanes")
    trips = []
    send = CallerClient.evalsha_all
    monkeypatch.setattr(CallerClient, "evalsha_all", lambda self, calls: trips.append(calls) or send(self, calls))
    keys = ["first", *keys_of_other_lanes("first", LANES - 1)]
    ids = probe.lane_note.enqueue_many([(key, "text") for key in keys])
    assert len(trips) == 1
    assert [part_of_job("positions", client(), str(job_id)).keys.lane for job_id in ids] == [
        lane_of(key).keys.lane for key in keys
    ]


def test_a_job_that_is_retried_goes_before_its_followers(run_jobs):
    first = probe.lane_flaky.delay("van", "first", 2)
    enqueue("van", "second")
    enqueue(*keys_of_other_lanes("van", 1), "beside")
    lane = lane_of("van")
    for _ in range(2):
        run_jobs()
        assert "van second" not in ledger()
        assert first.state == JobState.RETRYING
        make_due(lane, first)
    run_jobs()
    assert ledger()[-2:] == ["van first", "van second"]
    assert ledger()[1].endswith("beside"), "other lanes go on meanwhile"
    assert Job.objects.get(pk=first).attempt_count == 3


def test_followers_in_the_hands_of_the_worker_are_handed_back_uncounted(run_jobs):
    probe.lane_flaky.delay("van", "first", 1)
    (second,) = enqueue("van", "second")
    worker = Worker("positions", "one", client())
    worker.jobs.add(worker.queue.fetch("one", 2).claims)
    worker._run_waiting()
    assert ledger() == ["van first failed"]
    live = client().hgetall(lane_of("van").keys.job(second))
    assert (live[b"st"], live[b"att"]) == (b"queued", b"0")


def test_released_jobs_stand_where_they_stood():
    ids = enqueue("van", "1", "2", "3", "4")
    lane = held_lane("van")
    claims = lane.fetch("one", 3).claims
    assert lane.release(claims[1:]) == 2
    assert lane.release(claims[1:]) == 0, "they are not owned any more"
    assert claimed(lane) == ids[1:]


def test_a_dead_workers_jobs_stand_where_they_stood_and_its_lane_is_free():
    ids = enqueue("van", "1", "2", "3", "4")
    lane = held_lane("van")
    lane.fetch("one", 3)
    assert lane._run_call(lane.recover_call("one", "was killed", [ids[0]])) == [3, 0]
    assert claimed(held_lane("van", "two"), consumer="two") == ids
    live = [client().hmget(lane.keys.job(job_id), "att", "lost", "rec") for job_id in ids[:2]]
    assert live == [[b"2", b"1", None], [b"1", None, b"1"]]


def test_a_job_that_kills_workers_holds_up_its_lane_and_then_fails(run_jobs):
    killing, following = enqueue("van", "killing", "following")
    lane = lane_of("van")
    for loss in range(3):
        held_lane("van")
        lane.fetch("one", 1)
        lane._run_call(lane.recover_call("one", "was killed", [killing]))
        if loss == 1:
            assert claimed(held_lane("van")) == []
            make_due(lane, killing)
            lane._run_call(lane.leave_call("one"))
    run_jobs()
    assert Job.objects.get(pk=killing).error_class == "JobLost"
    assert Job.objects.get(pk=following).state == "succeeded"


def test_a_lane_is_held_by_one_worker_and_by_no_other_served():
    enqueue("van", "1")
    lane = held_lane("van")
    assert lane._run_call(lane.take_call("two")) == 0
    assert claimed(lane, consumer="two") == []
    lane._run_call(lane.leave_call("two"))
    assert len(claimed(lane)) == 1


def test_who_leaves_a_lane_hands_back_what_it_had_begun():
    ids = enqueue("van", "1", "2")
    lane = held_lane("van")
    claims = lane.fetch("one", 2).claims
    assert lane._run_call(lane.leave_call("one")) == 1
    assert lane.still_owned(claims) == set()
    assert lane.finish([(claims[0], JobState.SUCCEEDED)]) == 0
    assert claimed(held_lane("van", "two"), consumer="two") == ids


def test_a_late_result_changes_nothing():
    (job_id,) = enqueue("van", "1")
    lane = held_lane("van")
    (late,) = lane.fetch("one", 1).claims
    lane._run_call(lane.recover_call("one", "was killed", None))
    (second,) = held_lane("van", "two").fetch("two", 1).claims
    assert lane.progress([late], None) == [-1]
    assert lane.retry(late, 1, []) is False
    assert lane.finish([(late, JobState.FAILED)]) == 0
    assert lane.finish([(second, JobState.SUCCEEDED)]) == 1
    assert client().hgetall(lane.keys.job(job_id)) == {b"st": b"succeeded"}


def test_own_attempts_are_read_again_after_a_lost_answer():
    ids = enqueue("van", "1", "2")
    lane = held_lane("van")
    first = lane.fetch("one", 2).claims
    assert lane.fetch("one", 2, own=True).claims == first
    assert [claim.job_id for claim in first] == ids


def test_a_scheduled_job_takes_its_place_in_line_when_it_is_due(run_jobs):
    later = probe.lane_note.apply_async(("van", "later"), countdown=600)
    enqueue("van", "now")
    make_due(lane_of("van"), later)
    enqueue("van", "after")
    assert lane_of("van").promote()[0] == 1
    enqueue("van", "last")
    run_jobs()
    assert ledger() == [f"van {text}" for text in ("now", "after", "later", "last")]


@pytest.mark.parametrize("key", ["", "x" * 201, 5, ["van"]])
def test_improper_keys_are_refused_before_anything_is_made(key):
    with pytest.raises(InvalidArguments, match="lane key"):
        probe.lane_any.enqueue_many([("van",), (key,)])
    assert not any(client().exists(part.keys.queued) for part in queue_parts("positions", client()))


def test_a_priority_is_refused_in_a_lane():
    with pytest.raises(InvalidArguments, match="priority"):
        probe.lane_note.apply_async(("van", "1"), priority="high")
    probe.lane_note.apply_async(("", "in no lane"), priority="high")


def test_a_full_lane_refuses_and_names_itself(settings):
    settings.TASK_ENGINE = {**settings.TASK_ENGINE, "MAX_QUEUE_DEPTH": 2 * LANES}
    engine_config.cache_clear()
    try:
        enqueue("van", "1", "2")
        with pytest.raises(QueueFull, match=f"Lane {lane_of('van').number} of queue 'positions' holds 2 jobs"):
            enqueue("van", "3")
        other = keys_of_other_lanes("van", 1)[0]
        with pytest.raises(QueueFull):
            probe.lane_note.enqueue_many([("van", "3"), (other, "1")])
        # Made in the same round trip, and not for nothing.
        assert client().zcard(lane_of(other).keys.queued) == 1
    finally:
        engine_config.cache_clear()


def test_a_unique_key_makes_one_job_while_it_lives(run_jobs):
    first = probe.lane_note.apply_async(("van", "1"), unique_key="once")
    assert probe.lane_note.apply_async(("van", "2"), unique_key="once") == first
    run_jobs()
    assert probe.lane_note.apply_async(("van", "3"), unique_key="once") != first


def test_jobs_that_lost_their_place_go_back_in_line(run_jobs):
    ids = enqueue("van", "1", "2")
    lane = lane_of("van")
    client().zrem(lane.keys.queued, ids[0])
    client().hset(lane.keys.job(str(uuid.uuid4())), mapping={"st": "queued"})
    found = {"lost_jobs": 1, "job_remains": 1, "unique_keys": 0, "consumers": 0}
    assert repair_queue("positions", apply=False) == found
    assert repair_queue("positions", apply=True) == found
    run_jobs()
    assert sorted(ledger()) == ["van 1", "van 2"]
    assert repair_queue("positions", apply=True) == dict.fromkeys(found, 0)


def test_a_damaged_hash_holds_up_no_other(run_jobs):
    bad, _ = enqueue("van", "bad", "good")
    client().delete(lane_of("van").keys.job(bad))
    client().set(lane_of("van").keys.job(bad), "text")
    run_jobs()
    assert ledger() == ["van good"]


def test_a_job_damaged_in_the_hands_of_its_worker_is_taken_off():
    ids = enqueue("van", "1", "2")
    lane = held_lane("van")
    claims = lane.fetch("one", 2).claims
    client().delete(lane.keys.job(ids[0]))
    client().set(lane.keys.job(ids[0]), "text")
    assert lane.finish([(claim, JobState.SUCCEEDED) for claim in claims]) == 2
    assert client().zcard(lane.keys.running) == 0


def test_a_stored_success_is_not_run_again(run_jobs):
    job = enqueue("van", "1")[0]
    worker = Worker("positions", "one", client())
    worker.jobs.add(worker.queue.fetch("one", 1).claims)
    worker._run_next(worker.jobs.begin_next("positions", flush=worker.results.flush))
    worker.results._queue = JobQueue("positions", client())
    worker.results.flush()
    lane = lane_of("van")
    lane._run_call(lane.recover_call("one", "was killed", []))
    run_jobs()
    assert ledger() == ["van 1"]
    assert Job.objects.get(pk=job).state == "succeeded"
    assert part_of_job("positions", client(), job).keys.lane == lane.number
    assert record_ended(JobQueue("positions", client())) == 0


def test_the_number_of_lanes_is_that_of_the_first(settings):
    enqueue("van", "1")
    with queue_settings(settings, lanes=8), pytest.raises(QueueLanesChanged, match=r"has 16 lanes; .* says 8"):
        enqueue("van", "2")


@pytest.mark.parametrize("limit", [1, 7])
def test_pages_of_queued_jobs_are_in_order_however_unevenly_they_lie_in_the_lanes(limit):
    others = keys_of_other_lanes("busy", 5)
    made = [
        job for number in range(30) for job in enqueue("busy" if number % 10 else others[number // 10], str(number))
    ]
    found, cursor = [], None
    while not found or cursor:
        page = list_jobs(user=SHELL, filters=JobFilters(state=JobState.QUEUED), limit=limit, cursor=cursor)
        found, cursor = found + [str(job.id) for job in page.jobs], page.next_cursor
    whole = list_jobs(user=SHELL, filters=JobFilters(state=JobState.QUEUED), limit=200).jobs
    assert found == [str(job.id) for job in whole]
    assert sorted(found) == sorted(made)
    busy = [job for number, job in enumerate(made) if number % 10]
    assert [job for job in found if job in busy] == busy[::-1]
