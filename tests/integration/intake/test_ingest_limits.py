"""How much, how large and how fast devices may send."""

from __future__ import annotations

import gzip
import json
import os

import psutil
import pytest

from tasks_app.queries.position_buffer import buffer_size
from tasks_app.services.intake import buffer as buffer
from tests.support.ingest import (
    OSMAND,
    POSITIONS,
    TOKEN,
    TRACCAR,
    bomb,
    client_9,
    forwarded_position,
    position,
    problem,
    send_json,
    send_query,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", [OSMAND, POSITIONS])
def test_it_unpacks_gzip(path, device, key):
    body = gzip.compress(json.dumps(client_9() if path == OSMAND else position()).encode())
    assert send_json(path, body, key, **{"Content-Encoding": "gzip"}).status_code in (200, 202)
    assert buffer_size() == 1


def test_the_batch_api_unpacks_gzip(api, device, run_jobs):
    body = gzip.compress(json.dumps([position()]).encode()) + gzip.compress(b" ")
    path = "/api/tasks/position/process-batch"
    response = api.generic("POST", path, body, "application/json", headers={"Content-Encoding": "gzip"})
    assert (response.status_code, response.json()["accepted"]) == (202, 1)


GZIP_PATHS = [OSMAND, POSITIONS, TRACCAR, "/api/tasks/position/process-batch", "/api/tasks/position/process"]


@pytest.mark.parametrize("path", GZIP_PATHS)
def test_a_gzip_bomb_is_refused_and_takes_no_memory(path, api, device, key, server):
    body = bomb()
    credentials = {} if path.startswith("/api") else {"Authorization": f"Bearer {TOKEN if path == TRACCAR else key}"}
    headers = {"Content-Encoding": "gzip", **credentials}
    limit = 64 * 1024 if path == OSMAND else len(body)
    process = psutil.Process(os.getpid())
    before = process.memory_info().rss
    for sent in (body, body[:limit]):
        response = api.generic("POST", path, sent, "application/json", headers=headers)
        problem(response, 413, "body_too_large")
    assert process.memory_info().rss - before < 40_000_000


@pytest.mark.parametrize(
    ("body", "encoding", "status", "code"),
    [
        (b"no gzip", "gzip", 400, "not_gzip"),
        (gzip.compress(b"{}", mtime=0)[:-3], "gzip", 400, "not_gzip"),
        (gzip.compress(b"{}", mtime=0) + b"rubbish", "gzip", 400, "not_gzip"),
        (gzip.compress(b"", mtime=0) * 5000, "gzip", 400, "not_gzip"),
        (b"{}", "br", 415, "unsupported_encoding"),
        (b"{}", "gzip, gzip", 415, "unsupported_encoding"),
    ],
)
def test_a_packed_body_that_cannot_be_unpacked_is_refused(body, encoding, status, code, device, key):
    problem(send_json(POSITIONS, body, key, **{"Content-Encoding": encoding}), status, code)


def test_a_body_that_is_too_large_is_refused(device, key, server):
    problem(send_json(OSMAND, b" " * 70_000, key), 413, "body_too_large")
    problem(send_json(POSITIONS, b" " * 3_000_000, key), 413, "body_too_large")
    problem(send_json(TRACCAR, b" " * 3_000_000, TOKEN), 413, "body_too_large")


def test_a_full_buffer_asks_the_sender_to_come_back(device, key, server, monkeypatch):
    monkeypatch.setattr(buffer, "MAX_BUFFERED_FIXES", 0)
    for response in (
        send_query(key),
        send_json(POSITIONS, position(), key),
        send_json(TRACCAR, forwarded_position(), TOKEN),
    ):
        problem(response, 503, "position_buffer_full")
        assert response["Retry-After"]


def test_a_device_that_sends_without_end_is_slowed_down(device, key, settings):
    settings.INGEST_DEVICE_PER_MINUTE = 3
    statuses = [send_query(key).status_code for _ in range(8)]
    assert statuses[:3] == [200] * 3
    assert 429 in statuses
    response = next(found for _ in range(8) if (found := send_query(key)).status_code == 429)
    assert 0 < int(response["Retry-After"]) <= 60


def test_an_address_that_guesses_keys_is_slowed_down_and_devices_behind_it_are_not(device, key, settings):
    settings.INGEST_REFUSALS_PER_MINUTE = 3
    statuses = [send_query("guess").status_code for _ in range(10)]
    assert set(statuses) == {401, 429}
    assert send_query(key).status_code == 200
