"""All of it through PgBouncer in transaction mode, where each transaction may meet another session of the server."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import OperationalError, connection, connections, transaction

from reports_app.models import ReportState
from tasks_app.engine import JobCancelled, get_task
from tasks_app.engine.context import CurrentJob, set_current_job
from tasks_app.models import DeviceState, Event, Job, Position
from tasks_app.queries.streaming import streamed
from tasks_app.services.cleanup import optimize, runs
from tasks_app.services.cleanup.index_bloat import IndexFigures
from tasks_app.services.cleanup.runs import run_exclusively, scalar
from tasks_app.services.positions.store import store_fixes
from tests.support.cleanup_cases import CASES
from tests.support.cluster import running_cluster, wait_until
from tests.support.faults import LEDGER_APPS, migrate, own_postgres, query
from tests.support.pgbouncer import running_pgbouncer, url_of_settings
from tests.support.reports import build, drive, fixes, rows_of
from tests.support.retention import drop_all_partitions
from trackerproject.dev.soak.ledger import LEDGER_TABLES
from trackerproject.dev.soak.tasks import ledger_job

PRIMARY_INDEX = """
    SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'tasks_app_event'::regclass AND indisprimary
"""

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def pool(django_db_setup):
    with running_pgbouncer(url_of_settings(connection.settings_dict)) as running:
        yield running


@pytest.fixture(autouse=True)
def pooled(pool, transactional_db, settings, tmp_path):
    """This process uses PgBouncer, and so do the clusters it starts."""
    settings.MEDIA_ROOT = tmp_path
    drop_all_partitions()
    options = connection.settings_dict["OPTIONS"]
    usual = options["host"]
    connections.close_all()
    options["host"] = str(pool.folder)
    spread_sessions()
    yield pool
    options["host"] = usual
    connections.close_all()
    drop_all_partitions()


@contextmanager
def another_connection():
    another = connection.copy()
    try:
        yield another
    finally:
        another.close()


def spread_sessions() -> None:
    """Let the pool open several connections to the server, which it then takes by turns."""
    held = [connection.copy() for _ in range(4)]
    for one in held:
        one.set_autocommit(False)
        with one.cursor() as cursor:
            cursor.execute("SELECT 1")
    for one in held:
        one.commit()
        one.close()


def backends() -> set[int]:
    return {scalar("SELECT pg_backend_pid()") for _ in range(8)}


def test_the_pool_gives_each_transaction_another_session():
    """Otherwise the tests below would show nothing."""
    assert len(backends()) > 1


def test_the_time_zone_of_a_connection_holds_in_every_session(pool):
    with connection.cursor() as cursor:
        cursor.execute("ALTER ROLE postgres SET timezone = 'America/Sao_Paulo'")
    try:
        pool.admin("RECONNECT")
        connections.close_all()
        spread_sessions()
        assert {scalar("SHOW timezone") for _ in range(8)} == {"UTC"}
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER ROLE postgres RESET timezone")


def test_fixes_are_stored_as_without_it(device):
    drive(device)
    late = fixes(device, datetime(2026, 3, 2, 12, tzinfo=UTC), minutes=3)
    assert store_fixes(late, received_at=datetime.now(UTC)).stored == 4
    assert store_fixes(late, received_at=datetime.now(UTC)).stored == 0
    assert Position.objects.count() == 21 + 11 + 21 + 4
    assert DeviceState.objects.get(device=device).fix_time == Position.objects.latest("fix_time").fix_time


def test_staging_tables_of_another_release_are_no_hindrance(device):
    """A session of the pool outlives the processes that used it: its temporary tables have the columns of that release."""
    others = [connection.copy() for _ in range(4)]
    for one in others:
        one.set_autocommit(False)
        with one.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE IF NOT EXISTS fix_staging (of_old int) ON COMMIT DELETE ROWS")
            cursor.execute("CREATE TEMP TABLE IF NOT EXISTS state_staging (of_old int) ON COMMIT DELETE ROWS")
            cursor.execute("CREATE TEMP TABLE IF NOT EXISTS restore_staging (of_old int) ON COMMIT DELETE ROWS")
    for one in others:
        one.commit()
        one.close()
    for minute in range(6):
        at = datetime(2026, 3, 2, 12, minute, tzinfo=UTC)
        assert store_fixes(fixes(device, at, minutes=0), received_at=datetime.now(UTC)).stored == 1


@pytest.mark.parametrize("name", sorted(CASES))
def test_each_cleanup_removes_what_it_should(name, make_device, staff):
    case = CASES[name]
    case.make(make_device, staff)
    assert get_task(name)()["finished"] is True
    assert case.count() == case.kept


def test_a_second_cleanup_beside_the_first_declines():
    is_running, may_end = threading.Event(), threading.Event()

    def work(run) -> dict:
        is_running.set()
        assert may_end.wait(30)
        return {}

    def first() -> None:
        run_exclusively("old_events", work)
        connections.close_all()

    other = threading.Thread(target=first)
    other.start()
    assert is_running.wait(30)
    try:
        answers = [get_task("cleanup_old_events")() for _ in range(6)]
    finally:
        may_end.set()
        other.join()
    assert answers == [{"skipped": "already running"}] * 6
    assert ["skipped" in get_task("cleanup_old_events")() for _ in range(6)] == [False] * 6


def test_a_long_statement_is_stopped_when_its_job_is_cancelled():
    asked = iter([False])
    set_current_job(CurrentJob(is_cancelled=lambda: next(asked, True)))
    try:
        with pytest.raises(JobCancelled):
            run_exclusively("sleep", sleep)
    finally:
        set_current_job(None)
    assert [scalar("SELECT 1") for _ in range(8)] == [1] * 8


def sleep(run: runs.Run) -> dict:
    assert run.has_time()
    with run.interruptible():
        scalar("SELECT pg_sleep(60)")
    return {}


def test_the_database_is_optimized(make_device, monkeypatch):
    """VACUUM and REINDEX CONCURRENTLY stand alone, and the lock of the run holds neither up."""
    device = make_device()
    Event.objects.bulk_create(
        [Event(device=device, kind="overspeed", occurred_at=datetime.now(UTC)) for _ in range(3000)]
    )
    Event.objects.all().delete()
    bloated = IndexFigures(scalar(PRIMARY_INDEX), "tasks_app_event", 8192, 0, None)
    monkeypatch.setattr(optimize, "bloated_indexes", lambda: [bloated])
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
    done = get_task("optimize_database")(force=True)
    assert done["reindex"] == 1
    assert all(report["did"] != "skipped" for report in done["optimized"])


def test_reports_are_built_and_their_rows_streamed(device):
    drive(device)
    at = datetime(2026, 3, 2, 14, tzinfo=UTC)
    Event.objects.bulk_create(
        [
            Event(device=device, kind="overspeed", occurred_at=at + timedelta(seconds=second), data={"speed_kph": 99})
            for second in range(5000)
        ]
    )
    events = build("events", device=device)
    assert (events.state, len(rows_of(events, "events"))) == (ReportState.READY, Event.objects.count())
    for kind in ("summary", "detailed", "trips", "stops", "route"):
        assert build(kind, device=device).state == ReportState.READY
    fleet = build("fleet", fleet=device.fleet)
    assert len(rows_of(fleet, "violations")) == 5000


def test_rows_are_streamed_through_one_session(device):
    """A cursor of the server is read while its transaction lasts, so that other statements in between change nothing."""
    Event.objects.bulk_create(
        [Event(device=device, kind="overspeed", occurred_at=datetime.now(UTC)) for _ in range(50)]
    )
    seen = []
    for event in streamed(Event.objects.order_by("pk"), chunk_rows=5):
        seen.append(event.pk)
        assert scalar("SELECT count(*) FROM pg_cursors WHERE name LIKE '_django_curs%%'") == 1
        with another_connection() as another, another.cursor() as cursor:
            cursor.execute("SELECT 1")
    assert seen == sorted(seen)
    assert len(seen) == 50


def test_iterators_of_other_apps_work(staff):
    """Django itself iterates in forms, import-export in exports."""
    User.objects.bulk_create([User(username=f"u{number}") for number in range(300)])
    assert len(list(User.objects.order_by("pk").iterator(chunk_size=10))) == User.objects.count()
    interleaved = zip(
        User.objects.order_by("pk").iterator(chunk_size=10),
        User.objects.order_by("-pk").iterator(chunk_size=10),
        strict=True,
    )
    assert len(list(interleaved)) == User.objects.count()


def test_a_cluster_runs_jobs_and_stores_each_once(tmp_path, pool):
    with running_cluster(tmp_path, "--name", "positions", "--workers", "2", **LEDGER_APPS):
        with connection.cursor() as cursor:
            cursor.execute(LEDGER_TABLES)
        jobs = ledger_job.enqueue_many([(0.0, "pooled")] * 100)
        wait_until(lambda: Job.objects.filter(state="succeeded").count() == len(jobs), 60, "the jobs to succeed")
    assert scalar("SELECT count(*) FROM ledger_effect") == 100
    assert Job.objects.filter(attempt_count=1).count() == 100


def test_health_and_sessions_work(client, staff):
    client.force_login(staff)
    assert client.get("/health").status_code in (200, 503)
    assert Session.objects.count() == 1
    cache.set("a", 1, 5)


def test_jobs_survive_the_end_of_postgresql_behind_the_pool(tmp_path_factory, tmp_path):
    with own_postgres(tmp_path_factory.mktemp("postgres")) as postgres:
        direct = postgres.places.database_url
        migrate(direct)
        query(direct, LEDGER_TABLES)
        query(direct, "TRUNCATE django_q_schedule CASCADE")
        with running_pgbouncer(direct) as pool:
            extra = {**LEDGER_APPS, "DATABASE_URL": pool.url_of(direct)}
            with running_cluster(tmp_path, "--name", "positions", "--workers", "2", **extra) as cluster:
                first = ledger_job.delay(0.0, "first")
                wait_until(lambda: jobs_of(direct) == {str(first): "succeeded"}, what="a first job")
                running = [ledger_job.delay(0.5, f"running {number}") for number in range(2)]
                waiting = ledger_job.enqueue_many([(0.0, "waiting")] * 20)
                postgres.kill()
                try:
                    wait_until(lambda: b"PostgreSQL:" in cluster.log.read_bytes(), 40, "the workers to notice")
                finally:
                    postgres.start()
                expected = {str(job): "succeeded" for job in [first, *running, *waiting]}
                wait_until(lambda: jobs_of(direct) == expected, 60, lambda: str(jobs_of(direct)))
        ((effects,),) = query(direct, "SELECT count(*) FROM ledger_effect")
        assert effects == 23


def jobs_of(url: str) -> dict[str, str]:
    return dict(query(url, "SELECT id::text, state FROM tasks_app_job"))


def test_the_lock_of_a_cleanup_that_is_lost_ends_it(pool):
    """Exclusive it was only while the transaction of its lock lived."""

    def work(run: runs.Run) -> dict:
        assert run.has_time()
        kill_locks()
        run.has_time()
        return {}

    with pytest.raises(OperationalError):
        run_exclusively("old_events", work)
    assert "skipped" not in run_exclusively("old_events", lambda run: {})


def kill_locks() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        )


def test_the_lock_of_a_cleanup_outlives_limits_of_idle_transactions():
    with connection.cursor() as cursor:
        cursor.execute("ALTER ROLE postgres SET idle_in_transaction_session_timeout = '200ms'")
    try:
        connections.close_all()
        with transaction.atomic():
            began = scalar("SELECT clock_timestamp()")

        def work(run: runs.Run) -> dict:
            while scalar("SELECT clock_timestamp()") < began + timedelta(seconds=1):
                assert run.has_time()
            return {}

        assert "skipped" not in run_exclusively("old_events", work)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER ROLE postgres RESET idle_in_transaction_session_timeout")
