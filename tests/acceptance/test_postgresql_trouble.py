"""A real cluster whose PostgreSQL is restarted, killed, full of connections, or read-only: jobs wait, none is lost."""

from __future__ import annotations

import signal

import pytest

from tasks_app.engine.connection import client
from tasks_app.engine.keys import GROUP
from tasks_app.engine.streams import JobQueue
from tests.support.cluster import running_cluster, wait_until
from tests.support.faults import LEDGER_APPS, migrate, own_postgres, query
from trackerproject.dev.soak.ledger import LEDGER_TABLES
from trackerproject.dev.soak.tasks import ledger_job

# The rows are looked at in the server of our own; this process's own database plays no part.
WORKERS = 2
ORDINARY_ROLE = """
    CREATE ROLE cluster LOGIN;
    ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO cluster;
    ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO cluster;
    GRANT ALL ON ALL TABLES IN SCHEMA public TO cluster;
    GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO cluster;
"""


@pytest.fixture(scope="module")
def own_database(tmp_path_factory):
    with own_postgres(tmp_path_factory.mktemp("postgres")) as server:
        migrate(server.places.database_url)
        # Not the schedules of an installation: each test counts its own jobs.
        query(server.places.database_url, "TRUNCATE django_q_schedule CASCADE")
        # The cluster is no superuser: those are never refused for want of connections.
        query(server.places.database_url, ORDINARY_ROLE)
        yield server


@pytest.fixture
def postgres(own_database):
    url = own_database.places.database_url
    query(url, LEDGER_TABLES)
    query(url, "TRUNCATE tasks_app_job")
    return own_database


def cluster_url(server) -> str:
    return server.places.database_url.replace("postgres://postgres@", "postgres://cluster@")


@pytest.fixture
def cluster(postgres, tmp_path, db):
    # So that each try is a line.
    extra = {**LEDGER_APPS, "DATABASE_URL": cluster_url(postgres), "LOG_LEVEL": "DEBUG"}
    with running_cluster(tmp_path, "--name", "positions", "--workers", str(WORKERS), **extra) as running:
        first = ledger_job.delay(0.0, "first")
        wait_until(lambda: states(postgres) == {str(first): "succeeded"}, what="a first job")
        query(postgres.places.database_url, "TRUNCATE tasks_app_job, ledger_mark, ledger_effect")
        yield running


def states(postgres) -> dict[str, str]:
    return dict(query(postgres.places.database_url, "SELECT id::text, state FROM tasks_app_job"))


def marks(postgres, what: str) -> list[str]:
    rows = query(postgres.places.database_url, "SELECT note FROM ledger_mark WHERE what = %s ORDER BY id", what)
    return [note for (note,) in rows]


def wait_for_start(postgres, *notes: str) -> None:
    wait_until(lambda: set(notes) <= set(marks(postgres, "started")), what=f"{notes} to start")


def wait_for_success(postgres, job_ids, seconds=20) -> None:
    expected = {str(job_id): "succeeded" for job_id in job_ids}
    wait_until(lambda: states(postgres) == expected, seconds, f"{len(job_ids)} jobs to succeed")
    (effects,) = query(postgres.places.database_url, "SELECT count(*) FROM ledger_effect")
    assert effects == (len(job_ids),)


def most_attempts(postgres) -> int:
    ((count,),) = query(postgres.places.database_url, "SELECT max(attempt_count) FROM tasks_app_job")
    return count


def live_jobs() -> int:
    """Return the jobs that Redis still holds, in any state."""
    queue = JobQueue("positions", client())
    return sum(client().xlen(stream) for stream in queue.keys.streams) + client().zcard(queue.keys.delayed)


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_jobs_wait_while_postgresql_is_away_and_none_is_acknowledged_early(cluster, postgres, how):
    """A database that is away is no job's fault: each has one attempt, however often its worker tried."""
    pids = {child.pid for child in cluster.children()}
    running = [ledger_job.delay(0.5, f"running {slot}") for slot in range(WORKERS)]
    wait_for_start(postgres, "running 0", "running 1")
    waiting = ledger_job.enqueue_many([(0.0, "waiting")] * 40)
    getattr(postgres, "kill" if how == "killed" else "stop")()
    try:
        wait_until(lambda: cluster.log.read_bytes().count(b"PostgreSQL:") > 20, 40, "many attempts to connect")
        assert live_jobs() == WORKERS + 40
    finally:
        postgres.start()
    wait_for_success(postgres, [*running, *waiting])
    assert most_attempts(postgres) == 1
    assert live_jobs() == 0
    assert {child.pid for child in cluster.children()} == pids


def test_jobs_wait_while_postgresql_has_no_connection_left(cluster, postgres):
    url = postgres.places.database_url
    query(url, "ALTER ROLE cluster CONNECTION LIMIT 0")
    try:
        query(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'cluster'")
        jobs = ledger_job.enqueue_many([(0.0, "waiting")] * 20)
        wait_until(lambda: cluster.log.read_bytes().count(b"too many connections") > 20, 40, "attempts to connect")
        assert live_jobs() == 20
    finally:
        query(url, "ALTER ROLE cluster CONNECTION LIMIT -1")
    wait_for_success(postgres, jobs)
    assert most_attempts(postgres) == 1


def test_jobs_wait_while_postgresql_is_read_only(cluster, postgres):
    pids = {child.pid for child in cluster.children()}
    url = postgres.places.database_url
    maintenance_url = url.replace("/tracker?", "/postgres?")
    running = [ledger_job.delay(1.0, f"running {slot}") for slot in range(WORKERS)]
    wait_for_start(postgres, "running 0", "running 1")
    query(maintenance_url, "ALTER SYSTEM SET default_transaction_read_only = on")
    query(maintenance_url, "SELECT pg_reload_conf()")
    waiting = ledger_job.enqueue_many([(0.0, "waiting")] * 20)
    try:
        wait_until(lambda: cluster.log.read_bytes().count(b"read-only") > 20, 40, "many refused writes")
        assert live_jobs() == WORKERS + 20
    finally:
        reset_read_only(maintenance_url)
    wait_for_success(postgres, [*running, *waiting], 30)
    assert most_attempts(postgres) == 1
    assert {child.pid for child in cluster.children()} == pids


def test_a_lost_connection_in_the_middle_of_a_job_costs_an_attempt_and_nothing_else(cluster, postgres):
    url = postgres.places.database_url
    running = [ledger_job.delay(1.0, f"running {slot}") for slot in range(WORKERS)]
    wait_for_start(postgres, "running 0", "running 1")
    query(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    wait_for_success(postgres, running)
    assert client().xinfo_groups(JobQueue("positions", client()).keys.streams[1])[0]["name"] == GROUP.encode()


def test_a_cluster_stops_in_time_while_postgresql_is_away(cluster, postgres):
    """Results that it could not store are not acknowledged: their jobs run again, or are found stored, later."""
    job = ledger_job.delay(0.5, "running")
    wait_for_start(postgres, "running")
    postgres.kill()
    try:
        wait_until(lambda: b"PostgreSQL:" in cluster.log.read_bytes(), what="the worker to notice")
        assert cluster.stop(signal.SIGTERM, seconds=15) == 0
        assert live_jobs() == 1
    finally:
        postgres.start()
    with running_cluster(cluster.log.parent, "--name", "positions", **LEDGER_APPS, DATABASE_URL=cluster_url(postgres)):
        wait_for_success(postgres, [job])


def reset_read_only(url: str) -> None:
    """ALTER SYSTEM writes no table, so it works in a read-only server too; outside of a transaction block."""
    query(url, "ALTER SYSTEM RESET default_transaction_read_only")
    query(url, "SELECT pg_reload_conf()")
