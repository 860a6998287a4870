"""Receivers that do not know that the GPS week number began anew are 1024 or 2048 weeks behind: live ways put them right."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.json_batch import parse_batch
from tasks_app.ingest.osmand import form_parameters, parse_json, parse_parameters
from tasks_app.ingest.registry import parser_for
from tasks_app.ingest.traccar_forward import parse_forward

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
PERIOD = timedelta(weeks=1024)
PLACE = {"latitude": -23.55, "longitude": -46.63}
SECOND = timedelta(seconds=1)

Read = Callable[[datetime], Any]


def parameters(at: datetime) -> Any:
    body = f"id=van-1&lat=-23.55&lon=-46.63&timestamp={int(at.timestamp())}&ignition=true"
    return parse_parameters(form_parameters(body.encode()), now=NOW).content


def client_9(at: datetime) -> Any:
    location = {"timestamp": at.isoformat(), "coords": PLACE, "extras": {"ignition": True}}
    return parse_json(json.dumps({"device_id": "van-1", "location": location}).encode(), now=NOW).content


def parse_forwarded(at: datetime) -> Any:
    position = {**PLACE, "fixTime": at.isoformat(), "attributes": {"ignition": True}}
    return parse_forward(json.dumps({"position": position, "device": {"uniqueId": "van-1"}}).encode(), now=NOW).content


def own(at: datetime) -> Any:
    return batch_of(at.isoformat())


def own_epoch(at: datetime) -> Any:
    return batch_of(int(at.timestamp()))


def batch_of(timestamp: object) -> Any:
    item = {**PLACE, "device_id": "van-1", "timestamp": timestamp, "attributes": {"ignition": True}}
    batch = parse_batch([item], now=NOW)
    return [*batch.fixes, *batch.rejected][0]


LIVE_WAYS = [parameters, client_9, parse_forwarded, own, own_epoch]


@pytest.mark.parametrize("periods", [1, 2])
@pytest.mark.parametrize(
    "age",
    [
        timedelta(0),
        timedelta(hours=5),
        timedelta(days=30),
        -timedelta(minutes=1),
        -timedelta(days=1),
    ],
)
@pytest.mark.parametrize("read", LIVE_WAYS)
def test_a_receiver_whose_week_rolled_over_is_put_right(read: Read, age: timedelta, periods: int) -> None:
    meant = (NOW - age).replace(microsecond=0)
    fix = read(meant - periods * PERIOD)
    assert isinstance(fix, Fix), fix
    assert fix.fix_time == meant
    assert fix.attributes == {"ignition": True, "gpsWeekRollover": periods * 1024}


@pytest.mark.parametrize("days", [0, 1, 90, 365, 3650, 7166])
@pytest.mark.parametrize("read", LIVE_WAYS)
def test_an_old_fix_that_was_kept_is_not_moved(read: Read, days: int) -> None:
    meant = NOW - timedelta(days=days)
    fix = read(meant)
    assert isinstance(fix, Fix), fix
    assert (fix.fix_time, fix.attributes) == (meant, {"ignition": True})


@pytest.mark.parametrize("age", [timedelta(days=30) + SECOND, timedelta(days=200), timedelta(days=5000)])
@pytest.mark.parametrize("read", LIVE_WAYS)
def test_what_no_whole_number_of_periods_brings_near_now_is_refused_for_that(read: Read, age: timedelta) -> None:
    refused = read(NOW - PERIOD - age)
    assert isinstance(refused, RejectedFix)
    assert refused.code in ("gps_week_rollover", "timestamp_too_old")
    assert "1024 weeks" in refused.detail or "clock" in refused.detail


@pytest.mark.parametrize("read", LIVE_WAYS)
def test_a_day_ahead_is_the_most_on_both_sides(read: Read) -> None:
    assert read(NOW + timedelta(days=1) + SECOND).code == "timestamp_in_future"
    # A second more is an ordinary fix, from almost twenty years ago.
    assert read(NOW + timedelta(days=1) + SECOND - PERIOD).attributes == {"ignition": True}


@pytest.mark.parametrize(
    "text",
    [
        "1970-01-01T00:00:00+00:00",
        "1980-01-06T00:00:00+00:00",
        "1980-01-06T00:03:12+00:00",
        "1999-08-22T00:00:00+00:00",
        "1999-08-21T23:59:47+00:00",
        "2000-01-01T00:00:07+00:00",
        "2000-06-30T12:00:00+00:00",
    ],
)
@pytest.mark.parametrize("read", LIVE_WAYS)
def test_a_clock_that_was_never_set_is_refused_for_that(read: Read, text: str) -> None:
    refused = read(datetime.fromisoformat(text))
    assert isinstance(refused, RejectedFix)
    assert refused.code == "timestamp_too_old"
    assert "clock" in refused.detail


def test_files_stay_as_they_are(tmp_path: Path) -> None:
    at = (NOW - PERIOD).isoformat()
    item = {**PLACE, "device_id": "van-1", "timestamp": at}
    assert parse_batch([item], now=NOW, is_history=True).fixes[0].fix_time == NOW - PERIOD
    path = tmp_path / "fixes.csv"
    path.write_text(f"device_id,timestamp,lat,lon\nvan-1,{at},1.5,2.5\nvan-1,2000-06-30T12:00:00Z,1.5,2.5\n")
    fixes = list(parser_for(path)(path, now=NOW))
    assert all(isinstance(fix, Fix) and fix.attributes == {} for fix in fixes)


def test_an_alarm_without_a_place_is_put_right_too() -> None:
    at = int((NOW - PERIOD - timedelta(minutes=3)).timestamp())
    message = parse_parameters(form_parameters(f"id=van-1&timestamp={at}&alarm=sos".encode()), now=NOW)
    assert message.unlocated is not None
    assert message.unlocated.sent_at == (NOW - timedelta(minutes=3)).replace(microsecond=0)


def test_of_a_copied_fix_the_alarm_counts_though_both_times_rolled_over() -> None:
    position = {
        **PLACE,
        "fixTime": (NOW - PERIOD - timedelta(hours=1)).isoformat(),
        "deviceTime": (NOW - PERIOD).isoformat(),
        "attributes": {"alarm": "sos"},
    }
    message = parse_forward(json.dumps({"position": position, "device": {"uniqueId": "van-1"}}).encode(), now=NOW)
    assert message.unlocated is not None
    assert (message.unlocated.sent_at, message.unlocated.copied_fix_time) == (NOW, NOW - timedelta(hours=1))


def test_one_that_rolled_over_in_a_batch_costs_the_others_nothing() -> None:
    good = {**PLACE, "device_id": "van-1", "timestamp": NOW.isoformat()}
    items = [good, {**good, "timestamp": (NOW - PERIOD - SECOND).isoformat()}, good]
    batch = parse_batch(items, now=NOW)
    assert [fix.fix_time for fix in batch.fixes] == [NOW, NOW - SECOND, NOW]
    assert [bool(fix.attributes) for fix in batch.fixes] == [False, True, False]
