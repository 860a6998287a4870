"""Commands of the shell where a server does not answer: a sentence that says which one, and no password."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command, load_command_class
from django.db import OperationalError, connection

from manage import sentence_of
from tasks_app.engine import connection as engine_connection
from tasks_app.engine.config import engine_config
from tasks_app.management.base import telling_errors, without_password
from trackerproject.dev.shell_environment import shell_environment

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_fails_with_a_sentence_while_redis_is_down(settings):
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "redis": "unix:///nonexistent/redis.sock"}
    engine_config.cache_clear()
    engine_connection._client_of_process.cache_clear()
    try:
        for command in (["jobs", "list"], ["queues", "list"], ["queues", "pause", "reports"], ["qinfo", "--json"]):
            with pytest.raises(CommandError, match="Redis does not answer") as caught:
                call_command(*command)
            assert "Looked for at unix:///nonexistent/redis.sock (REDIS_URL)." in str(caught.value)
    finally:
        settings.Q_CLUSTER = {**settings.Q_CLUSTER, "redis": settings.REDIS_URL}
        engine_config.cache_clear()
        engine_connection._client_of_process.cache_clear()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@host:6379/0", "redis://:***@host:6379/0"),
        ("postgres://ana:p:a@ss@host/db?x=1", "postgres://ana:***@host/db?x=1"),
        ("unix:///tmp/a/valkey.sock?db=0", "unix:///tmp/a/valkey.sock?db=0"),
        ("postgres://postgres@/tracker?host=/tmp/x&port=5432", "postgres://postgres@/tracker?host=/tmp/x&port=5432"),
        (
            "redis+sentinel://ana:secret@one:1,two:2/fleet/0?sentinel_username=eve&sentinel_password=other+one",
            "redis+sentinel://ana:***@one:1,two:2/fleet/0?sentinel_username=eve&sentinel_password=***",
        ),
        (
            "postgres:///tracker?password=secret&sslpassword=more&host=/tmp/x",
            "postgres:///tracker?password=***&sslpassword=***&host=/tmp/x",
        ),
    ],
)
def test_an_address_is_shown_without_its_password(url, shown):
    assert without_password(url) == shown


def test_it_says_which_database_it_looked_for_and_how_to_find_those_of_make_run(settings, tmp_path):
    settings.BASE_DIR, settings.DATABASE_URL = tmp_path, "postgres://ana:secret@nowhere/tracker"
    env = tmp_path / ".local" / "run" / "env"
    with shell_environment(env, {"REDIS_URL": "unix:///a b/valkey.sock", "HOME": "/root"}):
        assert env.read_text() == "export REDIS_URL='unix:///a b/valkey.sock'\n"
        assert env.stat().st_mode & 0o077 == 0
        with pytest.raises(CommandError) as caught, telling_errors():
            raise OperationalError("connection refused")
    assert "Looked for at postgres://ana:***@nowhere/tracker (DATABASE_URL)." in str(caught.value)
    assert str(env) in str(caught.value)
    assert not env.exists()


def test_commands_of_django_say_it_too_and_show_where_a_database_that_answers_refused(settings, monkeypatch):
    settings.DATABASE_URL = "postgres://ana:secret@nowhere/tracker"
    monkeypatch.setattr("sys.argv", ["manage.py", "migrate"])
    sentence = sentence_of(OperationalError('FATAL:  password authentication failed for user "ana"'))
    assert "password authentication failed" in sentence
    assert "Looked for at postgres://ana:***@nowhere/tracker (DATABASE_URL)." in sentence
    with pytest.raises(OperationalError) as refused, connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)")
    with pytest.raises(OperationalError):
        sentence_of(refused.value)


def test_it_says_how_local_servers_are_started_where_they_are_meant(settings, tmp_path):
    settings.BASE_DIR, settings.DEBUG = tmp_path, True
    settings.DATABASE_URL = settings.LOCAL_DATABASE_URL = "postgres://postgres@/tracker?host=/tmp/none"
    with pytest.raises(CommandError, match="services start"), telling_errors():
        raise OperationalError("connection refused")
    settings.DATABASE_URL = "postgres://db.example.org/tracker"
    with pytest.raises(CommandError) as caught, telling_errors():
        raise OperationalError("connection refused")
    assert "services start" not in str(caught.value)


def test_a_cluster_that_starts_while_redis_is_away_says_so_in_the_log(settings, caplog):
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "redis": "unix:///nowhere/there.sock"}
    engine_config.cache_clear()
    engine_connection._client_of_process.cache_clear()
    try:
        load_command_class("tasks_app", "qcluster")._change_lanes(["positions"])
    finally:
        settings.Q_CLUSTER = {**settings.Q_CLUSTER, "redis": settings.REDIS_URL}
        engine_config.cache_clear()
        engine_connection._client_of_process.cache_clear()
    assert "Redis does not answer" in caplog.text
