"""Logs tell no key of a device, no link that opens something by itself, and an outage in lines, not in tracebacks."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from django.core.exceptions import DisallowedHost, ImproperlyConfigured
from django.db import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from trackerproject.logs import OnceAMinute, logging_config


def logged_line(record: logging.LogRecord, *, as_json: bool) -> str:
    stream = io.StringIO()
    config = logging_config(level="INFO", as_json=as_json)
    formatter = logging.config.DictConfigurator(config).configure_formatter(config["formatters"]["line"])
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    handler.handle(record)
    return stream.getvalue()


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize(
    ("logger", "line"),
    [
        ("django.server", '"POST /ingest/osmand?key=SECRET&id=7 HTTP/1.1" 200 0'),
        ("uvicorn.access", '127.0.0.1:5 - "POST /ingest/osmand?id=7&token=SECRET HTTP/1.1" 200'),
        ("django.request", "Unauthorized: /ingest/osmand/SECRET"),
        ("django.request", "Unauthorized: /ingest/sms-receipts/SECRET"),
        ("django.request", "Unauthorized: /ingest/osmand/SECRET/?id=7"),
        ("uvicorn.access", '127.0.0.1:5 - "GET /reports/shared/SECRET%3ASECRET HTTP/1.1" 200'),
        ("uvicorn.access", '127.0.0.1:5 - "POST /app/unsubscribe/SECRET:SECRET?x=1 HTTP/1.1" 404'),
        ("uvicorn.access", '127.0.0.1:5 - "GET /unsubscribe//SECRET HTTP/1.1" 404'),
        ("uvicorn.error", '127.0.0.1:5 - "WebSocket /ws/live/?token=SECRET" 403'),
        ("django.request", "Not Found: /Unsubscribe%2FSECRET"),
        ("tracker", "Internal Server Error: /reports/shared/SECRET-x_y"),
    ],
)
def test_an_address_is_logged_without_the_key_in_it(logger, line, as_json):
    logged = logged_line(logging.LogRecord(logger, logging.INFO, __file__, 1, line, None, None), as_json=as_json)
    assert "SECRET" not in logged
    assert any(
        place in logged.lower()
        for place in ("/ingest/osmand", "/ingest/sms-receipts", "/reports/shared/", "/unsubscribe", "/ws/live/")
    )
    assert "***" in logged


@pytest.mark.parametrize(("error", "has_traceback"), [(RedisConnectionError("refused"), False), (KeyError("x"), True)])
def test_a_redis_that_is_away_is_no_traceback_each_second(error, has_traceback):
    text = "Unexpected exception in receive task"
    record = logging.LogRecord(
        "channels_redis.pubsub", logging.ERROR, __file__, 1, text, None, (type(error), error, None)
    )
    logged = json.loads(logged_line(record, as_json=True))
    assert ("exception" in logged) == has_traceback
    assert str(error) in str(logged)


@pytest.mark.parametrize(
    ("logger", "error", "line"),
    [
        ("django.request", OperationalError("server closed\nthe connection"), "server closed the connection"),
        ("django.request", RedisConnectionError("Error 111"), "/devices/: ConnectionError: Error 111"),
        ("django.request", RedisTimeoutError("Timeout reading"), "/devices/: TimeoutError: Timeout reading"),
        ("django.security.DisallowedHost", DisallowedHost("no such host"), "/devices/: DisallowedHost: no such host"),
        ("django.request", KeyError("x"), ""),
        ("tracker", OperationalError("server closed"), ""),
    ],
)
def test_a_request_that_no_server_answers_or_that_is_refused_is_a_line(logger, error, line):
    text = "Internal Server Error: /devices/"
    record = logging.LogRecord(logger, logging.ERROR, __file__, 1, text, None, (type(error), error, None))
    logged = json.loads(logged_line(record, as_json=True))
    assert ("exception" in logged, logged["level"]) == ((False, "warning") if line else (True, "error"))
    assert line in logged["event"]


@pytest.mark.parametrize("logger", ["django.server", "uvicorn", "uvicorn.access"])
def test_nothing_but_that_handler_writes_the_addresses(logger):
    """Both servers bring a handler of their own, which would write them as they came."""
    found = logging_config(level="INFO", as_json=True)["loggers"][logger]
    assert (found["handlers"], found["propagate"]) == (["stderr"], False)


def test_uvicorn_is_obeyed_that_wants_no_access_log(monkeypatch):
    """Its `--no-access-log` came to nothing: it takes the handlers away, and our settings, read later, gave it one again."""
    access = logging.getLogger("uvicorn.access")
    monkeypatch.setattr(access, "handlers", [])
    monkeypatch.setattr(access, "propagate", True)
    uvicorn.Config("trackerproject.asgi:application", log_config=None, access_log=False)
    assert logging_config(level="INFO", as_json=True)["loggers"]["uvicorn.access"]["handlers"] == []


def test_django_s_own_handler_is_gone():
    handlers = logging.getLogger("django").handlers
    assert [handler for handler in handlers if handler.formatter is None] == []


def test_a_level_that_is_none_is_refused_by_its_name():
    with pytest.raises(ImproperlyConfigured, match=r"LOG_LEVEL must be one of DEBUG, INFO, .*, not 'VERBOSE'"):
        logging_config(level="verbose", as_json=True)
    assert logging_config(level="warning", as_json=True)["root"]["level"] == "WARNING"


def test_a_trouble_that_lasts_is_told_once_a_minute(monkeypatch):
    """A cluster of five workers wrote fifteen lines a second while PostgreSQL was away."""
    now = [0.0]
    monkeypatch.setattr("trackerproject.logs.time", SimpleNamespace(monotonic=lambda: now[0]))
    lines = OnceAMinute()

    def is_written(text: str, *args: object, exc_info: Any = None) -> bool:
        return lines.filter(logging.LogRecord("tasks_app.engine.x", logging.WARNING, "", 1, text, args, exc_info))

    written = [is_written("Redis: %s; trying again", reason) for reason in ("refused", "refused", "timeout", "refused")]
    assert written == [True, False, True, False]
    now[0] = 59.0
    assert not is_written("Redis: %s; trying again", "refused")
    now[0] = 61.0
    assert is_written("Redis: %s; trying again", "refused")
    assert [is_written("%s was killed; starting another", "a worker") for _ in range(2)] == [True, True]
    unexpected = (KeyError, KeyError("x"), None)
    assert [is_written("unexpected; trying again", exc_info=unexpected) for _ in range(2)] == [True, True]
