"""Live traffic when something is slow or away: a client that does not read, a Redis that restarts."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime

import psutil
import pytest

from tasks_app.ingest.fix import Fix
from tasks_app.models import Device
from tasks_app.services import broadcast
from tasks_app.services.positions.store import store_fixes
from tests.support.cluster import allowed
from tests.support.faults import own_valkey, using_redis
from tests.support.web import running_web, session_of

pytestmark = pytest.mark.django_db(transaction=True)


def move(devices, latitude):
    now = datetime.now(UTC)
    store_fixes([Fix(device.unique_id, now, latitude, -46.63, speed_kph=40.0) for device in devices], now)


@pytest.fixture
def own_redis(settings, tmp_path):
    """A Redis of this test's own, used by this process and what it starts."""
    with own_valkey(tmp_path) as server, using_redis(settings, server.places.redis_url):
        yield server


def test_a_client_that_does_not_read_holds_up_nobody_and_then_gets_the_newest(
    transactional_db, tmp_path, operator, fleet
):
    devices = Device.objects.bulk_create(
        Device(fleet=fleet, unique_id=f"many-{number}", name=f"Many {number} {'x' * 60}") for number in range(3000)
    )
    with running_web(tmp_path) as web:
        session = session_of(operator)
        small = socket.create_connection(tuple(web.url.removeprefix("http://").split(":")), 5)
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        process = psutil.Process(web.process.pid)
        # The library reads at most one message ahead, then leaves the rest to the wire.
        options = {"max_queue": 1, "compression": None, "ping_interval": None, "sock": small}
        with web.live(session=session) as quick, web.live(session=session, **options) as slow:
            assert quick.next()["type"] == "snapshot"
            rounds, memory_bytes, slowest_seconds = 15, [], 0.0
            for number in range(1, rounds + 1):
                began = time.monotonic()
                move(devices, -23.5 + number / 1000)
                slowest_seconds = max(slowest_seconds, time.monotonic() - began)
                quick.until_device(devices[0], latitude=-23.5 + number / 1000)
                memory_bytes.append(process.memory_info().rss)
            # The worker did not wait for it, and what it did not read was not kept.
            assert slowest_seconds < allowed(5)
            assert max(memory_bytes) - memory_bytes[5] < 16 * 2**20
            slow.until_device(devices[0], seconds=60, latitude=-23.5 + rounds / 1000)
            updates = [m for m in slow.messages if any(d["id"] == devices[0].pk for d in m.get("devices", []))]
            assert len(updates) < rounds * 2 / 3, "it got every step of what it had missed"


def test_it_survives_a_restart_of_redis(transactional_db, own_redis, tmp_path, operator, device):
    with running_web(tmp_path, LIVE_REREAD_SECONDS="3600") as web, web.live(session=session_of(operator)) as live:
        live.next()
        move([device], -23.51)
        live.until_device(device, latitude=-23.51)
        own_redis.kill()
        # Stored while nothing could be published.
        move([device], -23.52)
        own_redis.start()
        live.until_device(device, seconds=30, latitude=-23.52)
        move([device], -23.53)
        live.until_device(device, seconds=30, latitude=-23.53)


def test_a_quick_restart_of_redis_loses_nothing_for_long(transactional_db, own_redis, tmp_path, operator, device):
    with running_web(tmp_path, LIVE_REREAD_SECONDS="1") as web, web.live(session=session_of(operator)) as live:
        live.next()
        for number in range(1, 4):
            own_redis.kill()
            own_redis.start()
            move([device], -23.5 + number / 1000)
            live.until_device(device, seconds=20, latitude=-23.5 + number / 1000)


def test_who_comes_while_postgresql_is_away_is_asked_to_come_again(tmp_path):
    with running_web(tmp_path, DATABASE_URL="postgres://nobody@127.0.0.1:1/none") as web:
        with web.live(session="s" * 32) as live:
            assert live.close_code() == 1013
        with web.live() as live:
            assert live.next()["type"] == "authenticate"
            live.send({"type": "authenticate", "token": "t" * 40})
            assert live.close_code() == 1013
        assert "Traceback" not in web.log.read_text(), web.log.read_text()


@pytest.mark.parametrize("path", ["/ws/tasks/?queues=true", "/ws/notifications/"])
def test_who_comes_while_redis_is_away_is_asked_to_come_again(transactional_db, own_redis, tmp_path, operator, path):
    with running_web(tmp_path) as web:
        session = session_of(operator)
        own_redis.kill()
        with web.live(session=session, path=path) as live:
            assert live.close_code() == 1013
        assert "Exception in ASGI application" not in web.log.read_text(), web.log.read_text()


def test_workers_go_on_where_redis_is_away(own_redis, operator, device, caplog):
    own_redis.kill()
    began = time.monotonic()
    broadcast.announce([], [], {})
    move([device], -23.51)
    assert time.monotonic() - began < allowed(10)
    assert "Live viewers were not sent 1 states" in caplog.text
    assert device.state.latitude == -23.51


def test_a_web_server_that_is_stopped_lets_go_of_its_viewers(transactional_db, tmp_path, operator, device):
    with running_web(tmp_path) as web, web.live(session=session_of(operator)) as live:
        live.next()
        web.process.terminate()
        assert live.close_code(10) == 1012
        assert web.process.wait(allowed(10)) is not None
        assert "Traceback" not in web.log.read_text(), web.log.read_text()
