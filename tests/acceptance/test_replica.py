"""Reports computed from a real streaming replica: never less than the primary had, also when it is behind, stuck or gone."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections

from reports_app.models import Report, ReportKind, ReportState
from reports_app.services.generation import generating
from reports_app.services.requests import request_report
from tasks_app.models import Device, DirtyDay, Event, Position
from tasks_app.queries import replica as reads
from tests.support.cluster import running_cluster, wait_until
from tests.support.faults import query
from tests.support.pgbouncer import url_of_settings
from tests.support.replica import running_replica
from tests.support.reports import DAY, ELEVEN, LATER, build, drive, requested_report, rows_of
from tests.support.retention import drop_all_partitions

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "replica"])

LAG = "Reports are read from the primary, not from the replica"


@pytest.fixture(scope="module")
def standby(django_db_setup, tmp_path_factory):
    url = url_of_settings(connection.settings_dict)
    with (
        running_replica(url, tmp_path_factory.mktemp("replica")) as running,
        known_as_replica(str(running.places.sockets)),
    ):
        yield running


@contextmanager
def known_as_replica(folder: str):
    usual = connection.settings_dict
    options = {**usual["OPTIONS"], "host": folder, "connect_timeout": 3}
    connections.settings["replica"] = {**usual, "OPTIONS": options, "TEST": {**usual["TEST"], "MIRROR": "default"}}
    try:
        yield
    finally:
        del connections["replica"]
        del connections.settings["replica"]


@pytest.fixture
def server(standby):
    """The replica, running and following when the test begins."""
    if standby.process.poll() is not None:
        standby.start()
    query(replica_url(standby), "SELECT pg_wal_replay_resume()")
    return standby


@pytest.fixture(autouse=True)
def replicated(server, transactional_db, settings, monkeypatch):
    """This process has a replica."""
    drop_all_partitions()
    monkeypatch.setattr(reads, "_paused_until", 0.0)
    settings.REPLICA_MAX_LAG_SECONDS = 20.0
    settings.DATABASE_ROUTERS = ["tasks_app.queries.replica.ReplicaRouter"]
    yield
    connections["replica"].close()
    if server.process.poll() is None:
        query(replica_url(server), "SELECT pg_wal_replay_resume()")
    drop_all_partitions()


@pytest.fixture
def asked(server):
    """The statements that the replica answered, except those about the log."""
    seen = []

    def note(execute, sql, params, many, context):
        if "pg_control_system" not in sql:
            seen.append(sql)
        return execute(sql, params, many, context)

    with connections["replica"].execute_wrapper(note):
        yield seen


def replica_url(server) -> str:
    return f"postgres://postgres@/{connection.settings_dict['NAME']}?host={server.places.sockets}&port=5432"


def is_behind(server) -> bool:
    ((written,),) = query(url_of_settings(connection.settings_dict), "SELECT pg_current_wal_insert_lsn()::text")
    ((behind,),) = query(replica_url(server), "SELECT pg_last_wal_replay_lsn() < %s::pg_lsn", written)
    return behind


def make_events(device: Device, count: int) -> None:
    Event.objects.bulk_create(
        [
            Event(device=device, kind="overspeed", occurred_at=ELEVEN + timedelta(seconds=number))
            for number in range(count)
        ]
    )


@pytest.mark.parametrize("kind", [kind for kind in ReportKind if kind not in (ReportKind.FLEET, ReportKind.DAILY)])
def test_a_report_of_each_kind_is_what_the_primary_says(kind, device, asked, monkeypatch):
    drive(device)
    make_events(device, 3)
    now = datetime.now(UTC)
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    report = build(kind, device=device)
    assert asked
    found = {section["key"]: rows_of(report, section["key"]) for section in report.content["sections"]}
    asked.clear()
    monkeypatch.setattr(reads, "_is_usable", lambda: False)
    Report.objects.update(state=ReportState.PENDING)
    generating.generate_report(report.pk)
    assert asked == []
    assert found == {section["key"]: rows_of(report, section["key"]) for section in report.content["sections"]}


def test_a_fleet_report_has_roll_ups_that_it_computed_itself(fleet, device, asked):
    drive(device)
    assert DirtyDay.objects.exists()
    (row,) = rows_of(build("fleet", fleet=fleet), "devices")
    assert row["fixes"] == Position.objects.count() > 0
    assert not DirtyDay.objects.exists()
    assert any("tasks_app_deviceday" in sql for sql in asked)


def test_a_report_waits_for_a_replica_that_is_behind(device, server, asked, caplog):
    url = replica_url(server)
    query(url, "ALTER SYSTEM SET recovery_min_apply_delay = '700ms'")
    query(url, "SELECT pg_reload_conf()")
    try:
        for count in (3, 4):
            Event.objects.all().delete()
            make_events(device, count)
            assert is_behind(server)
            assert len(rows_of(build("events", device=device), "events")) == count
    finally:
        query(url, "ALTER SYSTEM RESET recovery_min_apply_delay")
        query(url, "SELECT pg_reload_conf()")
    assert any("tasks_app_event" in sql for sql in asked)
    assert LAG not in caplog.text


def test_a_report_does_not_wait_for_a_stuck_replica_for_ever(device, server, asked, settings, caplog):
    settings.REPLICA_MAX_LAG_SECONDS = 0.3
    query(replica_url(server), "SELECT pg_wal_replay_pause()")
    make_events(device, 3)
    assert len(rows_of(build("events", device=device), "events")) == 3
    assert "bytes behind after 0.3 s" in caplog.text
    assert asked == []


def test_after_a_failure_the_replica_is_left_alone_for_a_while(device, server, asked, settings, caplog, monkeypatch):
    settings.REPLICA_MAX_LAG_SECONDS = 0.3
    query(replica_url(server), "SELECT pg_wal_replay_pause()")
    caplog.set_level(logging.INFO)
    make_events(device, 1)
    assert len(rows_of(build("events", device=device), "events")) == 1
    query(replica_url(server), "SELECT pg_wal_replay_resume()")
    settings.REPLICA_MAX_LAG_SECONDS = 20.0
    make_events(device, 1)
    assert len(rows_of(build("trips", device=device), "trips")) == 0
    assert caplog.text.count(LAG) == 1
    assert "failed less than" in caplog.text
    assert asked == []
    monkeypatch.setattr(reads, "_paused_until", time.monotonic())
    assert build("stops", device=device).state == ReportState.READY
    assert asked


def test_an_idle_primary_is_no_lag(server, settings, caplog):
    """The last transaction that was replayed gets older and older, and nothing is missing."""
    settings.REPLICA_MAX_LAG_SECONDS = 20.0
    assert reads.read_from_replica(lambda: reads.reading_connection().alias) == "replica"
    settings.REPLICA_MAX_LAG_SECONDS = 0.0
    wait_until(lambda: not is_behind(server), what="the replica to follow")
    assert [reads.read_from_replica(lambda: reads.reading_connection().alias) for _ in range(20)] == ["replica"] * 20
    assert LAG not in caplog.text


def test_a_replica_that_is_gone_costs_a_line_in_the_log(device, server, asked, caplog):
    make_events(device, 3)
    server.kill()
    assert len(rows_of(build("events", device=device), "events")) == 3
    assert f"{LAG}: it is away" in caplog.text
    assert asked == []


def test_a_replica_that_dies_in_the_middle_is_replaced_by_the_primary(device, server, asked, caplog, monkeypatch):
    make_events(device, 12_000)
    built = []
    original = generating.store_rows

    def store(report_id, table):
        built.append(reads.reading_connection().alias)
        if len(built) == 1:
            rows = iter(table.sections[0].rows)
            next(rows)
            server.kill()
            list(rows)
        return original(report_id, table)

    monkeypatch.setattr(generating, "store_rows", store)
    report = build("events", device=device)
    assert built == ["replica", "default"]
    assert len(rows_of(report, "events")) == 12_000
    assert f"{LAG}: it failed" in caplog.text
    assert any("tasks_app_event" in sql for sql in asked)


def test_a_restarted_replica_is_used_again(device, server, asked):
    build("stops", device=device)
    server.kill()
    server.start()
    asked.clear()
    assert build("trips", device=device).state == ReportState.READY
    assert asked


def test_a_primary_instead_of_a_replica_is_refused(device, asked, caplog, monkeypatch):
    monkeypatch.setitem(
        connections["replica"].settings_dict["OPTIONS"], "host", connection.settings_dict["OPTIONS"]["host"]
    )
    make_events(device, 3)
    assert len(rows_of(build("events", device=device), "events")) == 3
    assert "leads to a server that is no replica" in caplog.text
    assert asked == []


def test_a_failing_primary_is_not_taken_for_the_replica(device, monkeypatch):
    """Its error reaches the job, which is then tried again."""
    monkeypatch.setattr(generating, "store_rows", lambda report_id, table: connection.cursor().execute("SELECT 1/0"))
    report = requested_report(device)
    with pytest.raises(Exception, match="division by zero"):
        generating.generate_report(report.pk)


def test_notifications_of_a_report_are_read_where_they_are_written(device, operator, asked):
    report = requested_report(device, operator)
    Report.objects.filter(pk=report.pk).update(created_at=datetime.now(UTC) - timedelta(hours=1))
    generating.generate_report(report.pk)
    assert not any("reports_app_report" in sql for sql in asked)


def test_a_cluster_computes_reports_from_the_replica(device, server, tmp_path):
    drive(device)
    before = scans(server)
    with running_cluster(
        tmp_path, "--name", "reports", "--workers", "1", DATABASE_REPLICA_URL=replica_url(server)
    ) as cluster:
        first = requested_report(device)
        wait_until(lambda: state_of(first) == ReportState.READY, 60, cluster.log.read_text)
        assert LAG not in cluster.log.read_text()
        wait_until(lambda: scans(server) > before, what="reads of the replica")
        server.kill()
        second = request_report(kind="trips", device=device, range_start=DAY, range_end=LATER)
        wait_until(lambda: state_of(second) == ReportState.READY, 60, cluster.log.read_text)
        assert f"{LAG}: it is away" in cluster.log.read_text()
    assert len(rows_of(Report.objects.get(pk=second.pk), "trips")) == 1


def state_of(report: Report) -> str:
    return Report.objects.get(pk=report.pk).state


def scans(server) -> int:
    """How often the replica read roll-ups."""
    sql = "SELECT seq_scan + idx_scan FROM pg_stat_user_tables WHERE relname = 'tasks_app_deviceday'"
    return query(replica_url(server), sql)[0][0]
