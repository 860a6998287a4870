"""Matching of rules and events, with the reasons for what is not notified: one row per case."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from notifications_app.matching.decisions import (
    GATHERING,
    Access,
    Context,
    EventValue,
    Reason,
    RuleIndex,
    RuleValue,
    is_fresh,
    match,
)
from notifications_app.matching.delivery_times import Digest, Person
from notifications_app.matching.match_results import collect

# A Monday, 07:00 in São Paulo.
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
MAX_AGE = timedelta(minutes=15)
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
FLEET, OTHER_FLEET = 1, 2
VAN, TRUCK = 11, 12
DEPOT, YARD = 21, 22
ANA, BEN, CHARLIE = 31, 32, 33
EVERYONE = Access(members={FLEET: {ANA: "operator", BEN: "manager"}, OTHER_FLEET: {ANA: "viewer"}})
PEOPLE = {user_id: Person(user_id, SAO_PAULO) for user_id in (ANA, BEN, CHARLIE)}
NIGHTS = [{"days": [0, 1, 2, 3, 4, 5, 6], "from": "22:00", "to": "06:00"}]
MORNINGS = [{"days": [0], "from": "06:00", "to": "08:00"}]


def rule(**fields) -> RuleValue:
    defaults = {
        "id": 1,
        "fleet_id": FLEET,
        "event_kinds": frozenset({"geofence_enter", "overspeed", "alarm", "device_offline", "device_online"}),
        "channels": frozenset({"email"}),
        "user_ids": frozenset({ANA}),
    }
    return RuleValue(**{**defaults, **fields})


def event(kind="geofence_enter", **fields) -> EventValue:
    defaults = {"id": 1, "fleet_id": FLEET, "device_id": VAN, "occurred_at": NOW, "geofence_id": DEPOT}
    return EventValue(kind=kind, **{**defaults, **fields})


def context(**fields) -> Context:
    defaults = {"now": NOW, "max_age": MAX_AGE, "access": EVERYONE, "people": PEOPLE, "zones": {FLEET: SAO_PAULO}}
    return Context(**{**defaults, **fields})


def decisions_of(wanting: RuleValue, happening: EventValue, **fields) -> list[tuple[int | None, str, str]]:
    decisions = match(happening, [wanting], context(**fields))
    return [(one.user_id, one.outcome.value, one.reason.value) for one in decisions]


def notified_users(rules, events, *, flood_at=100, notified_lately=(), **fields):
    found = collect(
        events, RuleIndex(rules), context(**fields), notified_lately=dict(notified_lately), flood_at=flood_at
    )
    return [(alert.event.id, alert.user_id, set(alert.channels)) for alert in found.alerts]


def ids(*values) -> frozenset:
    return frozenset(values)


AN_HOUR = timedelta(hours=1)
OFFLINE = {"kind": "device_offline", "geofence_id": None}


@pytest.mark.parametrize(
    ("wanting", "happening", "reason"),
    [
        # The kind is among the rule's, the fleet is its fleet, nothing is narrowed down.
        (rule(), event(), Reason.NOTIFIED),
        (rule(), event("overspeed"), Reason.NOTIFIED),
        # Another kind, another fleet; no fleet is every fleet.
        (rule(), event("geofence_exit"), Reason.OTHER_KIND),
        (rule(), event(fleet_id=OTHER_FLEET), Reason.OTHER_FLEET),
        (rule(fleet_id=None), event(fleet_id=OTHER_FLEET), Reason.NOTIFIED),
        # Named devices narrow down every kind.
        (rule(device_ids=ids(VAN)), event(), Reason.NOTIFIED),
        (rule(device_ids=ids(TRUCK)), event("overspeed"), Reason.OTHER_DEVICE),
        # Named geofences narrow down geofence events only.
        (rule(geofence_ids=ids(DEPOT)), event(), Reason.NOTIFIED),
        (rule(geofence_ids=ids(YARD)), event(), Reason.OTHER_GEOFENCE),
        (rule(geofence_ids=ids(YARD)), event(geofence_id=None), Reason.OTHER_GEOFENCE),
        (rule(geofence_ids=ids(YARD)), event("overspeed", geofence_id=None), Reason.NOTIFIED),
        # Both at once: each must allow it.
        (rule(device_ids=ids(VAN), geofence_ids=ids(YARD)), event(), Reason.OTHER_GEOFENCE),
        (rule(device_ids=ids(VAN), geofence_ids=ids(DEPOT)), event(), Reason.NOTIFIED),
        # Alarms by name, however the device writes them; other kinds have none.
        (rule(alarms=ids("sos")), event("alarm", alarm="SOS"), Reason.NOTIFIED),
        (rule(alarms=ids("sos")), event("alarm", alarm="tow"), Reason.OTHER_ALARM),
        (rule(alarms=ids("sos")), event("overspeed"), Reason.NOTIFIED),
        # Above a speed: equal is not above, unknown is not known to be.
        (rule(min_speed_kph=80), event(speed_kph=80.1), Reason.NOTIFIED),
        (rule(min_speed_kph=80), event(speed_kph=80.0), Reason.TOO_SLOW),
        (rule(min_speed_kph=80), event(speed_kph=None), Reason.TOO_SLOW),
        # Only inside a geofence, whatever happened.
        (rule(within_geofence_ids=ids(DEPOT, YARD)), event("overspeed", inside=ids(YARD)), Reason.NOTIFIED),
        (rule(within_geofence_ids=ids(DEPOT)), event("overspeed", inside=ids(YARD)), Reason.NOT_INSIDE),
        # Windows are on the fleet's clocks, where it is seven in the morning.
        (rule(windows=MORNINGS), event(), Reason.NOTIFIED),
        (rule(windows=NIGHTS), event(), Reason.OUTSIDE_WINDOWS),
        (
            rule(windows=NIGHTS),
            event(occurred_at=NOW - timedelta(hours=2), **{"kind": "device_offline"}),
            Reason.NOTIFIED,
        ),
        # Late, and very late.
        (rule(), event(occurred_at=NOW - timedelta(hours=2)), Reason.BACKLOG),
        (rule(), event(occurred_at=NOW - timedelta(hours=25)), Reason.TOO_OLD),
        # No people, no channels.
        (rule(user_ids=ids()), event(), Reason.NOBODY),
        (rule(channels=ids()), event(), Reason.NO_CHANNEL),
    ],
)
def test_it_gives_the_reason_for_each_yes_and_no(wanting, happening, reason):
    (decision,) = match(happening, [wanting], context())
    assert decision.reason is reason
    # The index finds whatever would be notified, and nothing else is notified.
    assert bool(notified_users([wanting], [happening])) is (reason is Reason.NOTIFIED)


@pytest.mark.parametrize(
    ("happening", "expected"),
    [
        # Silent for 15 minutes when noticed: the rule waits until it is an hour.
        (event(**OFFLINE, began_at=NOW - timedelta(minutes=15)), ("wait", NOW + timedelta(minutes=45))),
        (event(**OFFLINE, began_at=NOW - timedelta(minutes=60)), ("notify", None)),
        # Overspeed that still goes on; that is over and was too short; that is over and was long.
        (event("overspeed", began_at=NOW), ("wait", NOW + AN_HOUR)),
        (event("overspeed", began_at=NOW, ended_at=NOW + timedelta(minutes=59)), ("no", None)),
        (event("overspeed", began_at=NOW - AN_HOUR, ended_at=NOW), ("notify", None)),
        # The return is notified of those silences of which was notified.
        (event("device_online", began_at=NOW - timedelta(minutes=20), ended_at=NOW), ("no", None)),
        (event("device_online", began_at=NOW - timedelta(minutes=60), ended_at=NOW), ("notify", None)),
        # What does not last is not asked to.
        (event("geofence_enter"), ("notify", None)),
    ],
)
def test_it_waits_until_something_has_lasted_as_long_as_the_rule_wants(happening, expected):
    (decision,) = match(happening, [rule(min_duration=AN_HOUR)], context())
    assert (decision.outcome.value, decision.due_at) == expected


@pytest.mark.parametrize(
    ("user_ids", "roles", "access", "expected"),
    [
        ((ANA, BEN), (), Access(), [(ANA, "no", "no_access"), (BEN, "no", "no_access")]),
        ((ANA,), (), EVERYONE, [(ANA, "notify", "notified")]),
        # A member of another fleet sees nothing of this one; staff need no membership.
        ((ANA,), (), Access(members={OTHER_FLEET: {ANA: "manager"}}), [(ANA, "no", "no_access")]),
        ((BEN,), (), Access(everywhere=ids(BEN)), [(BEN, "notify", "notified")]),
        # Roles, and who is named beside them, each once.
        ((), ("manager",), EVERYONE, [(BEN, "notify", "notified")]),
        ((), ("manager", "operator"), EVERYONE, [(ANA, "notify", "notified"), (BEN, "notify", "notified")]),
        ((BEN,), ("manager",), EVERYONE, [(BEN, "notify", "notified")]),
        ((), ("viewer",), EVERYONE, [(None, "no", "nobody")]),
        # A user who is not active (any more).
        ((99,), (), Access(everywhere=ids(99)), [(99, "no", "inactive")]),
    ],
)
def test_it_notifies_those_named_and_those_with_a_role_who_may_see_the_fleet(user_ids, roles, access, expected):
    assert decisions_of(rule(user_ids=ids(*user_ids), roles=ids(*roles)), event(), access=access) == expected


@pytest.mark.parametrize(
    ("person", "wanting", "happening", "expected"),
    [
        # Quiet until eight in the morning: held until then, except what is urgent.
        ({"quiet": ("22:00", "08:00")}, rule(), event(), ("hold", "quiet_hours", NOW + AN_HOUR)),
        ({"quiet": ("22:00", "08:00")}, rule(), event("alarm"), ("notify", "notified", None)),
        ({"quiet": ("22:00", "07:00")}, rule(), event(), ("notify", "notified", None)),
        # The person's digest, the rule's own digest, which comes first and holds the urgent too: it was asked for.
        ({"every": 30}, rule(), event(), ("hold", "digest", NOW + timedelta(minutes=30))),
        ({"every": 30}, rule(), event("alarm"), ("notify", "notified", None)),
        ({"every": 30}, rule(digest=Digest(10)), event(), ("hold", "digest", NOW + timedelta(minutes=10))),
        ({}, rule(digest=Digest(10)), event("alarm"), ("hold", "digest", NOW + timedelta(minutes=10))),
        # A digest that is due in quiet hours waits for their end.
        ({"quiet": ("07:05", "09:00")}, rule(digest=Digest(10)), event(), ("hold", "digest", NOW + 2 * AN_HOUR)),
        ({"daily": "18:00"}, rule(), event(), ("hold", "digest", NOW + 11 * AN_HOUR)),
    ],
)
def test_it_holds_back_what_a_person_wants_later(person, wanting, happening, expected):
    quiet = [time.fromisoformat(clock) for clock in person.get("quiet", ())] or [None, None]
    daily = time.fromisoformat(person["daily"]) if "daily" in person else None
    people = {ANA: Person(ANA, SAO_PAULO, *quiet, Digest(person.get("every"), daily))}
    (decision,) = match(happening, [wanting], context(people=people))
    assert (decision.outcome.value, decision.reason.value, decision.due_at) == expected


@pytest.mark.parametrize(
    ("notified_ago", "happening", "reason"),
    [
        (timedelta(minutes=29), event(), Reason.COOLDOWN),
        (timedelta(minutes=30), event(), Reason.NOTIFIED),
        # Another kind, another device.
        (timedelta(minutes=5), event("overspeed"), Reason.NOTIFIED),
        (timedelta(minutes=5), event(device_id=TRUCK), Reason.NOTIFIED),
    ],
)
def test_it_is_silent_for_a_while_after_it_notified(notified_ago, happening, reason):
    notified_at = {(1, VAN, "geofence_enter"): NOW - notified_ago}
    (decision,) = match(happening, [rule(cooldown=timedelta(minutes=30))], context(notified_at=notified_at))
    assert decision.reason is reason


def test_an_event_of_a_clock_that_is_ahead_silences_its_device_for_the_cooldown_only():
    rules = RuleIndex([rule(cooldown=AN_HOUR)])
    ahead = collect([event(occurred_at=NOW + timedelta(hours=20))], rules, context(), notified_lately={}, flood_at=100)
    assert set(ahead.cooldowns.values()) == {NOW}
    for later, count in ((timedelta(minutes=59), 0), (AN_HOUR, 1)):
        at = context(now=NOW + later, notified_at=dict(ahead.cooldowns))
        found = collect([event(id=2, occurred_at=NOW + later)], rules, at, notified_lately={}, flood_at=100)
        assert len(found.alerts) == count


def test_a_cooldown_holds_among_events_of_one_batch_in_the_order_of_time():
    events = [event(id=2, occurred_at=NOW), event(id=1, occurred_at=NOW - timedelta(minutes=1)), event("alarm", id=3)]
    found = collect(
        events, RuleIndex([rule(cooldown=timedelta(minutes=30))]), context(), notified_lately={}, flood_at=100
    )
    assert [alert.event.id for alert in found.alerts] == [1, 3]
    notified_at = {(1, VAN, "geofence_enter"): NOW - timedelta(minutes=1), (1, VAN, "alarm"): NOW}
    assert found.cooldowns == notified_at


@pytest.mark.parametrize(
    ("kind", "age", "expected"),
    [
        ("geofence_enter", timedelta(0), True),
        ("geofence_exit", MAX_AGE, True),
        ("geofence_exit", MAX_AGE + timedelta(seconds=1), False),
        ("overspeed", timedelta(days=1), False),
        # A clock that is ahead is no late event.
        ("overspeed", -timedelta(minutes=5), True),
        # What the server notices itself is about the present, however long ago it began.
        ("device_offline", timedelta(days=3), True),
        ("device_online", timedelta(hours=1), True),
        ("maintenance_due", timedelta(hours=1), True),
    ],
)
def test_it_notifies_nobody_of_events_of_late_fixes(kind, age, expected):
    happening = event(kind, occurred_at=NOW - age)
    assert is_fresh(happening, now=NOW, max_age=MAX_AGE) is expected
    assert bool(notified_users([rule(event_kinds=frozenset({kind}))], [happening])) is expected


def test_it_notifies_a_person_once_through_the_channels_of_all_matching_rules():
    rules = [
        rule(id=1, user_ids=ids(ANA, BEN), channels=ids("in_app")),
        rule(id=2, user_ids=ids(ANA), channels=ids("email")),
        rule(id=3, user_ids=ids(BEN), channels=ids("email"), device_ids=ids(TRUCK)),
    ]
    assert notified_users(rules, [event()]) == [(1, ANA, {"in_app", "email"}), (1, BEN, {"in_app"})]


def test_what_one_rule_notifies_at_once_another_does_not_hold_as_well():
    rules = [
        rule(id=1, channels=ids("in_app")),
        rule(id=2, channels=ids("in_app", "email"), digest=Digest(10)),
        rule(id=3, channels=ids("email"), digest=Digest(60)),
    ]
    found = collect([event()], RuleIndex(rules), context(), notified_lately={}, flood_at=100)
    assert [alert.channels for alert in found.alerts] == [{"in_app"}]
    (held,) = found.held.values()
    assert (held.channels, held.event_count, held.due_at) == ({"email"}, 1, NOW + timedelta(minutes=10))


@pytest.mark.parametrize(
    ("person", "second_digest", "reasons"),
    [
        # Both in digests of their own, each of which goes at its time.
        ({}, Digest(60), {"every 30", "every 60"}),
        ({}, Digest(daily_at=time(7)), {"every 30", "daily 07:00"}),
        # A digest never comes in quiet hours: it is due when they end, with what they hold.
        ({"quiet_from": time(6), "quiet_to": time(9)}, Digest(), {"every 30"}),
    ],
)
def test_an_event_that_two_rules_hold_for_other_channels_counts_once_in_each_digest(person, second_digest, reasons):
    rules = [
        rule(id=1, channels=ids("email"), digest=Digest(30)),
        rule(id=2, channels=ids("in_app"), digest=second_digest),
    ]
    people = {ANA: Person(ANA, SAO_PAULO, **person)}
    found = collect([event()], RuleIndex(rules), context(people=people), notified_lately={}, flood_at=100)
    assert {one.reason for one in found.held.values()} == reasons
    assert {one.event_count for one in found.held.values()} == {1}
    assert set[str]().union(*(one.channels for one in found.held.values())) == {"email", "in_app"}


def test_it_gathers_the_events_of_a_flood_except_urgent_ones():
    events = [event(id=number, occurred_at=NOW + timedelta(seconds=number)) for number in range(6)]
    found = collect(
        [*events, event("alarm", id=9)], RuleIndex([rule()]), context(), notified_lately={ANA: 1}, flood_at=3
    )
    assert [alert.event.id for alert in found.alerts] == [0, 9]
    (held,) = found.held.values()
    assert (held.reason, held.event_count, held.due_at) == ("flood", 5, NOW + GATHERING)


def test_late_events_become_one_entry_however_many_they_are():
    late = [event(id=number, occurred_at=NOW - timedelta(hours=3, minutes=number)) for number in range(50)]
    found = collect(late, RuleIndex([rule(cooldown=AN_HOUR)]), context(), notified_lately={}, flood_at=100)
    assert found.alerts == []
    assert found.cooldowns == {}
    (held,) = found.held.values()
    assert (held.user_id, held.reason, held.event_count, held.last_at) == (ANA, "backlog", 50, late[0].occurred_at)


def test_it_watches_what_a_rule_with_steps_notified_and_waits_for_what_has_to_last():
    rules = [rule(id=1, escalates=True), rule(id=2), rule(id=3, min_duration=AN_HOUR)]
    found = collect(
        [event(id=5), event("overspeed", id=6, began_at=NOW)],
        RuleIndex(rules),
        context(),
        notified_lately={},
        flood_at=100,
    )
    assert found.escalations == [(1, 5), (1, 6)]
    assert found.waits == {(3, 6): NOW + AN_HOUR}


def test_it_keeps_each_fleets_rules_apart():
    rules = [rule(id=1), rule(id=2, fleet_id=OTHER_FLEET, channels=ids("in_app")), rule(id=3, fleet_id=None)]
    events = [event(id=7, fleet_id=OTHER_FLEET), event(id=5), event("device_online", id=6)]
    assert notified_users(rules, events) == [(7, ANA, {"in_app", "email"}), (5, ANA, {"email"}), (6, ANA, {"email"})]
