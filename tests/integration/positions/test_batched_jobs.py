"""Jobs that are stored together come to the same as one after the other: results, rows, states, events, to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.engine import get_task
from tasks_app.engine.connection import client
from tasks_app.engine.workers.worker import Worker
from tasks_app.models import (
    Device,
    DeviceState,
    DeviceStatus,
    DirtyDay,
    Event,
    FilterCount,
    FilteredFix,
    FilterSettings,
    Fleet,
    FleetMembership,
    Geofence,
    Job,
    Position,
)
from tasks_app.queries.position_lanes import lane_of
from tasks_app.services.positions import SentPositions, process_batches
from tests.support.tracks import circle

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
# Of the devices below: the last one is of no fleet of the user, "ghost" exists nowhere.
NAMES = ("van-0", "van-1", "van-2", "foreign", "ghost")
METERS_PER_DEGREE = 111_319.49


def item(
    name: str = "van-0", at: float = 0.0, meters: float = 0.0, speed: float | None = None, **attributes: Any
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "device_id": name,
        "timestamp": (NOON - timedelta(hours=1) + timedelta(seconds=at)).isoformat(),
        "latitude": 0.0001,
        "longitude": meters / METERS_PER_DEGREE,
        "attributes": {key: value for key, value in attributes.items() if value is not None},
    }
    return found if speed is None else {**found, "speed": speed}


def unlocated(name: str, at: float) -> dict[str, Any]:
    sent = item(name, at, alarm="sos")
    del sent["latitude"], sent["longitude"]
    return sent


# Mostly forward in time, sometimes the same or an earlier time again.
STEPS = st.sampled_from([0.1, 7.3, 10.0, 10.0, 30.7, 61.0, 400.9, 1000.0, 0.0, -10.0, -47.3])
FIXES = st.tuples(
    st.sampled_from(NAMES[:1] * 4 + NAMES[1:2] * 3 + NAMES),
    STEPS,
    st.sampled_from([0.0, 2.0, 40.0, 90.0, 130.0, 300.0, 9000.0]),
    st.sampled_from([None, None, 0.0, 3.0, 50.0, 95.0, 130.0]),
    st.fixed_dictionaries(
        {
            "ignition": st.sampled_from([None, None, True, False]),
            "alarm": st.sampled_from([None] * 12 + ["sos", "tow"]),
            "result": st.sampled_from([None] * 20 + ["done"]),
            "batteryLevel": st.sampled_from([None, None, 5, 90]),
            "odometer": st.sampled_from([None, None, 1000, 1003.7]),
        }
    ),
    st.sampled_from(["good"] * 16 + ["bad", "future", "unlocated", "inaccurate"]),
)


def items_of(drawn: list[tuple]) -> list[dict[str, Any]]:
    seconds = dict.fromkeys(NAMES, 0.0)
    items = []
    for name, step, meters, speed, attributes, kind in drawn:
        seconds[name] += step
        one = item(name, seconds[name], meters, speed, **attributes)
        if kind == "unlocated":
            one = unlocated(name, seconds[name])
        elif kind == "future":
            one["timestamp"] = (NOON + timedelta(days=2)).isoformat()
        elif kind != "good":
            one |= {"latitude": 95.0} if kind == "bad" else {"accuracy": 5000.0}
        items.append(one)
    return items


@pytest.fixture
def operator(fleet, make_device) -> User:
    """A user who operates the fleet of the vans: one without filters, one whose fixes are compared, one offline."""
    user = User.objects.create_user("operator")
    FleetMembership.objects.create(fleet=fleet, user=user, role="operator")
    user.user_permissions.add(Permission.objects.get(codename="add_position"))
    Fleet.objects.filter(pk=fleet.pk).update(speed_limit_kph=80, overspeed_min_seconds=20, battery_low_percent=20)
    for number, area in enumerate((circle(100), circle(60, 120))):
        Geofence.objects.create(
            fleet=fleet, name=f"yard {number}", area=area, dwell_seconds=number * 30, speed_limit_kph=40
        )
    vans = [Device.objects.create(fleet=fleet, unique_id=name, name=name) for name in NAMES[:3]]
    other = Fleet.objects.create(name="Other")
    Device.objects.create(fleet=other, unique_id="foreign", name="Foreign")
    FilterSettings.objects.create(device=vans[1], max_jump_kph=200, min_period_seconds=8, static_meters=15)
    FilterSettings.objects.create(device=vans[2], max_accuracy_meters=100)
    offline = {"status": DeviceStatus.OFFLINE, "offline_since": NOON - timedelta(hours=3)}
    DeviceState.objects.bulk_create(DeviceState(device=van, **offline) for van in vans[1:])
    return user


def rows() -> dict[str, Any]:
    """All that jobs leave behind, without what counts writes: ids, versions and times of writing."""
    names = [field.attname for field in DeviceState._meta.concrete_fields]
    of_state = [name for name in names if name not in ("id", "version", "updated_at", "overspeed_event_id")]
    events = ("device__unique_id", "kind", "occurred_at", "latitude", "longitude", "geofence_id", "data")
    fixes = ("device__unique_id", "fix_time", "reason", "received_at", "latitude", "longitude", "data")
    return {
        "positions": list(Position.objects.order_by("device_id", "fix_time").values()),
        "states": list(DeviceState.objects.order_by("device_id").values(*of_state)),
        "episodes": [
            Event.objects.filter(pk=event_id).values_list("occurred_at", flat=True).first()
            for event_id in DeviceState.objects.order_by("device_id").values_list("overspeed_event_id", flat=True)
        ],
        "events": sorted(map(repr, Event.objects.values_list(*events))),
        "filtered": list(FilteredFix.objects.order_by("device_id", "id").values_list(*fixes)),
        "counts": sorted(map(repr, FilterCount.objects.values_list("device_id", "day", "reason", "count"))),
        "days": sorted(map(repr, DirtyDay.objects.values_list("device_id", "day"))),
    }


def outcome(work: Callable[[], list[dict[str, Any]]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the results and the rows of this work, which is undone."""
    with transaction.atomic():
        found = work(), rows()
        transaction.set_rollback(True)
    return found


def assert_same(jobs: list[SentPositions], batches: list[list[SentPositions]]) -> None:
    def together() -> list[dict[str, Any]]:
        return [result for batch in batches for result in process_batches(batch, received_at=NOON)]

    def alone() -> list[dict[str, Any]]:
        return [process_batches([job], received_at=NOON)[0] for job in jobs]

    (results, found), (expected_results, expected) = outcome(together), outcome(alone)
    assert results == expected_results
    for name, of_table in expected.items():
        assert found[name] == of_table, name


@given(st.lists(FIXES, max_size=60), st.lists(st.integers(0, 60), max_size=14), st.data())
@settings(max_examples=40)
def test_jobs_stored_together_come_to_the_same_as_one_after_the_other(operator, drawn, cuts, data):
    items = items_of(drawn)
    places = [0, *sorted(cut for cut in cuts if cut <= len(items)), len(items)]
    users = st.sampled_from([operator.pk, None])
    jobs = [SentPositions(items[start:end], data.draw(users)) for start, end in pairwise(places)]
    split = data.draw(st.integers(0, len(jobs)))
    assert_same(jobs, [batch for batch in (jobs[:split], jobs[split:]) if batch])


@pytest.mark.parametrize(
    "sent",
    [
        [[item(at=0)], [item(at=10)], [item(at=20)]],
        # A late one between, a job that comes twice, one that has two times of a device.
        [[item(at=0)], [item(at=20)], [item(at=10)], [item(at=30)]],
        [[item(at=0), item(at=10)], [item(at=0), item(at=10)], [item(at=20)]],
        [[item(at=0), item(at=0, meters=5)], [item(at=0, meters=9)]],
        # Back online in the first job, at its place.
        [[item("van-1", 0)], [item("van-1", 60, 300.0)], [item("van-2", 0)], [item("van-2", 60, 300.0)]],
        # An alarm without a place is at the newest one before it, also where more was sent since.
        [[item(at=0)], [item(at=10, meters=100.0), unlocated("van-0", 11)], [item(at=20, meters=900.0)]],
        # The alarm of a fix that a filter keeps out.
        [
            [item("van-1", 0)],
            [item("van-1", 2, alarm="sos")],
            [item("van-1", 3, 9000.0, alarm="sos")],
            [item("van-1", 60)],
        ],
        # Jumps confirm each other over jobs; one comes again.
        [
            [item("van-1", at, meters)]
            for at, meters in ((0, 0), (10, 9000), (10, 9000), (20, 9000), (30, 9000), (40, 9000))
        ],
        [
            [item("van-1", at, meters)]
            for at, meters in ((0, 0), (10, 9000), (0, 0), (20, 9000), (30, 9000), (40, 9000))
        ],
        # An episode that begins, lasts and ends in three of them.
        [
            [item(at=at, meters=300.0, speed=speed)]
            for at, speed in ((0, 50.0), (10, 120.0), (40, 130.0), (60, 20.0), (90, 20.0))
        ],
        [[], [item("ghost")], [item("foreign")], [{"device_id": "van-0"}, item(at=5)], [None]],
    ],
)
def test_jobs_that_depend_on_each_other_come_to_the_same(operator, sent):
    jobs = [SentPositions(items, operator.pk) for items in sent]
    assert_same(jobs, [jobs])
    with_times = ["foreign" in repr(items) for items in sent]
    others = [SentPositions(items, None if odd else operator.pk) for items, odd in zip(sent, with_times, strict=True)]
    assert_same(others, [others])


def test_a_fleet_that_one_user_may_send_for_does_not_open_it_to_another(operator):
    stranger = User.objects.create_user("stranger")
    jobs = [SentPositions([item(at=at)], user.pk) for at, user in ((0, operator), (10, stranger), (20, operator))]
    results = process_batches(jobs, received_at=NOON)
    assert [(one["stored"], [bad["code"] for bad in one["rejected"]]) for one in results] == [
        (1, []), (0, ["unknown_device"]), (1, []),
    ]  # fmt: skip
    assert Position.objects.count() == 2


def statements(jobs: list[SentPositions]) -> int:
    with connection.execute_wrapper(note := Counter()):
        process_batches(jobs, received_at=NOON)
    return note.count


class Counter:
    """Counts statements, and the times at which devices were looked up: once in each call."""

    count = lookups = 0

    def __call__(self, execute, sql, params, many, context):
        self.lookups += "WHERE d.unique_id = ANY" in str(sql)
        self.count += not str(sql).startswith(("SAVEPOINT", "RELEASE SAVEPOINT"))
        return execute(sql, params, many, context)


def test_many_small_jobs_cost_the_statements_of_one(operator):
    process_batches([SentPositions([item(at=0)])], received_at=NOON)
    one = statements([SentPositions([item(at=at) for at in range(1, 101)])])
    assert statements([SentPositions([item(at=at)]) for at in range(101, 201)]) == one


@pytest.mark.django_db(transaction=True)
def test_waiting_jobs_are_stored_by_one_call_and_each_has_its_result(operator):
    process_batches([SentPositions([item("van-1")])], received_at=NOON)
    task = get_task("process_position_batch")
    stranger = next(name for number in range(1000) if lane_of(name := f"ghost-{number}") == lane_of("van-0"))
    sent = [[item(at=0), item(stranger)], [item(at=10)], [item(at=10), {"device_id": "van-0"}]]
    ids = [task.apply_async([items], requested_by=operator) for items in sent]
    ids += [
        get_task("process_single_position").apply_async([item("van-2", at)], requested_by=operator) for at in (0, 1)
    ]
    worker = Worker("positions", "test:0:positions:0", client())
    worker.jobs.add(worker.queue.fetch("test:0:positions:0", 100).claims)
    with connection.execute_wrapper(note := Counter()):
        worker._run_waiting()
    jobs = Job.objects.in_bulk(ids)
    results = [jobs[job_id].result for job_id in ids]
    assert [(one["received"], one["stored"], one["duplicates"], one["rejected_count"]) for one in results] == [
        (2, 1, 0, 1), (1, 1, 0, 0), (2, 0, 1, 1), (1, 1, 0, 0), (1, 1, 0, 0),
    ]  # fmt: skip
    assert [bad["index"] for one in results for bad in one["rejected"]] == [1, 1]
    assert {job.attempt_count for job in jobs.values()} == {1}
    assert Position.objects.count() == 5
    assert note.lookups == 2
