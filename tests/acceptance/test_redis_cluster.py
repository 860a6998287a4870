"""The queues in a real Redis Cluster of three masters and their replicas; the cache and all else in the usual Redis."""

from __future__ import annotations

import signal
import threading
import time
from itertools import count

import psutil
import pytest
import redis
from django.core.cache import cache
from django.utils import timezone
from django_q.models import Schedule

from tasks_app.checks import check_redis
from tasks_app.engine import JobHandle, QueueUnavailable, chord, group
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.lanes import lanes_of, queue_parts
from tasks_app.engine.live import find_live_job, list_live_jobs, queue_stats, repair_queue
from tasks_app.engine.metrics import read_metrics
from tasks_app.engine.metrics.jobs import JOBS_FINISHED
from tasks_app.engine.streams import JobQueue
from tasks_app.models import Job
from tasks_app.queries.jobs import list_workers
from tasks_app.services.jobs import pause_queue, purge_queue, resume_queue
from tasks_app.utils.redis_client import redis_client
from tests.support.cluster import allowed, running_cluster, wait_until
from tests.support.faults import LEDGER_APPS, using_queue_redis
from tests.support.probe.lanes import lane_effect, lane_flaky, lane_of
from tests.support.probe.tasks import probe_add
from tests.support.redis_cluster import running_redis_cluster
from trackerproject.dev.soak.ledger import count_effects, create_ledger, read_marks
from trackerproject.dev.soak.tasks import ledger_job

pytestmark = pytest.mark.django_db(transaction=True)

QUEUES = ("positions", "reports")
WORKERS = 2
FAILOVER_SECONDS = 20


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    with running_redis_cluster(tmp_path_factory.mktemp("redis-cluster")) as running:
        yield running


@pytest.fixture(autouse=True)
def servers(installation, settings, transactional_db):
    """All six run and are empty, and the queues of this process are there."""
    installation.start()
    with using_queue_redis(settings, installation.url):
        client().flushall()
        create_ledger()
        yield installation


@pytest.fixture
def cluster(servers, tmp_path):
    names = [word for name in QUEUES for word in ("--name", name)]
    extra = {**LEDGER_APPS, "QUEUE_REDIS_URL": servers.url}
    with running_cluster(tmp_path, *names, "--workers", str(WORKERS), **extra) as running:
        wait_until(lambda: len(list_workers()) == WORKERS * len(QUEUES), 40, running.log.read_text)
        yield running


def wait_for_success(jobs, seconds: float = 40) -> None:
    rows = Job.objects.filter(pk__in=jobs)
    wait_until(
        lambda: rows.filter(state="succeeded").count() == len(jobs), seconds, lambda: str(rows.values_list("state"))
    )


def assert_in_order(keys) -> None:
    for key in keys:
        numbers = [int(mark.note.split()[-1]) for mark in read_marks("finished") if mark.note.startswith(f"{key} ")]
        assert numbers == sorted(numbers)


def masters_of_lanes(servers) -> dict[int, int]:
    """Return the port of the master of each lane."""
    return {lane.number: servers.master_of(lane.keys.queued).port for lane in lanes_of("positions", client())}


def ended_by_task() -> dict[str, float]:
    (ended,) = [one for one in read_metrics() if one.metric is JOBS_FINISHED]
    return {task: number for (_queue, task, _state), number in ended.series.items()}


def test_jobs_of_queues_and_lanes_on_all_masters_run_in_order(cluster, servers):
    assert len(set(masters_of_lanes(servers).values())) == 3
    keys = [f"van {number}" for number in range(30)]
    laned = lane_effect.enqueue_many([(key, number) for number in range(5) for key in keys])
    flaky = lane_flaky.delay("bus", "one", 1)
    others = ledger_job.enqueue_many([(0.0, "anywhere")] * 50)
    later = ledger_job.apply_async((0.0, "later"), countdown=1)
    wait_for_success([*laned, flaky, *others, later])
    assert_in_order(keys)
    assert Job.objects.get(pk=flaky).attempt_count == 2
    wait_until(lambda: ended_by_task().get("lane_effect") == len(laned), what="what all workers counted")
    assert not any(redis_client().scan_iter(f"{{{engine_config().prefix}:*"))


def test_groups_and_chords_over_several_masters(cluster):
    of_lanes = group([lane_effect.s(f"van {number}", number) for number in range(20)]).delay()
    answer = chord(group([probe_add.s(number, 1) for number in range(5)]), probe_add.si(20, 22)).delay()
    assert of_lanes.wait(allowed(40))
    assert of_lanes.state == "succeeded"
    assert answer.get(allowed(40)) == 42


def test_queues_are_controlled_and_looked_at(cluster, staff):
    pause_queue(name="positions", user=staff, now=timezone.now())
    wait_until(lambda: queue_stats(client())[0].paused, what="the pause")
    jobs = lane_effect.enqueue_many([(f"van {number}", number) for number in range(30)])
    waiting = ledger_job.enqueue_many([(0.0, "waiting")] * 10)
    stats = {queue.name: queue for queue in queue_stats(client())}["positions"]
    assert (stats.depth, stats.running, stats.workers) == (40, 0, WORKERS)
    assert {job.job_id for job in list_live_jobs(client(), ["positions"])} == {
        *map(str, jobs),
        *map(str, waiting),
    }
    assert find_live_job(client(), str(jobs[7])).lane == lane_of("van 7")
    assert JobHandle(jobs[0]).cancel() == "cancelled"
    assert repair_queue("positions", apply=True) == dict.fromkeys(repair_queue("positions", apply=False), 0)
    assert [warning.id for warning in check_redis(databases=["default"])] == ["tasks_app.W008"]
    assert purge_queue(name="positions", user=staff, now=timezone.now()) == 39
    resume_queue(name="positions", user=staff, now=timezone.now())
    wait_until(lambda: Job.objects.filter(state="cancelled").count() == 40, what="the rows of the cancelled")
    assert count_effects() == 0


def test_schedules_enqueue_into_the_cluster(cluster):
    Schedule.objects.create(func="probe_add", args="(1,)", schedule_type="O", next_run=timezone.now())
    wait_until(lambda: Job.objects.filter(task="probe_add", state="succeeded").exists(), what="the job of the schedule")


def test_a_killed_master_is_replaced_and_workers_go_on(cluster, servers):
    """The master of the queue itself. Nothing that was replicated is lost, nothing has its effect twice."""
    pids = {child.pid for child in cluster.children()}
    running = [ledger_job.delay(2.0, f"running {slot}") for slot in range(WORKERS)]
    wait_until(lambda: len(read_marks("started")) == WORKERS, what="both to start")
    keys = [f"van {number}" for number in range(20)]
    jobs = [*running, *ledger_job.enqueue_many([(0.0, "waiting")] * 100)]
    jobs += lane_effect.enqueue_many([(key, number) for number in range(10) for key in keys])
    wait_until(servers.is_replicated, what="replication")
    old = servers.master_of(JobQueue("positions", client()).keys.delayed)
    new = servers.replica_of(old)
    old.kill()
    wait_until(lambda: new in servers.masters(), FAILOVER_SECONDS, "the replica to take over")
    fresh = wait_until(enqueue, FAILOVER_SECONDS, "jobs to be accepted")
    wait_for_success([*jobs, *fresh], 60)
    # One that ended while its master died may have been begun again: its effect is refused by the ledger.
    assert count_effects() == len(jobs) + len(fresh)
    assert_in_order(keys)
    assert {child.pid for child in cluster.children()} == pids


def enqueue() -> list:
    try:
        return ledger_job.enqueue_many([(0.0, "fresh")] * 5)
    except QueueUnavailable:
        return []


def test_lanes_go_over_to_the_replica_of_their_master_while_jobs_come_in(cluster, servers):
    lane = next(number for number, port in masters_of_lanes(servers).items() if port != home_port(servers))
    old = next(node for node in servers.nodes if node.port == masters_of_lanes(servers)[lane])
    accepted, refused, stop, numbers = [], [], threading.Event(), count()

    def send() -> None:
        while not stop.wait(0.01):
            number = next(numbers)
            try:
                accepted.append((lane_effect.delay(f"van {number % 20}", number), number))
            except QueueUnavailable:
                refused.append(number)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        wait_until(lambda: len(accepted) > 50, what="jobs")
        new = servers.replica_of(old)
        old.kill()
        wait_until(lambda: new in servers.masters(), FAILOVER_SECONDS, "the replica to take over")
        before = len(accepted)
        wait_until(lambda: len(accepted) > before + 50, FAILOVER_SECONDS, "jobs after it")
    finally:
        stop.set()
        sender.join()
    wait_for_success([job for job, _ in accepted[-20:]], 60)
    lost = len(accepted) - Job.objects.filter(pk__in=[job for job, _ in accepted], state="succeeded").count()
    print(f"master of lanes killed: {len(accepted)} accepted, {len(refused)} refused, {lost} lost")
    assert lost <= 5, "more than what one round trip of replication holds"
    assert_in_order([f"van {number}" for number in range(20)])


def home_port(servers) -> int:
    return servers.master_of(JobQueue("positions", client()).keys.delayed).port


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_callers_are_told_soon_while_a_master_is_gone_and_the_cache_goes_on(servers, number):
    ledger_job.delay(0.0, "opens the connections")
    master = servers.master_of(JobQueue("positions", client()).keys.delayed)
    master.signal(number)
    try:
        began = time.monotonic()
        with pytest.raises(QueueUnavailable):
            ledger_job.delay()
        assert time.monotonic() - began < allowed(2.5)
        cache.set("beside", 1)
        assert cache.get("beside") == 1
        wait_until(enqueue, FAILOVER_SECONDS, "jobs to be accepted")
    finally:
        master.signal(signal.SIGCONT)


def test_a_killed_workers_jobs_run_again(cluster):
    job = lane_effect.delay("van", 1, 2.0)
    (mark,) = wait_until(lambda: read_marks("started", "van 1"), what="it to start")
    psutil.Process(mark.pid).kill()
    wait_for_success([job])
    assert Job.objects.get(pk=job).attempt_count == 2


def test_no_script_and_no_command_has_keys_of_two_tags(servers):
    """One that had would be refused by the cluster: every part of every queue is looked through."""
    for part in queue_parts(engine_config().queues, client()):
        part.promote()
        assert part.cancel("00000000-0000-0000-0000-000000000000", {}) == ""
        assert list(part.purge({}))
    with pytest.raises(redis.RedisError):
        client().pipeline(transaction=True)
