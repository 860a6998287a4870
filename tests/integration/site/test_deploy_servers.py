"""The server of the queues with the users of deploy/, and the units of systemd, tried for real."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from django.db import connection

from tasks_app import checks
from tests.support.cluster import wait_until
from trackerproject.dev.local_servers.servers import _valkey_program
from trackerproject.dev.management.commands.demo import free_port

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"


@contextmanager
def running_valkey(folder: Path, *options: str) -> Iterator[redis.Redis]:
    """A server with the files of deploy/, and other options; the user of ours is logged in."""
    users = folder / "users.acl"
    rules = "".join((DEPLOY / "valkey" / name).read_text() for name in ("users.acl", "replication.acl"))
    users.write_text(re.sub("@[A-Z_]*PASSWORD@", "secret-1", rules))
    port = free_port()
    command = [_valkey_program(), str(DEPLOY / "valkey" / "valkey.conf"), "--dir", str(folder), "--port", str(port)]
    command += options
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--aclfile", str(users)], stdout=log, stderr=log)
    client = redis.Redis(port=port, username="tracker", password="secret-1")
    try:
        wait_until(lambda: _answers(client), what=(folder / "log").read_text)
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(10)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_transactions_are_there_again_after_a_restart(tmp_path):
    with running_valkey(tmp_path) as client, client.pipeline(transaction=True) as pipeline:
        for number in range(10):
            pipeline.xadd("{tq:positions}:stream:normal", {"i": number})
        pipeline.execute()
    with running_valkey(tmp_path) as client:
        assert client.xlen("{tq:positions}:stream:normal") == 10
    assert "NOPERM" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), []),
        (("--appendonly", "no"), ["tasks_app.W010"]),
        (("--maxmemory-policy", "allkeys-lru"), ["tasks_app.W003"]),
    ],
)
def test_the_check_says_what_a_server_would_lose_and_that_it_is_away(options, found, tmp_path, monkeypatch):
    with running_valkey(tmp_path, *options) as client:
        monkeypatch.setattr(checks, "client", lambda: client)
        assert [warning.id for warning in checks.check_redis(databases=["default"])] == found
    (warning,) = checks.check_redis(databases=["default"])
    assert warning.id == "tasks_app.W011"
    assert "secret-1" not in str(warning)
    assert checks.check_redis() == []


def test_the_user_reaches_keys_of_ours_and_nothing_else(tmp_path):
    with running_valkey(tmp_path) as client:
        for key in ("tq:scheduler", "{tq:reports.3}:lease", "tracker-cache:1:x"):
            assert client.set(key, "1")
        assert client.publish("tq:live:__group__access", "x") == 0
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        refused = [
            lambda: client.get("other"),
            lambda: client.publish("other", "x"),
            client.flushall,
            lambda: client.config_set("maxmemory", 1),
            lambda: client.keys("*"),
            client.acl_list,
        ]
        for one in refused:
            with pytest.raises(redis.exceptions.NoPermissionError):
                one()
        for username, password in ((None, None), ("default", "x"), ("tracker", "guess")):
            stranger = redis.Redis(
                port=client.connection_pool.connection_kwargs["port"], username=username, password=password
            )
            with pytest.raises((redis.AuthenticationError, redis.ResponseError)):
                stranger.ping()
            stranger.close()


def test_a_replica_and_sentinels_log_in_as_users_of_their_own(tmp_path):
    """The default user is off."""
    folders = [tmp_path / name for name in ("master", "replica")]
    for folder in folders:
        folder.mkdir()
    with running_valkey(folders[0], "--repl-diskless-sync-delay", "0") as master:
        port = master.connection_pool.connection_kwargs["port"]
        follows = ("--replicaof", "127.0.0.1", str(port), "--masteruser", "replica", "--masterauth", "secret-1")
        # While it writes its first append-only file it would not stop.
        with running_valkey(folders[1], *follows, "--appendonly", "no") as replica:
            wait_until(lambda: replica.info("replication")["master_link_status"] == "up", what="replication")
            port = replica.connection_pool.connection_kwargs["port"]
            with redis.Redis(port=port, username="sentinel", password="secret-1") as sentinel:
                assert sentinel.publish("__sentinel__:hello", "x") == 0
                # A new master is made in a transaction.
                with sentinel.pipeline(transaction=True) as pipeline:
                    pipeline.slaveof()
                    pipeline.client_kill_filter(_type="normal", skipme=True)
                    pipeline.execute()
                with pytest.raises(redis.exceptions.NoPermissionError):
                    sentinel.get("tq:scheduler")
            assert replica.role()[0] == b"master"


@pytest.mark.django_db
def test_the_check_names_tables_that_belong_to_another_role():
    """After a restore by the superuser it found nothing, and no worker could read a table."""
    assert checks.check_rights(databases=["default"]) == []
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE pg_monitor")
    (error,) = checks.check_rights(databases=["default"])
    assert error.id == "tasks_app.E013"
    assert "role 'pg_monitor' may not use" in error.msg
    assert checks.check_rights() == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_systemd_finds_nothing_wrong_in_the_units(tmp_path):
    programs = tmp_path / "app" / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "uvicorn"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    found = []
    for unit in (DEPLOY / "systemd").iterdir():
        copy = tmp_path / unit.name.replace("@.", "@positions.")
        copy.write_text(unit.read_text().replace("/srv/tracker/", f"{tmp_path}/"))
        found.append(str(copy))
    assert len(found) == 3
    done = subprocess.run(["systemd-analyze", "verify", *found], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
