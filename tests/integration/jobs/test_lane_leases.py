"""Leases of lanes: shared out among workers, given up, taken from the dead, and fenced in PostgreSQL."""

from __future__ import annotations

import threading

import pytest
from django.db import OperationalError, connection, transaction
from django.db.transaction import TransactionManagementError

from tasks_app.engine.clusters.cluster import Cluster
from tasks_app.engine.clusters.housekeeping import Housekeeping
from tasks_app.engine.connection import client
from tasks_app.engine.lanes import lanes_of, leases, ring_for_any_lane
from tasks_app.engine.scripts import run_scripts
from tasks_app.engine.slots import Slots
from tasks_app.engine.streams import JobQueue, ring_call
from tasks_app.engine.workers.worker import Worker
from tasks_app.models import Job, LaneLease
from tasks_app.services.jobs.store import claim_lanes, hold_lanes
from tests.support.probe import lanes as probe
from tests.support.probe.ledger import ledger
from tests.support.threads import in_threads
from trackerproject.dev.soak.ledger import count_effects, create_ledger

pytestmark = pytest.mark.django_db(transaction=True)


def holders() -> dict[int, str]:
    names = {lane.number: client().get(lane.keys.lease) for lane in lanes_of("positions", client())}
    return {number: name.decode() for number, name in names.items() if name}


def counts() -> dict[str, int]:
    names = list(holders().values())
    return {name: names.count(name) for name in set(names)}


def worker(name: str) -> Worker:
    """Return a worker that has looked for lanes."""
    made = Worker("positions", name, client())
    look(made)
    return made


def look(*workers: Worker) -> None:
    for one in workers:
        one.leases.look_soon()
        one.leases.look_if_due()


# --- Sharing ---


def test_one_worker_holds_all_lanes_and_two_share_them():
    one = worker("one")
    assert counts() == {"one": 16}
    two = worker("two")
    assert counts() == {"one": 16}
    look(one, two)
    assert counts() == {"one": 8, "two": 8}
    assert {*one.leases.held, *two.leases.held} == set(range(16))
    two.shut_down()
    look(one)
    assert counts() == {"one": 16}


def test_a_worker_that_does_not_look_any_more_is_not_counted():
    one, two = worker("one"), worker("two")
    look(one, two)
    client().zadd(JobQueue("positions", client()).keys.lane_workers, {"two": 1})
    two.leases.leave(list(two.leases.held))
    look(one)
    assert counts() == {"one": 16}


def test_a_lease_taken_in_an_answer_that_was_lost_is_taken_anew():
    one = worker("one")
    one.leases.held.clear()
    look(one)
    look(one)
    assert len(one.leases.held) == 16
    assert set(LaneLease.objects.values_list("epoch", flat=True)) == {2}


def test_leases_are_given_back_when_postgresql_refuses_the_claim(monkeypatch):
    def refuse(*args: object) -> dict[int, int]:
        raise OperationalError("away")

    store = leases.job_store()
    monkeypatch.setattr(store, "claim_lanes", refuse)
    with pytest.raises(OperationalError):
        worker("one")
    assert not holders()


def test_in_a_long_job_a_worker_keeps_one_lane_if_there_is_another_worker():
    job = probe.lane_note.delay("van", "1")
    one = worker("one")
    one.jobs.add(one.queue.fetch("one", 1).claims)
    running = one.jobs.begin_next("positions", flush=one.results.flush)
    one.give_up_lanes(running)
    assert counts() == {"one": 16}, "nobody else is there"
    two = worker("two")
    one.give_up_lanes(running)
    assert counts() == {"one": 1}
    assert list(one.leases.held) == [probe.lane_of("van")]
    look(two)
    assert counts() == {"one": 1, "two": 15}
    one._run_next(running)
    one.results.flush()
    assert job.state == "succeeded"


def test_a_call_that_has_ended_gives_up_nothing():
    probe.lane_note.delay("van", "1")
    one = worker("one")
    one.jobs.add(one.queue.fetch("one", 1).claims)
    running = one.jobs.begin_next("positions", flush=one.results.flush)
    one._run_next(running)
    worker("two")
    one.give_up_lanes(running)
    assert counts() == {"one": 16}


def test_a_lane_with_many_jobs_holds_up_no_other():
    probe.lane_note.enqueue_many([("van", str(number)) for number in range(500)])
    other = next(f"bus {number}" for number in range(99) if probe.lane_of(f"bus {number}") != probe.lane_of("van"))
    probe.lane_note.delay(other, "1")
    probe.lane_note.delay("", "in no lane")
    one = worker("one")
    claims = [claim for _ in range(4) for claim in one.queue.fetch("one", 3).claims]
    assert {claim.lane for claim in claims} == {None, probe.lane_of("van"), probe.lane_of(other)}


def test_a_lane_that_waits_for_a_retry_holds_up_no_other(run_jobs):
    probe.lane_flaky.delay("van", "1", 1)
    run_jobs()
    probe.lane_note.delay("van", "2")
    for number in range(9):
        probe.lane_note.delay(f"bus {number}", "1")
    run_jobs()
    beside = [f"bus {number}" for number in range(9) if probe.lane_of(f"bus {number}") != probe.lane_of("van")]
    assert sorted(ledger()[1:]) == [f"{key} 1" for key in beside]


# --- The bell ---


def test_a_worker_is_woken_by_jobs_of_its_lanes_and_by_those_in_none():
    one, two = worker("one"), worker("two")
    look(one, two)
    for awaited in (lambda: probe.lane_note.delay(key_of(one), "1"), lambda: probe.lane_note.delay("", "2")):
        one.queue.wait("one", 1)
        threading.Timer(0.05, awaited).start()
        # Without the bell this would take a minute, and the client give up.
        one.queue.wait("one", 60_000)
        assert one.queue.fetch("one", 1).claims


def key_of(one: Worker) -> str:
    return next(key for number in range(999) if probe.lane_of(key := f"van {number}") in one.leases.held)


def test_a_bell_that_rang_while_the_worker_was_busy_is_heard():
    one, two = worker("one"), worker("two")
    look(one, two)
    one.queue.wait("one", 1)
    (mine, *_), (other, *_) = one.leases.held, two.leases.held
    keys = one.queue.keys
    run_scripts(client(), [ring_call(keys, str(mine)), *[ring_call(keys, str(other))] * 5])
    heard = dict(one.queue._heard)
    one.queue.wait("one", 60_000)
    assert one.queue._heard != heard


def test_a_lane_that_was_left_is_looked_for_at_once():
    one, two = worker("one"), worker("two")
    look(one, two)
    one.queue.wait("one", 1)
    two.shut_down()
    one.queue.wait("one", 60_000)
    one.queue.fetch("one", 1)
    assert counts() == {"one": 16}


# --- The dead ---


@pytest.fixture
def housekeeping():
    cluster = Cluster(["positions"], workers=1)
    return Housekeeping(["positions"], Slots(1), cluster._deaths_read, ["positions"])


def test_housekeeping_frees_the_lanes_of_a_worker_that_was_named(housekeeping):
    job = probe.lane_note.delay("van", "1")
    worker("one").queue.fetch("one", 1)
    note = {"queue": "positions", "consumer": "one", "reason": "was killed", "running": [str(job)], "written": []}
    housekeeping._deaths = [note]
    housekeeping._turn({"positions": JobQueue("positions", client())})
    assert not holders()
    live = client().hgetall(lanes_of("positions", client())[probe.lane_of("van")].keys.job(str(job)))
    assert (live[b"st"], live[b"lost"]) == (b"queued", b"1")


def test_the_sweep_frees_lanes_whose_holder_has_no_heartbeat(housekeeping):
    queue = JobQueue("positions", client())
    worker("forgotten")
    housekeeping._sweep(queue)
    assert not holders()
    one = worker("one")
    one._register()
    housekeeping._sweep(queue)
    assert counts() == {"one": 16}


# --- The fence in PostgreSQL ---


def test_each_holder_has_the_next_epoch():
    assert claim_lanes("positions", [3, 1], "one") == {1: 1, 3: 1}
    assert claim_lanes("positions", [3], "two") == {3: 2}
    with transaction.atomic():
        assert hold_lanes("positions", [5, 3, 1]) == {1: 1, 3: 2}
    assert str(LaneLease.objects.get(lane=3)) == "positions 3: two"


def test_a_lane_is_held_inside_a_transaction_only():
    with pytest.raises(TransactionManagementError, match="there is none"):
        hold_lanes("positions", [1])


def test_a_lane_is_not_claimed_before_a_transaction_that_holds_it_ends():
    claim_lanes("positions", [1, 2], "one")
    claimed = []

    def claim() -> None:
        claimed.append(claim_lanes("positions", [1, 2], "two"))

    with transaction.atomic():
        hold_lanes("positions", [1])
        in_threads(claim)
        assert claimed == [{2: 2}]
        with connection.cursor() as cursor:
            cursor.execute("SHOW idle_in_transaction_session_timeout")
            assert cursor.fetchone() == ("8s",)
    in_threads(claim)
    assert claimed[1] == {1: 2, 2: 3}


def test_a_worker_whose_lane_is_anothers_commits_nothing_and_drops_the_job(run_jobs):
    """The other one has claimed the lane in PostgreSQL: this one slept, and Redis knows it no more as the holder."""
    create_ledger()
    first, second = (probe.lane_effect.delay("van", number) for number in range(2))
    one = worker("one")
    one.jobs.add(one.queue.fetch("one", 2).claims)
    lane = lanes_of("positions", client())[probe.lane_of("van")]
    run_scripts(client(), [lane.recover_call("one", "its host went silent", None)])
    two = worker("two")
    look(one, two)
    one.leases.held[lane.number] = LaneLease.objects.get(lane=lane.number).epoch - 1
    one._run_waiting()
    assert count_effects() == 0
    assert not one.jobs.waiting
    assert lane.number not in one.leases.held
    assert not Job.objects.exists()
    for other in (one, two):
        other.shut_down()
    run_jobs()
    assert count_effects() == 2
    assert set(Job.objects.values_list("pk", "state")) == {(first, "succeeded"), (second, "succeeded")}


def test_a_dropped_attempt_does_not_count(run_jobs):
    create_ledger()
    job = probe.lane_effect.delay("van", 0)
    one = worker("one")
    claim_lanes("positions", [probe.lane_of("van")], "another")
    assert one.turn(None) == 1
    live = client().hgetall(lanes_of("positions", client())[probe.lane_of("van")].keys.job(str(job)))
    assert (live[b"st"], live[b"att"]) == (b"queued", b"0")
    look(one)
    one.turn(None)
    one.turn(None)
    assert Job.objects.get(pk=job).attempt_count == 1


def test_what_had_ended_before_a_lane_was_lost_is_stored_and_not_run_again(run_jobs):
    create_ledger()
    first, second = probe.lane_note.delay("van", "first"), probe.lane_effect.delay("van", 0)
    one = worker("one")
    claim_lanes("positions", [probe.lane_of("van")], "another")
    one.jobs.add(one.queue.fetch("one", 2).claims)
    one._run_waiting()
    assert dict(Job.objects.values_list("pk", "state")) == {first: "succeeded"}
    lane = lanes_of("positions", client())[probe.lane_of("van")]
    assert client().hgetall(lane.keys.job(str(first))) == {b"st": b"succeeded"}
    one.shut_down()
    run_jobs()
    assert ledger() == ["van first"]
    assert second.state == "succeeded"


def test_a_rung_bell_for_any_lane_lets_a_worker_look():
    one = worker("one")
    one.queue.wait("one", 1)
    ring_for_any_lane(one.queue)
    one.queue.wait("one", 60_000)
    assert one.leases._looks_at == 0.0
