"""A real cluster whose Redis is restarted, killed, emptied, filled, frozen, or cut off in the middle of a reply."""

from __future__ import annotations

import signal
import time
from collections import Counter
from uuid import uuid4

import psutil
import pytest
import redis

from tasks_app.engine import chain, chord
from tasks_app.engine.connection import client
from tasks_app.engine.errors import QueueUnavailable
from tasks_app.engine.keys import GROUP
from tasks_app.engine.lanes import lanes_of
from tasks_app.engine.streams import JobQueue
from tasks_app.models import Job
from tasks_app.queries.jobs import list_workers
from tests.support.cluster import allowed, running_cluster, wait_until
from tests.support.faults import LEDGER_APPS, own_valkey, script_hash, using_redis, wire_to
from tests.support.probe.lanes import lane_any
from tests.support.probe.tasks import probe_add, probe_count, probe_fail
from trackerproject.dev.soak.ledger import count_effects, create_ledger, read_marks
from trackerproject.dev.soak.tasks import ledger_job

pytestmark = pytest.mark.django_db(transaction=True)

RESUME_SECONDS = 5
WORKERS = 2


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory):
    with own_valkey(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def valkey(own_redis, settings):
    """A Redis of this module's own, running and empty, that this process uses too."""
    with using_redis(settings, own_redis.places.redis_url):
        client().flushall()
        client().config_set("maxmemory", 0)
        create_ledger()
        yield own_redis


@pytest.fixture
def cluster(valkey, tmp_path):
    with running_cluster(tmp_path, "--name", "positions", "--workers", str(WORKERS), **LEDGER_APPS) as running:
        wait_until(lambda: len(list_workers()) == WORKERS, what="two workers with a heartbeat")
        yield running


def succeeded_jobs(job_ids) -> int:
    return Job.objects.filter(pk__in=job_ids, state="succeeded").count()


def wait_for_success(job_ids, seconds=20) -> None:
    wait_until(lambda: succeeded_jobs(job_ids) == len(job_ids), seconds, f"{len(job_ids)} jobs to succeed")
    assert Job.objects.count() == len(job_ids) == count_effects()


def wait_for_start(note: str, attempts: int = 1) -> None:
    wait_until(lambda: len(read_marks("started", note)) >= attempts, what=f"{note} to start")


def assert_nothing_is_left() -> None:
    """Every queue key of a job that is still live is gone; every consumer is one of a living worker."""
    queue = JobQueue("positions", client())
    wait_until(lambda: not any(client().xlen(stream) for stream in queue.keys.streams), 5, "empty streams")
    assert client().zcard(queue.keys.delayed) == client().zcard(queue.keys.ended) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_it_goes_on_by_itself_after_redis_was_restarted(cluster, valkey, number):
    """Nothing that was accepted is lost, what ran meanwhile ends once, and every process is still the same."""
    pids = {child.pid for child in cluster.children()}
    running = [ledger_job.delay(1.5, f"running {slot}") for slot in range(WORKERS)]
    for slot in range(WORKERS):
        wait_for_start(f"running {slot}")
    waiting = ledger_job.enqueue_many([(0.0, "waiting")] * 300)
    delayed = [ledger_job.apply_async((0.0, "delayed"), countdown=0.5)]

    valkey.signal(number)
    valkey.process.wait(20)
    wait_until(lambda: len(read_marks("finished")) == WORKERS, what="both jobs to end without Redis")
    valkey.start()
    back_at = time.monotonic()

    wait_until(Job.objects.exists, RESUME_SECONDS, "a first result")
    fresh = ledger_job.delay(0.0, "fresh")
    wait_for_success([*running, *waiting, *delayed, fresh])
    assert time.monotonic() - back_at < allowed(RESUME_SECONDS)
    assert len(read_marks("started")) == len(read_marks("finished")) == 304
    assert {child.pid for child in cluster.children()} == pids
    assert_nothing_is_left()


def test_enqueueing_fails_soon_and_clearly_while_redis_is_away(cluster, valkey, tmp_path):
    valkey.kill()
    try:
        before = time.monotonic()
        with pytest.raises(QueueUnavailable):
            ledger_job.delay()
        assert time.monotonic() - before < allowed(2)
        # Nor does a stop need it, or a burst wait for it.
        assert cluster.stop() == 0
        with running_cluster(tmp_path, "--name", "positions", "--burst") as burst:
            assert burst.process.wait(allowed(20)) == 1
            assert b"Redis does not answer" in burst.log.read_bytes()
    finally:
        valkey.start()


def test_it_goes_on_after_flushall(cluster):
    """Redis lost everything. A running job is stored when it ends; its late acknowledgement does no harm."""
    running = ledger_job.delay(1.0, "running")
    wait_for_start("running")
    client().flushall()
    fresh = [ledger_job.delay(0.0, "fresh") for _ in range(20)]
    wait_until(lambda: succeeded_jobs(fresh) == 20, RESUME_SECONDS, "the jobs made after FLUSHALL")
    wait_for_success([running, *fresh])
    wait_until(lambda: len(list_workers()) == WORKERS, RESUME_SECONDS, "the heartbeats to be back")
    assert_nothing_is_left()


def test_it_makes_again_what_someone_deleted_in_redis(cluster):
    streams = JobQueue("positions", client()).keys.streams
    damages = {
        "scripts": client().script_flush,
        "streams": lambda: client().delete(*streams),
        "groups": lambda: [client().xgroup_destroy(stream, GROUP) for stream in streams],
    }
    jobs = [ledger_job.delay(0.0, "first")]
    wait_for_success(jobs)
    for name, damage in damages.items():
        damage()
        jobs += (fresh := [ledger_job.delay(0.0, name) for _ in range(20)])
        wait_until(lambda fresh=fresh: succeeded_jobs(fresh) == 20, RESUME_SECONDS, f"the jobs without {name}")
    wait_for_success(jobs)
    assert_nothing_is_left()


def test_a_destroyed_group_loses_no_waiting_job(cluster):
    running = [ledger_job.delay(1.0, f"running {slot}") for slot in range(WORKERS)]
    for slot in range(WORKERS):
        wait_for_start(f"running {slot}")
    waiting = [ledger_job.delay(0.0, "waiting") for _ in range(50)]
    for stream in JobQueue("positions", client()).keys.streams:
        client().xgroup_destroy(stream, GROUP)
    wait_for_success([*running, *waiting])
    assert_nothing_is_left()


def test_a_full_redis_refuses_new_jobs_and_drains(cluster):
    """At maxmemory enqueueing fails at once and leaves no half a job; running, retrying and finishing go on."""
    gate = [ledger_job.delay(1.5, f"running {slot}") for slot in range(WORKERS)]
    for slot in range(WORKERS):
        wait_for_start(f"running {slot}")
    waiting = ledger_job.enqueue_many([(0.0, "waiting")] * 100)
    delayed = ledger_job.apply_async((0.0, "delayed"), countdown=1)
    client().config_set("maxmemory", 1)
    with pytest.raises(QueueUnavailable, match=r"maxmemory|OOM"):
        ledger_job.delay(0.0, "refused")
    wait_for_success([*gate, *waiting, delayed])
    assert_nothing_is_left()
    assert len(list_workers()) == WORKERS
    client().config_set("maxmemory", 0)
    after = ledger_job.delay(0.0, "after")
    wait_for_success([*gate, *waiting, delayed, after])


def test_two_clusters_outlive_a_frozen_redis_without_taking_each_others_jobs(cluster, valkey, tmp_path):
    """Redis stands still for longer than the limit after which a host counts as dead; afterwards none is declared dead."""
    with running_cluster(tmp_path, "--name", "positions", "--workers", "2", **LEDGER_APPS) as other:
        wait_until(lambda: len(list_workers()) == 4, what="four workers")
        pids = {child.pid for running in (cluster, other) for child in running.children()}
        jobs = [ledger_job.delay(16.0, f"long {number}") for number in range(4)]
        for number in range(4):
            wait_for_start(f"long {number}")
        waiting = ledger_job.enqueue_many([(0.0, "waiting")] * 50)
        valkey.signal(signal.SIGSTOP)
        frozen_at = time.monotonic()
        try:
            before = time.monotonic()
            with pytest.raises(QueueUnavailable):
                ledger_job.delay(0.0, "refused")
            assert time.monotonic() - before < allowed(5)
            wait_until(lambda: time.monotonic() - frozen_at > 20, seconds=30, what="20 s to pass")
        finally:
            valkey.signal(signal.SIGCONT)
        wait_until(Job.objects.exists, 15, "the first to end")
        # A request that the frozen server had received before its sender gave up is carried out afterwards.
        refused = [mark.job_id for mark in read_marks("finished", "refused")]
        wait_until(lambda: succeeded_jobs([*jobs, *waiting]) == 54, what="all jobs")
        assert [len(read_marks("started", f"long {number}")) for number in range(4)] == [1, 1, 1, 1]
        assert len(refused) <= 1
        assert {child.pid for running in (cluster, other) for child in running.children()} == pids
    for log in (cluster.log, other.log):
        assert b"went silent" not in log.read_bytes()


def test_a_reply_cut_in_the_middle_costs_nothing(valkey, tmp_path, settings):
    """The server carries out requests whose replies are lost: no job waits for ever, none is lost, none runs twice."""
    with wire_to(valkey) as wire:
        usual = settings.REDIS_URL
        settings.REDIS_URL = wire.url
        with running_cluster(tmp_path, "--name", "positions", "--workers", "1", **LEDGER_APPS) as cluster:
            settings.REDIS_URL = usual
            wait_until(lambda: len(list_workers()) == 1, what="a worker with a heartbeat")
            jobs = [ledger_job.delay(0.0, "first")]
            wait_for_success(jobs)
            for word in (b"XREAD", *map(script_hash, ("fetch", "finish", "beat", "promote"))):
                before = wire.cuts
                wire.cut(word, times=2)
                fresh = [ledger_job.delay(0.0, "cut") for _ in range(30)]
                fresh += [ledger_job.apply_async((0.0, "cut"), countdown=0.3)]
                wait_until(lambda fresh=fresh: succeeded_jobs(fresh) == 31, RESUME_SECONDS, f"the jobs after {word}")
                wait_until(lambda before=before: wire.cuts == before + 2, what="two cuts")
                jobs += fresh
            wait_for_success(jobs)
            assert_nothing_is_left()
            assert len(cluster.children()) == 3
    assert len(read_marks("started")) == len(read_marks("finished")) == len(jobs)


def test_a_lost_answer_to_a_retry_costs_no_attempt(valkey, tmp_path, settings):
    with wire_to(valkey) as wire:
        usual = settings.REDIS_URL
        settings.REDIS_URL = wire.url
        with running_cluster(tmp_path, "--name", "positions", "--workers", "1", **LEDGER_APPS):
            settings.REDIS_URL = usual
            wire.cut(script_hash("retry"))
            job_id = probe_fail.delay("twice")
            job = wait_until(lambda: Job.objects.filter(pk=job_id).first(), what="the job to be given up")
    assert wire.cuts == 1
    assert (job.state, job.attempt_count, len(job.attempts)) == ("failed", 2, 2)
    assert_nothing_is_left()


def test_an_enqueue_whose_reply_is_lost_makes_one_job(valkey, settings):
    with wire_to(valkey) as wire, using_redis(settings, wire.url):
        job_id = uuid4()
        wire.cut(script_hash("enqueue"))
        assert ledger_job.apply_async((0.0, "once"), job_id=job_id) == job_id
        assert wire.cuts == 1
        # Even when every repetition is lost: asking again later with the same id makes no second job.
        wire.cut(script_hash("enqueue"), times=10)
        many = [uuid4() for _ in range(5)]
        with pytest.raises(QueueUnavailable):
            ledger_job.enqueue_many([(0.0, "many")] * 5, job_ids=many)
    assert ledger_job.enqueue_many([(0.0, "many")] * 5, job_ids=many) == many
    assert sum(client().xlen(stream) for stream in JobQueue("positions", client()).keys.streams) == 6


def test_it_waits_for_a_redis_that_is_not_there_yet(valkey, tmp_path):
    valkey.stop()
    with running_cluster(tmp_path, "--name", "positions", "--workers", "1", **LEDGER_APPS) as cluster:
        wait_until(lambda: len(psutil.Process(cluster.process.pid).children()) == 3, what="its processes")
        wait_until(lambda: b"Redis:" in cluster.log.read_bytes(), what="a word about Redis in the log")
        valkey.start()
        with pytest.raises(redis.ResponseError):
            client().execute_command("NOSUCH")
        wait_for_success([ledger_job.delay(0.0, "late")], RESUME_SECONDS)


def test_what_follows_a_job_is_made_without_memory(valkey, run_jobs):
    """A worker that could not make a callback or the next step would try again for ever, and end no other job meanwhile."""
    both = chord([probe_add.si(1), probe_add.si(2)], probe_count.s()).on_error(probe_add.si(0))
    job = chain(probe_add.s(1, 2), both, lane_any.si("van")).on_success(probe_add.si(4)).delay()
    # Other lanes are opened all the same.
    client().config_set("maxmemory", 1)
    with pytest.raises(QueueUnavailable):
        probe_add.delay(9)
    run_jobs()
    assert (job.state, [one.state for one in job.children]) == ("succeeded", ["succeeded"] * 4)
    assert job.children[-1].result == 5


def test_a_cluster_stops_in_order_while_redis_is_frozen(cluster, valkey, tmp_path):
    """It waits for no answer that does not come, and gives nothing back: the missing heartbeats tell."""
    jobs = [ledger_job.delay(1.0, "running"), ledger_job.delay(1.0, "running")]
    wait_for_start("running", attempts=WORKERS)
    valkey.signal(signal.SIGSTOP)
    try:
        assert cluster.stop(seconds=20) == 0, cluster.log.read_text()
    finally:
        valkey.signal(signal.SIGCONT)
    with running_cluster(tmp_path, "--name", "positions", "--workers", str(WORKERS), **LEDGER_APPS):
        wait_for_success(jobs, seconds=30)


def lane_holders() -> Counter[str]:
    """Return how many lanes each worker holds."""
    held = [client().get(lane.keys.lease) for lane in lanes_of("positions", client())]
    return Counter(name.decode() for name in held if name)


def waiting_connections() -> list[str]:
    """Return the ids of the connections in which a worker waits for jobs."""
    return [each["id"] for each in client().client_list() if each["cmd"] == "xread"]


def test_a_worker_that_alone_has_no_connection_left_holds_up_no_lane(cluster, valkey):
    """As on a small plan of a hosted Redis: others took the last connections while it opened one anew."""
    wait_until(lambda: len(lane_holders()) == WORKERS, what="two workers with lanes")
    (one, *_) = wait_until(waiting_connections, what="a worker that waits for jobs")
    client().config_set("maxclients", len(client().client_list()) - 1)
    client().client_kill_filter(_id=one)
    try:
        wait_until(
            lambda: sorted(lane_holders().values()) == [16], 30, lambda: f"one worker with all: {lane_holders()}"
        )
        (free,) = lane_holders()
        assert [worker.name for worker in list_workers()] == [free]
    finally:
        client().config_set("maxclients", 10000)
    wait_until(lambda: sorted(lane_holders().values()) == [8, 8], 20, lambda: f"even shares: {lane_holders()}")
    assert len(list_workers()) == WORKERS
