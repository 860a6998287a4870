"""Queues, cache and live traffic on a master that three real Sentinels watch, when it is killed, frozen or cut off."""

from __future__ import annotations

import signal
import threading
import time
from datetime import UTC, datetime

import pytest
import redis
from django.core.cache.backends.redis import RedisCache

from tasks_app.checks import check_redis
from tasks_app.engine import QueueUnavailable, UnknownJob
from tasks_app.engine.connection import client
from tasks_app.engine.live import find_live_job
from tasks_app.engine.scripts import SOURCES
from tasks_app.ingest.fix import Fix
from tasks_app.models import Job
from tasks_app.queries.jobs import list_workers
from tasks_app.services.positions.store import store_fixes
from tests.support.cluster import allowed, running_cluster, wait_until
from tests.support.faults import LEDGER_APPS, script_hash, using_redis
from tests.support.sentinel import running_sentinels
from tests.support.web import running_web, session_of
from trackerproject.dev.soak.ledger import count_effects, create_ledger, read_marks
from trackerproject.dev.soak.tasks import ledger_job
from trackerproject.redis_servers import caches

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = 2
# A second until a master is given up, and the vote.
FAILOVER_SECONDS = 20


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    with running_sentinels(tmp_path_factory.mktemp("sentinel")) as running:
        yield running


@pytest.fixture(autouse=True)
def sentinels(installation, settings, transactional_db):
    """All five run, the master is empty, and this process uses it."""
    installation.start()
    settings.CACHES = caches(installation.url, settings.CACHE_KEY_PREFIX)
    with using_redis(settings, installation.url):
        wait_until(can_write, what="a master that accepts writes")
        client().flushall()
        create_ledger()
        yield installation
        for each in [*installation.data, *installation.sentinels]:
            if each.is_running:
                each.signal(signal.SIGCONT)


@pytest.fixture
def cluster(sentinels, tmp_path):
    with running_cluster(tmp_path, "--name", "positions", "--workers", str(WORKERS), **LEDGER_APPS) as running:
        wait_until(lambda: len(list_workers()) == WORKERS, what="two workers with a heartbeat")
        yield running


def can_write() -> bool:
    try:
        return bool(client().set("probe", 1, px=1000))
    except redis.RedisError:
        return False


def succeeded(jobs) -> bool:
    return Job.objects.filter(pk__in=jobs, state="succeeded").count() == len(jobs)


def wait_for_success(jobs, seconds: float = 30) -> None:
    wait_until(lambda: succeeded(jobs), seconds, lambda: str(Job.objects.values_list("state", "error_message")[:5]))


def test_accepted_jobs_survive_a_killed_master(cluster, sentinels):
    """Those that were replicated: running, waiting and delayed ones. The new master knows no script yet."""
    pids = {child.pid for child in cluster.children()}
    running = [ledger_job.delay(2.0, f"running {slot}") for slot in range(WORKERS)]
    wait_until(lambda: len(read_marks("started")) == WORKERS, what="both to start")
    waiting = ledger_job.enqueue_many([(0.0, "waiting")] * 300)
    delayed = [ledger_job.apply_async((0.0, "delayed"), countdown=1)]
    old, new = sentinels.master, sentinels.replica
    wait_until(sentinels.is_replicated, what="replication")
    assert new.client().script_exists(*(script_hash(name).decode() for name in SOURCES)) == [False] * len(SOURCES)
    old.kill()
    wait_until(lambda: sentinels.master is new, FAILOVER_SECONDS, "a new master")
    wait_until(can_write, FAILOVER_SECONDS, "the new master to accept writes")
    fresh = ledger_job.delay(0.0, "fresh")
    jobs = [*running, *waiting, *delayed, fresh]
    wait_for_success(jobs)
    assert Job.objects.count() == len(jobs) == count_effects()
    assert {child.pid for child in cluster.children()} == pids


def test_enqueueing_fails_soon_and_clearly_until_there_is_a_new_master(sentinels):
    ledger_job.delay(0.0, "opens the connections")
    sentinels.master.kill()
    began = time.monotonic()
    with pytest.raises(QueueUnavailable):
        ledger_job.delay()
    assert time.monotonic() - began < allowed(2)
    wait_until(enqueues, FAILOVER_SECONDS, "the new master to accept jobs")


def enqueues() -> bool:
    try:
        ledger_job.delay(0.0, "tried")
    except QueueUnavailable:
        return False
    return True


def test_a_frozen_master_that_comes_back_is_a_replica_and_gets_nothing(cluster, sentinels):
    running = ledger_job.delay(1.0, "running")
    wait_until(lambda: read_marks("started"), what="it to start")
    waiting = ledger_job.enqueue_many([(0.0, "waiting")] * 50)
    old, new = sentinels.master, sentinels.replica
    wait_until(sentinels.is_replicated, what="replication")
    old.signal(signal.SIGSTOP)
    wait_until(lambda: sentinels.master is new, FAILOVER_SECONDS, "a new master")
    wait_until(can_write, FAILOVER_SECONDS, "the new master to accept writes")
    fresh = ledger_job.enqueue_many([(0.0, "fresh")] * 50)
    old.signal(signal.SIGCONT)
    wait_for_success([running, *waiting, *fresh], 60)
    wait_until(sentinels.is_whole, 60, "the old master to follow the new one")
    last = ledger_job.enqueue_many([(0.0, "last")] * 50)
    wait_for_success(last)
    assert count_effects() == 151
    assert new.client().info("replication")["role"] == "master"


def test_what_was_accepted_during_a_planned_change_of_masters_is_known(cluster, sentinels):
    """`SENTINEL FAILOVER` while jobs come in. Each is accepted or refused; of the accepted, all that were replicated run."""
    accepted, refused, stop = [], [], threading.Event()

    def enqueue() -> None:
        while not stop.wait(0.002):
            try:
                accepted.append(ledger_job.delay(0.0, "steady"))
            except QueueUnavailable:
                refused.append(1)

    sender = threading.Thread(target=enqueue)
    sender.start()
    try:
        new = sentinels.replica
        wait_until(lambda: len(accepted) > 100, what="jobs")
        sentinels.sentinels[0].client().execute_command("SENTINEL", "FAILOVER", "fleet")
        wait_until(lambda: sentinels.master is new, FAILOVER_SECONDS, "a new master")
        before = len(accepted)
        wait_until(lambda: len(accepted) > before + 100, FAILOVER_SECONDS, "jobs on the new master")
    finally:
        stop.set()
        sender.join()
    wait_for_success(accepted[-50:])
    lost = len(accepted) - Job.objects.filter(pk__in=accepted, state="succeeded").count()
    print(f"planned change: {len(accepted)} accepted, {len(refused)} refused, {lost} lost")
    assert lost <= 5, "more than what one round trip of replication holds"


def test_jobs_that_were_not_replicated_are_lost_with_the_master(sentinels):
    """A promise that cannot be kept without waiting for the replica: docs/production.md says so."""
    replicated = ledger_job.delay(0.0, "replicated")
    wait_until(sentinels.is_replicated, what="replication")
    old, new = sentinels.master, sentinels.replica
    new.signal(signal.SIGSTOP)
    old.client().client_kill_filter(_type="replica")
    only_there = ledger_job.delay(0.0, "only there")
    old.kill()
    new.signal(signal.SIGCONT)
    wait_until(can_write, FAILOVER_SECONDS, "a new master")
    assert find_live_job(client(), str(replicated)) is not None
    with pytest.raises(UnknownJob):
        _ = only_there.state


def test_a_master_without_enough_replicas_refuses_jobs(sentinels):
    """Cut off with its clients, it would accept what the new master never gets (min-replicas-to-write)."""
    assert any(warning.id == "tasks_app.W008" for warning in check_redis(databases=["default"]))
    sentinels.master.client().config_set("min-replicas-to-write", 2)
    try:
        assert check_redis(databases=["default"]) == []
        with pytest.raises(QueueUnavailable):
            ledger_job.delay()
    finally:
        sentinels.master.client().config_set("min-replicas-to-write", 0)
    assert [key for key in client().scan_iter() if b"job" in key] == []


def test_two_sentinels_of_three_are_enough(cluster, sentinels):
    sentinels.sentinels[2].kill()
    sentinels.master.kill()
    wait_until(enqueues, FAILOVER_SECONDS, "the new master to accept jobs")
    wait_until(lambda: Job.objects.filter(state="succeeded").exists(), 30, "a job")


def test_without_sentinels_open_connections_go_on(cluster, sentinels):
    wait_for_success([ledger_job.delay(0.0, "opens the connections")])
    for each in sentinels.sentinels:
        each.kill()
    wait_for_success(ledger_job.enqueue_many([(0.0, "meanwhile")] * 20))


def test_the_cache_follows_the_master(sentinels, settings):
    cache = RedisCache(settings.CACHES["default"]["LOCATION"], settings.CACHES["default"])
    cache.set("before", 1)
    assert cache.get("before") == 1
    wait_until(sentinels.is_replicated, what="replication")
    sentinels.master.kill()
    wait_until(can_write, FAILOVER_SECONDS, "a new master")
    wait_until(lambda: reads(cache, "before") == 1, what="the entry in the new master")
    cache.set("after", 2)
    assert cache.get_many(["before", "after"]) == {"before": 1, "after": 2}
    cache.close()


def reads(cache: RedisCache, key: str) -> object:
    try:
        return cache.get(key)
    except redis.RedisError:
        return None


def test_live_traffic_follows_the_master(sentinels, tmp_path, operator, device):
    with running_web(tmp_path) as web, web.live(session=session_of(operator)) as live:
        live.next()
        move(device, -23.51)
        live.until_device(device, latitude=-23.51)
        sentinels.master.kill()
        wait_until(can_write, FAILOVER_SECONDS, "a new master")
        move(device, -23.52)
        live.until_device(device, seconds=30, latitude=-23.52)
        move(device, -23.53)
        live.until_device(device, seconds=30, latitude=-23.53)


def move(device, latitude: float) -> None:
    now = datetime.now(UTC)
    store_fixes([Fix(device.unique_id, now, latitude, -46.63, speed_kph=40.0)], now)
