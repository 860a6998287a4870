"""Who hears of what: one row per case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from notifications_app.matching import Access, EventValue, RuleValue, is_news, match_events, wants

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
MAX_AGE = timedelta(minutes=15)
FLEET, OTHER_FLEET = 1, 2
VAN, TRUCK = 11, 12
DEPOT, YARD = 21, 22
ANA, BEN = 31, 32
EVERYONE = Access(memberships=frozenset({(ANA, FLEET), (BEN, FLEET), (ANA, OTHER_FLEET)}))


def rule(**fields) -> RuleValue:
    defaults = {
        "id": 1,
        "fleet_id": FLEET,
        "event_kinds": frozenset({"geofence_enter", "overspeed"}),
        "channels": frozenset({"email"}),
        "user_ids": frozenset({ANA}),
    }
    return RuleValue(**{**defaults, **fields})


def event(kind="geofence_enter", **fields) -> EventValue:
    defaults = {"id": 1, "fleet_id": FLEET, "device_id": VAN, "occurred_at": NOW, "geofence_id": DEPOT}
    return EventValue(kind=kind, **{**defaults, **fields})


def told(rules, events, access=EVERYONE) -> list[tuple[int, int, set[str]]]:
    matches = match_events(rules, events, access=access, now=NOW, max_age=MAX_AGE)
    return [(match.event.id, match.user_id, set(match.channels)) for match in matches]


@pytest.mark.parametrize(
    ("wanting", "happening", "expected"),
    [
        # The kind is among the rule's, the fleet is its fleet, nothing is narrowed down.
        (rule(), event(), True),
        (rule(), event("overspeed"), True),
        # Another kind, another fleet.
        (rule(), event("geofence_exit"), False),
        (rule(), event(fleet_id=OTHER_FLEET), False),
        # Named devices narrow down every kind.
        (rule(device_ids=frozenset({VAN})), event(), True),
        (rule(device_ids=frozenset({TRUCK})), event(), False),
        (rule(device_ids=frozenset({TRUCK})), event("overspeed"), False),
        # Named geofences narrow down geofence events only.
        (rule(geofence_ids=frozenset({DEPOT})), event(), True),
        (rule(geofence_ids=frozenset({YARD})), event(), False),
        (rule(geofence_ids=frozenset({YARD})), event(geofence_id=None), False),
        (rule(geofence_ids=frozenset({YARD})), event("overspeed", geofence_id=None), True),
        # Both at once: each must allow it.
        (rule(device_ids=frozenset({VAN}), geofence_ids=frozenset({YARD})), event(), False),
        (rule(device_ids=frozenset({VAN}), geofence_ids=frozenset({DEPOT})), event(), True),
    ],
)
def test_it_knows_whether_a_rule_wants_an_event(wanting, happening, expected):
    assert wants(wanting, happening) is expected
    assert bool(told([wanting], [happening], Access(everywhere=frozenset({ANA})))) is expected


@pytest.mark.parametrize(
    ("kind", "age", "expected"),
    [
        ("geofence_enter", timedelta(0), True),
        ("geofence_exit", MAX_AGE, True),
        ("geofence_exit", MAX_AGE + timedelta(seconds=1), False),
        ("overspeed", timedelta(days=1), False),
        # A clock that is ahead is not old news.
        ("overspeed", -timedelta(minutes=5), True),
        # What the server notices itself is about the present, however long ago it began.
        ("device_offline", timedelta(days=3), True),
        ("device_online", timedelta(hours=1), True),
        ("maintenance_due", timedelta(hours=1), True),
    ],
)
def test_it_tells_nobody_of_events_of_late_fixes(kind, age, expected):
    happening = event(kind, occurred_at=NOW - age)
    assert is_news(happening, now=NOW, max_age=MAX_AGE) is expected
    assert bool(told([rule(event_kinds=frozenset({kind}))], [happening])) is expected


def test_it_tells_a_person_once_through_the_channels_of_all_matching_rules():
    rules = [
        rule(id=1, user_ids=frozenset({ANA, BEN}), channels=frozenset({"in_app"})),
        rule(id=2, user_ids=frozenset({ANA}), channels=frozenset({"email"})),
        rule(id=3, user_ids=frozenset({BEN}), channels=frozenset({"email"}), device_ids=frozenset({TRUCK})),
    ]
    assert told(rules, [event()]) == [(1, ANA, {"in_app", "email"}), (1, BEN, {"in_app"})]


@pytest.mark.parametrize(
    ("access", "expected"),
    [
        (Access(), []),
        (Access(memberships=frozenset({(ANA, FLEET)})), [(1, ANA, {"email"})]),
        # A member of another fleet sees nothing of this one.
        (Access(memberships=frozenset({(ANA, OTHER_FLEET)})), []),
        # Staff need no membership.
        (Access(everywhere=frozenset({BEN})), [(1, BEN, {"email"})]),
    ],
)
def test_it_tells_only_those_who_may_see_the_fleet(access, expected):
    assert told([rule(user_ids=frozenset({ANA, BEN}))], [event()], access) == expected


def test_it_tells_nothing_through_no_channel():
    assert told([rule(channels=frozenset())], [event()]) == []


def test_it_keeps_the_order_of_events_and_each_fleets_rules_apart():
    rules = [rule(id=1), rule(id=2, fleet_id=OTHER_FLEET, channels=frozenset({"in_app"}))]
    events = [event(id=7, fleet_id=OTHER_FLEET), event(id=5), event("device_online", id=6)]
    assert told(rules, events) == [(7, ANA, {"in_app"}), (5, ANA, {"email"})]
