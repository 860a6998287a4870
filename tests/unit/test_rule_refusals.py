"""Every reason of a rule against an event, not only the first, and the conditions that it states."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from notifications_app.matching.decisions import Access, Context, EventValue, Reason, RuleValue, refusal
from notifications_app.matching.refusals import refusals, stated

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
NIGHTS = [{"days": [0, 1, 2, 3, 4, 5, 6], "from": "22:00", "to": "06:00"}]
EVERYTHING = RuleValue(
    1, 1, frozenset({"overspeed"}), frozenset({"email"}), device_ids=frozenset({7}), geofence_ids=frozenset({3}),
    alarms=frozenset({"sos"}), min_speed_kph=80, within_geofence_ids=frozenset({3}), min_duration=timedelta(minutes=5),
    windows=NIGHTS, cooldown=timedelta(minutes=30),
)  # fmt: skip
GOOD = EventValue(
    None, "overspeed", 1, 7, NOW.replace(hour=23), speed_kph=90, inside=frozenset({3}),
    began_at=NOW.replace(hour=23), ended_at=NOW.replace(hour=23, minute=6),
)  # fmt: skip
CONTEXT = Context(now=GOOD.occurred_at, max_age=timedelta(minutes=15), access=Access(), people={})


@pytest.mark.parametrize(
    ("rule", "event", "reasons"),
    [
        ({}, {}, []),
        ({}, {"speed_kph": 70}, [Reason.TOO_SLOW]),
        # All of them, in the order in which a rule looks at them.
        ({}, {"device_id": 8, "speed_kph": None, "inside": frozenset(), "occurred_at": NOW},
         [Reason.OTHER_DEVICE, Reason.TOO_SLOW, Reason.NOT_INSIDE, Reason.OUTSIDE_WINDOWS]),
        ({}, {"ended_at": NOW.replace(hour=23, minute=1)}, [Reason.TOO_SHORT]),
        # A geofence and an alarm are conditions of such events only.
        ({}, {"kind": "alarm"}, [Reason.OTHER_KIND, Reason.OTHER_ALARM]),
        ({}, {"kind": "geofence_exit", "geofence_id": 4}, [Reason.OTHER_KIND, Reason.OTHER_GEOFENCE]),
        ({"channels": frozenset()}, {"fleet_id": 2}, [Reason.OTHER_FLEET, Reason.NO_CHANNEL]),
        # An old event has its other faults, too.
        ({}, {"occurred_at": GOOD.occurred_at - timedelta(days=2), "speed_kph": 1},
         [Reason.TOO_SLOW, Reason.TOO_OLD]),
    ],
)  # fmt: skip
def test_all_reasons_are_found_in_their_order(rule, event, reasons):
    rule_value, value = replace(EVERYTHING, **rule), replace(GOOD, **event)
    assert refusals(rule_value, value, CONTEXT) == reasons
    assert refusal(rule_value, value, CONTEXT) == (reasons[0] if reasons else None)


def test_a_cooldown_is_found_beside_other_reasons():
    notified_at = {(1, 7, "overspeed"): GOOD.occurred_at - timedelta(minutes=5)}
    context = replace(CONTEXT, notified_at=notified_at)
    assert refusals(EVERYTHING, replace(GOOD, speed_kph=1), context) == [Reason.TOO_SLOW, Reason.COOLDOWN]


def test_only_conditions_about_such_an_event_are_stated():
    assert stated(RuleValue(1, None, frozenset({"alarm"}), frozenset()), GOOD) == [Reason.OTHER_KIND]
    assert set(stated(EVERYTHING, GOOD)) == {
        Reason.OTHER_KIND, Reason.OTHER_FLEET, Reason.OTHER_DEVICE, Reason.TOO_SLOW, Reason.NOT_INSIDE,
        Reason.OUTSIDE_WINDOWS, Reason.TOO_SHORT, Reason.COOLDOWN,
    }  # fmt: skip
    assert Reason.OTHER_GEOFENCE in stated(EVERYTHING, replace(GOOD, kind="geofence_enter"))
