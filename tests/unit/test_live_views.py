"""Updates of a viewer of a fleet: each device once in its newest state, every event, nothing twice."""

from __future__ import annotations

import json

import pytest

from tasks_app.queries.live import CommandNow, DeviceInfo, DeviceNow, RecentEvent
from tasks_app.websockets import views
from tasks_app.websockets.messages import InvalidMessage, parse_incoming, update_messages
from tasks_app.websockets.views import Cursor, FleetUpdate, FleetView


def info(device_id, name="Van"):
    return DeviceInfo(device_id, 1, f"van-{device_id}", name, "van", True)


def now(device_id, fix=1, seen=1, **state):
    return DeviceNow(device_id, (fix, seen), json.dumps(state).encode())


def event(event_id, device_id=1):
    return RecentEvent(event_id, json.dumps({"id": event_id, "device_id": device_id}).encode())


def sent_devices(update):
    return [(known.device_id, json.loads(known.now.state), with_info) for known, with_info in update.devices]


@pytest.fixture
def view():
    view = FleetView()
    view.reread([(info(1), now(1, x=0)), (info(2), now(2, x=0))], [event(1)])
    return view


def test_a_snapshot_holds_everything_and_what_follows_only_news(view):
    cursor = Cursor()
    assert sent_devices(view.snapshot(cursor, 20)) == [(1, {"x": 0}, True), (2, {"x": 0}, True)]
    assert not view.updates_after(cursor)
    view.apply([now(2, fix=2, x=1)], [])
    assert sent_devices(view.updates_after(cursor)) == [(2, {"x": 1}, False)]
    assert not view.updates_after(cursor)


def test_a_device_that_moved_often_is_told_once_with_the_newest(view):
    cursor = Cursor()
    view.snapshot(cursor, 20)
    for number in range(1, 50):
        view.apply([now(1, fix=1 + number, x=number)], [])
    view.apply([now(2, fix=2, x=7)], [])
    assert sorted(sent_devices(view.updates_after(cursor))) == [(1, {"x": 49}, False), (2, {"x": 7}, False)]


def test_each_viewer_has_a_pace_of_their_own(view):
    quick, slow = Cursor(), Cursor()
    view.snapshot(quick, 20)
    view.snapshot(slow, 20)
    view.apply([now(1, fix=2, x=1)], [event(2)])
    assert sent_devices(view.updates_after(quick)) == [(1, {"x": 1}, False)]
    view.apply([now(1, fix=3, x=2)], [event(3)])
    assert sent_devices(view.updates_after(quick)) == [(1, {"x": 2}, False)]
    update = view.updates_after(slow)
    assert sent_devices(update) == [(1, {"x": 2}, False)]
    assert [one.event_id for one in update.events] == [2, 3]


@pytest.mark.parametrize(
    ("age", "is_sent"),
    [
        ((5, 5), True),  # the same fix with another status
        ((6, 6), True),
        ((5, 6), True),  # a sign of life without a newer fix
        ((4, 9), False),  # an older fix that arrived later by another worker
        ((5, 4), False),
    ],
)
def test_an_older_state_never_replaces_a_newer_one(view, age, is_sent):
    cursor = Cursor()
    view.apply([now(1, fix=5, seen=5, x=1)], [])
    view.snapshot(cursor, 20)
    view.apply([now(1, *age, x=2)], [])
    assert bool(view.updates_after(cursor)) is is_sent


def test_what_the_database_says_is_news_only_where_it_differs(view):
    cursor = Cursor()
    view.snapshot(cursor, 20)
    view.apply([now(1, fix=9, x=9)], [event(5)])
    view.updates_after(cursor)
    # Read before the message above was stored: the older state of 1, a new name of 2, the events again.
    view.reread([(info(1), now(1, x=0)), (info(2, "Truck"), now(2, x=0))], [event(1), event(5)])
    update = view.updates_after(cursor)
    assert sent_devices(update) == [(2, {"x": 0}, True)]
    assert update.devices[0][0].info.name == "Truck"
    assert update.events == []


def test_a_device_that_left_the_fleet_is_told_as_removed_until_it_is_back(view):
    cursor, late = Cursor(), Cursor()
    view.snapshot(cursor, 20)
    view.snapshot(late, 20)
    view.reread([(info(1), now(1, x=0))], [])
    assert view.updates_after(cursor).removed == [2]
    assert view.updates_after(cursor).removed == []
    view.reread([(info(1), now(1, x=0)), (info(2), now(2, x=3))], [])
    update = view.updates_after(late)
    assert (update.removed, sent_devices(update)) == ([], [(2, {"x": 3}, True)])


def test_nothing_of_a_device_that_left_is_shown_to_who_comes_later(view):
    seen, late = Cursor(), Cursor()
    view.snapshot(seen, 20)
    view.apply([], [event(5, device_id=2), event(6)], [command(7, 1, device_id=2), command(8, 1, device_id=1)])
    view.reread([(info(1), now(1, x=0))], [])
    update = view.updates_after(seen)
    assert [one.event_id for one in update.events] == [6]
    snapshot = view.snapshot(late, 20)
    assert [one.event_id for one in snapshot.events] == [1, 6]
    assert [one.command_id for one in snapshot.commands] == [8]
    view.reread([(info(1), now(1, x=0)), (info(2), now(2, x=0))], [event(5, device_id=2)])
    assert [one.event_id for one in view.updates_after(late).events] == [5]


def test_geofences_that_changed_are_told_to_each_viewer_once(view):
    devices = [(info(1), now(1, x=0)), (info(2), now(2, x=0))]
    view.reread(devices, [], geofence_mark=(1, 10))
    cursor = Cursor()
    view.snapshot(cursor, 20)
    view.reread(devices, [], geofence_mark=(1, 10))
    assert not view.updates_after(cursor)
    view.reread(devices, [], geofence_mark=(1, 11))
    [message] = update_messages("update", view.updates_after(cursor), None)
    assert json.loads(message) == {"type": "update", "geofences_changed": True}
    assert not view.updates_after(cursor)


def test_an_unknown_device_waits_for_the_database(view):
    cursor = Cursor()
    view.snapshot(cursor, 20)
    view.apply([now(3, x=1)], [])
    assert view.is_outdated
    [message] = update_messages("update", view.updates_after(cursor), None)
    assert "devices" not in json.loads(message)
    view.reread([(info(n), now(n, x=1)) for n in (1, 2, 3)], [])
    assert (3, {"x": 1}, True) in sent_devices(view.updates_after(cursor))


def test_events_beyond_what_is_kept_are_counted(view, monkeypatch):
    cursor = Cursor()
    view.snapshot(cursor, 20)
    for number in range(10, 10 + views.KEPT_EVENTS + 7):
        view.apply([], [event(number)])
    update = view.updates_after(cursor)
    assert len(update.events) == views.KEPT_EVENTS
    assert update.dropped_events == 7
    assert update.events[-1].event_id == 10 + views.KEPT_EVENTS + 6


def test_memory_of_what_was_told_is_bounded(view):
    for start in range(0, 5000, 500):
        view.reread([(info(n), now(n)) for n in range(start, start + 500)], [])
        view.apply([], [event(n) for n in range(start, start + 500)])
    assert len(view._removed) <= views.KEPT_REMOVALS
    assert len(view._event_ids) <= 2 * views.KEPT_EVENTS
    assert len(view._known) == 500


def test_the_latest_events_of_several_fleets_are_in_order():
    update = FleetUpdate(events=[event(3), event(1)])
    update.add(FleetUpdate(events=[event(2), event(4)]))
    update.keep_latest_events(3)
    assert [one.event_id for one in update.events] == [2, 3, 4]


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{}", '{"type": "subscribe"}', '{"type": 1}', '{"type":"ping","token":{}}', "[" * 4000, "\x00"],
)
def test_what_is_no_message_of_ours_is_refused(text):
    with pytest.raises(InvalidMessage):
        parse_incoming(text)


def command(command_id, version, **values):
    return CommandNow(command_id, version, json.dumps({"id": command_id, **values}).encode())


def test_a_command_is_sent_once_with_the_newest_state_and_an_older_message_changes_nothing(view):
    cursor = Cursor()
    view.snapshot(cursor, 20)
    view.apply([], [], [command(1, 2, state="sent"), command(2, 1, state="queued")])
    view.apply([], [], [command(1, 3, state="done"), command(1, 2, state="sent")])
    view.reread([(info(1), now(1, x=0)), (info(2), now(2, x=0))], [], [command(1, 1, state="queued")])
    sent = [json.loads(one.command) for one in view.updates_after(cursor).commands]
    assert sent == [{"id": 2, "state": "queued"}, {"id": 1, "state": "done"}]
    assert not view.updates_after(cursor)
    assert len(view.snapshot(Cursor(), 20).commands) == 2


def test_commands_have_a_part_of_their_own_in_a_message():
    (message,) = update_messages("update", FleetUpdate(commands=[command(1, 1)]), None)
    assert json.loads(message) == {"type": "update", "commands": [{"id": 1}]}
