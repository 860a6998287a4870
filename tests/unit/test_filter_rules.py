"""Filters as pure decisions: what is kept out, why, and that nobody is locked out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tasks_app.geo.motion_rules import motion_rules
from tasks_app.ingest.fix import Fix
from tasks_app.services.positions.columns import to_columns
from tasks_app.services.positions.filter_rules import (
    DEFAULT_FILTERS,
    KEEP,
    REASONS,
    FilterPoint,
    FilterRules,
    Jumps,
    TrackFilter,
    follow,
    jumps_from,
    memory_of,
    own_reasons,
    resolve_rules,
)

CAR = motion_rules("car")
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
# 0.01 degrees of latitude are 1.112 km: a step of it in 10 s is 400 km/h, in 60 s 67 km/h.


def own(rules, *, seconds=0.0, latitude=-23.5, longitude=-46.6, accuracy=None, attributes=None, is_history=False):
    at = NOON + timedelta(seconds=seconds)
    fix = Fix("van-1", at, latitude, longitude, accuracy_meters=accuracy, attributes=attributes or {})
    number = own_reasons(to_columns([fix], [1], [NOON]), [rules], is_history=is_history)[0]
    return None if number == KEEP else REASONS[number].value


@pytest.mark.parametrize(
    ("rules", "fix", "reason"),
    [
        ({}, {}, None),
        ({}, {"latitude": 0.0, "longitude": 0.0}, "zero"),
        ({}, {"latitude": 0.0}, None),
        ({}, {"seconds": 86_400}, None),
        ({}, {"seconds": 86_401}, "future"),
        ({"max_future_seconds": 60}, {"seconds": 60}, None),
        ({"max_future_seconds": 60}, {"seconds": 61}, "future"),
        ({}, {"seconds": -1e8}, None),
        ({"max_past_seconds": 3600}, {"seconds": -3600}, None),
        ({"max_past_seconds": 3600}, {"seconds": -3601}, "past"),
        ({"max_past_seconds": 3600}, {"seconds": -3601, "is_history": True}, None),
        ({"max_accuracy_meters": 50}, {"accuracy": 50}, None),
        ({"max_accuracy_meters": 50}, {"accuracy": 50.1}, "accuracy"),
        ({"max_accuracy_meters": 50}, {}, None),
        ({}, {"accuracy": 1e6}, None),
        ({}, {"attributes": {"valid": False}}, None),
        ({"drop_invalid": True}, {"attributes": {"valid": False}}, "invalid"),
        ({"drop_invalid": True}, {"attributes": {"valid": True}}, None),
        ({"drop_invalid": True}, {}, None),
        ({"drop_invalid": True}, {"latitude": 0.0, "longitude": 0.0, "attributes": {"valid": False}}, "zero"),
    ],
)
def test_a_fix_by_itself(rules, fix, reason):
    assert own(FilterRules(**rules), **fix) == reason


def test_each_device_of_a_batch_has_its_own_limits():
    fixes = [Fix(f"van-{n}", NOON, -23.5, -46.6, accuracy_meters=80) for n in (1, 2, 3)]
    rules = [DEFAULT_FILTERS, FilterRules(max_accuracy_meters=50), FilterRules(max_accuracy_meters=100)]
    reasons = own_reasons(to_columns(fixes, [1, 2, 3], [NOON] * 3), rules)
    assert [REASONS[n].value if n != KEEP else None for n in reasons.tolist()] == [None, "accuracy", None]
    assert reasons.dtype == np.int8


def reasons_of(rules, *fixes, kind="car", last=None, jumps=None):
    """The reasons of (seconds, degrees north[, speed[, attributes]]) in turn."""
    track_filter = TrackFilter(FilterRules(**rules), motion_rules(kind), last, jumps)
    reasons = []
    for seconds, north, *more in fixes:
        speed, attributes = (*more, None, None)[:2]
        reason = track_filter.decide(FilterPoint(seconds, north, 0.0, speed, attributes or {}))
        reasons.append(reason and reason.value)
    return reasons


JUMP = {"max_jump_kph": 300}
STATIC = {"static_meters": 20, "static_silence_seconds": 300}
PERIOD = {"min_period_seconds": 10}
ON, OFF = {"ignition": True}, {"ignition": False}


@pytest.mark.parametrize(
    ("rules", "fixes", "reasons"),
    [
        # off
        ({}, [(0, 0), (1, 50), (2, 0)], [None, None, None]),
        # one fix that jumped away
        (JUMP, [(0, 0), (10, 0.01), (20, 0)], [None, "jump", None]),
        (JUMP, [(0, 0), (60, 0.01), (70, 0.011)], [None, None, None]),
        # the scatter of a receiver is no jump
        (JUMP, [(0, 0), (1, 0.0008)], [None, None]),
        # the third that agrees is believed, and what follows is compared with it
        (JUMP, [(0, 0), (10, 5), (20, 5), (30, 5), (40, 5)], [None, "jump", "jump", None, None]),
        # a fix at the old place begins the count anew
        (JUMP, [(0, 0), (10, 5), (20, 5), (30, 0), (40, 5), (50, 5)], [None, "jump", "jump", None, "jump", "jump"]),
        # jumps to ever other places do not confirm each other
        (JUMP, [(0, 0), (10, 5), (20, -5), (30, 15), (40, -15)], [None, "jump", "jump", "jump", "jump"]),
        # but nothing is refused for longer than ten minutes
        (JUMP, [(0, 0), (300, 5), (599, -5), (600, 15)], [None, "jump", "jump", None]),
        ({**JUMP, "jump_confirmations": 2}, [(0, 0), (10, 5), (20, 5)], [None, "jump", None]),
        ({**JUMP, "jump_timeout_seconds": 30}, [(0, 0), (10, 5), (30, -5)], [None, "jump", None]),
        # the same fix twice does not confirm itself
        ({**JUMP, "jump_confirmations": 2}, [(0, 0), (10, 5), (10, 5), (10, 5)], [None, "jump", "jump", "jump"]),
        # period
        (PERIOD, [(0, 0), (4, 0), (9.9, 0), (10, 0), (15, 0)], [None, "period", "period", None, "period"]),
        (PERIOD, [(0, 0, 0, ON), (1, 0, 0, OFF), (2, 0, 0, OFF)], [None, None, "period"]),
        (PERIOD, [(0, 0, 0, ON), (1, 0, 0)], [None, "period"]),
        (PERIOD, [(0, 0), (1, 0, 0, {"alarm": "sos"}), (2, 0, 0, {"alarm": "sos"})], [None, None, None]),
        # static
        (STATIC, [(0, 0), (60, 0.0001), (120, 0.0001)], [None, "static", "static"]),
        (STATIC, [(0, 0), (60, 0.0002)], [None, None]),
        (STATIC, [(0, 0), (299, 0), (300, 0), (310, 0)], [None, "static", None, "static"]),
        (STATIC, [(0, 0, 0), (60, 0, 5), (120, 0, 5.1)], [None, "static", None]),
        (STATIC, [(0, 0, 0, OFF), (60, 0, 0, ON), (70, 0, 0, ON)], [None, None, "static"]),
        # a slow drift is seen, since each is compared with the last one kept
        (STATIC, [(0, 0), (60, 0.0001), (120, 0.0002), (180, 0.0003)], [None, "static", None, "static"]),
    ],
)
def test_a_fix_compared_with_the_one_kept_before(rules, fixes, reasons):
    assert reasons_of(rules, *fixes) == reasons


@pytest.mark.parametrize(("kind", "reason"), [("car", "static"), ("phone", None)])
def test_who_walks_does_not_stand(kind, reason):
    assert reasons_of(STATIC, (0, 0, 4), (10, 0.0001, 4), kind=kind) == [None, reason]


def test_a_wild_first_fix_does_not_lock_its_device_out():
    reasons = reasons_of(JUMP, (0, 50), *((10 * n, 0) for n in range(1, 8)))
    assert reasons == [None, "jump", "jump", None, None, None, None, None]


@pytest.mark.parametrize("cut", range(1, 6))
def test_jumps_are_remembered_between_batches(cut):
    fixes = [(0, 0), (10, 5), (20, 5), (30, 5), (40, 9), (50, 5)]
    whole = reasons_of(JUMP, *fixes)
    track_filter = TrackFilter(FilterRules(**JUMP), CAR)
    found = []
    for part in (fixes[:cut], fixes[cut:]):
        track_filter = TrackFilter(
            track_filter.rules, CAR, track_filter.last, jumps_from(memory_of(track_filter.jumps))
        )
        found += [track_filter.decide(FilterPoint(seconds, north, 0.0)) for seconds, north in part]
    assert [one and one.value for one in found] == whole


@pytest.mark.parametrize(
    ("known", "jumps", "fixes", "reasons", "goes_on"),
    [
        # late fixes are compared with the stored one before them, newer ones with that of the state
        ((100, 0), None, [(50, 5, False), (110, 0, False)], ["jump", None], True),
        ((100, 0), None, [(50, 5, False)], ["jump"], False),
        # what is stored stays in, and the next one is compared with it
        ((100, 0), None, [(50, 5, True), (60, 5, False)], [None, None], False),
        # jumps that the state remembers count
        ((90, 0), Jumps(2, 95.0, 5.0, 0.0), [(110, 5, False)], [None], True),
        ((90, 0), None, [(110, 5, False)], ["jump"], True),
        (None, None, [(50, 5, False)], ["jump"], True),
    ],
)
def test_late_fixes_and_newer_ones_are_followed_apart(known, jumps, fixes, reasons, goes_on):
    track = TrackFilter(FilterRules(**JUMP), CAR, FilterPoint(0, 0, 0.0))
    points = [(FilterPoint(seconds, north, 0.0), is_stored) for seconds, north, is_stored in fixes]
    found, after = follow(track, FilterPoint(*known, 0.0) if known else None, jumps, points)
    assert [None if number == KEEP else REASONS[number].value for number in found] == reasons
    assert (after is not None) == goes_on


def test_what_is_remembered_are_json_values():
    assert memory_of(None) is None
    assert jumps_from(None) is None
    assert memory_of(Jumps(2, 10.0, 5.0, 0.0)) == {
        "count": 2,
        "time_seconds": 10.0,
        "latitude": 5.0,
        "longitude": 0.0,
    }


def test_the_devices_setting_comes_before_the_fleets_and_the_default():
    none = dict.fromkeys(FilterRules.__dataclass_fields__)
    device = {**none, "max_accuracy_meters": 30.0, "drop_invalid": False}
    fleet = {**none, "max_accuracy_meters": 90.0, "min_period_seconds": 5, "drop_invalid": True}
    assert resolve_rules(device, fleet) == FilterRules(max_accuracy_meters=30.0, min_period_seconds=5)
    assert resolve_rules(None, fleet).drop_invalid is True
    assert resolve_rules(none, None) is DEFAULT_FILTERS
    assert resolve_rules(None, None).max_future_seconds == 86_400
