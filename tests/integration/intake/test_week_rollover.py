"""A device whose GPS week rolled over is where it is now, not where it was in 2007."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from tasks_app.models import DeviceState, DeviceStatus, Position, QuarantinedFix
from tests.support.ingest import (
    POSITIONS,
    TOKEN,
    TRACCAR,
    drain_buffers,
    forwarded_position,
    minutes_before_now,
    position,
    quarantined_codes,
    send_form,
    send_json,
    send_query,
)

pytestmark = pytest.mark.django_db
PERIOD = timedelta(weeks=1024)

WAYS: dict[str, Callable[[str, datetime], Any]] = {
    "query": lambda key, at: send_query(key, timestamp=int(at.timestamp())),
    "form": lambda key, at: send_form(key, timestamp=int(at.timestamp())),
    "server": lambda key, at: send_json(TRACCAR, forwarded_position(fixTime=at.isoformat()), TOKEN),
    "gateway": lambda key, at: send_json(POSITIONS, position(timestamp=at.isoformat()), key),
}


@pytest.mark.parametrize("periods", [1, 2])
@pytest.mark.parametrize("name", WAYS)
def test_a_rolled_over_time_is_put_right_and_the_device_goes_on(name, periods, device, key, server):
    first, second = minutes_before_now(2), minutes_before_now(1)
    WAYS[name](key, first)
    WAYS[name](key, second - periods * PERIOD)
    assert drain_buffers()["stored"] == 2
    stored = Position.objects.order_by("fix_time").last()
    assert (stored.fix_time, stored.attributes["gpsWeekRollover"]) == (second, periods * 1024)
    state = DeviceState.objects.get(device=device)
    assert (state.fix_time, state.status) == (second, DeviceStatus.ONLINE)


@pytest.mark.parametrize("at", [datetime(1999, 8, 22, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC)])
@pytest.mark.parametrize("name", WAYS)
def test_a_clock_that_was_never_set_is_kept_aside(name, at, device, key, server):
    assert WAYS[name](key, at).status_code == 200
    assert (quarantined_codes(), Position.objects.count(), drain_buffers()["read"]) == (["timestamp_too_old"], 0, 0)


def test_what_weeks_do_not_bring_near_now_is_kept_aside_with_that_reason(device, key):
    send_query(key, timestamp=int((timezone.now() - PERIOD - timedelta(days=60)).timestamp()))
    assert (quarantined_codes(), QuarantinedFix.objects.get().device) == (["gps_week_rollover"], device)


def test_a_batch_of_the_api_is_put_right_and_once(api, device, run_jobs):
    at = minutes_before_now(5)
    items = [position(timestamp=(at - PERIOD).isoformat()), position(timestamp=at.isoformat())]
    answer = api.post("/api/tasks/position/process-batch", items, format="json")
    run_jobs("positions")
    assert api.get(answer.json()["status_url"]).json()["result"]["duplicates"] == 1
    assert [one.fix_time for one in Position.objects.all()] == [at]


def test_a_file_stays_as_it_is(device, tmp_path):
    at = minutes_before_now() - PERIOD
    path = tmp_path / "history.csv"
    path.write_text(f"device_id,timestamp,lat,lon\nvan-1,{at.isoformat()},1.5,2.5\n")
    call_command("import_positions", str(path))
    assert Position.objects.get().fix_time == at
