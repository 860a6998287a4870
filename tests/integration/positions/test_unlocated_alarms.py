"""Alarms without a place, from every way in to the people who are alerted: an SOS button does not wait for satellites."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from notifications_app.models import Notification
from reports_app.models import Report
from tasks_app.models import (
    Device,
    DeviceState,
    DeviceStatus,
    Event,
    EventKind,
    FilteredFix,
    FilterSettings,
    Position,
    QuarantinedFix,
)
from tasks_app.queries.position_buffer import buffer_size
from tests.support.ingest import (
    OSMAND,
    POSITIONS,
    TOKEN,
    TRACCAR,
    drain_buffers,
    minutes_before_now,
    send_form,
    send_json,
    send_query,
)
from tests.support.notifications import make_rule

pytestmark = pytest.mark.usefixtures("server")
BATCH = "/api/tasks/position/process-batch"
SINGLE = "/api/tasks/position/process"


def own(at: datetime, **changes: Any) -> dict[str, Any]:
    return {"device_id": "van-1", "timestamp": at.isoformat(), "attributes": {"alarm": "sos"}, **changes}


def forward_body(fix_at: datetime, device_at: datetime, *, alarm: str | None = "sos", **place: Any) -> dict[str, Any]:
    position = {"fixTime": fix_at.isoformat(), "deviceTime": device_at.isoformat(), "valid": True, **place}
    return {"position": {**position, "attributes": {"alarm": alarm} if alarm else {}}, "device": {"uniqueId": "van-1"}}


def send_place(key: str, at: datetime, *, alarm: str | None = None) -> None:
    item = own(at, latitude=-23.5, longitude=-46.6, attributes={"alarm": alarm} if alarm else {})
    assert send_json(POSITIONS, item, key).status_code == 202
    drain_buffers()


def send_sos(key: str, at: datetime) -> None:
    assert send_json(POSITIONS, own(at), key).status_code == 202
    drain_buffers()


def alarms() -> list[tuple[datetime, float | None]]:
    found = Event.objects.filter(kind=EventKind.ALARM).order_by("occurred_at", "id")
    return list(found.values_list("occurred_at", "latitude"))


WAYS = {
    "Traccar Client 8": lambda key, api, at: send_query(
        key, lat="", lon="", alarm="sos", timestamp=int(at.timestamp())
    ),
    "Traccar Client 10": lambda key, api, at: send_form(key, lat=0, lon=0, alarm="sos", timestamp=int(at.timestamp())),
    "Traccar Client 9": lambda key, api, at: send_json(
        OSMAND, {"device_id": "van-1", "location": {"timestamp": at.isoformat(), "alarm": "sos"}}, key
    ),
    "own gateway": lambda key, api, at: send_json(POSITIONS, [own(at), own(at, latitude=0, longitude=0)], key),
    "Traccar server": lambda key, api, at: send_json(
        TRACCAR, forward_body(at, at, valid=False, latitude=0, longitude=0), TOKEN
    ),
    "batch": lambda key, api, at: api.post(BATCH, [own(at)], format="json"),
    "one position": lambda key, api, at: api.post(SINGLE, own(at, latitude=91), format="json"),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_makes_the_alarm_an_event_at_the_last_known_place_and_alerts(
    way, device, key, api, fleet, operator, run_jobs
):
    make_rule(fleet, [operator], kinds=["alarm"])
    fixed_at, pressed_at = minutes_before_now(30), minutes_before_now(1)
    send_place(key, fixed_at)
    DeviceState.objects.update(status=DeviceStatus.OFFLINE, last_seen_at=fixed_at, offline_since=fixed_at)
    for _ in range(2):
        assert WAYS[way](key, api, pressed_at).status_code in (200, 202)
        drain_buffers()
        run_jobs()
    event = Event.objects.get(kind=EventKind.ALARM)
    assert (event.occurred_at, event.latitude, event.longitude) == (pressed_at, -23.5, -46.6)
    assert event.data == {"alarm": "sos", "last_fix_at": fixed_at.isoformat()}
    assert (Position.objects.count(), QuarantinedFix.objects.count(), buffer_size()) == (1, 0, 0)
    state = DeviceState.objects.get(device=device)
    assert (state.status, state.fix_time, state.alarms) == (DeviceStatus.ONLINE, fixed_at, ["sos"])
    assert minutes_before_now() - state.last_seen_at < timedelta(minutes=1)
    assert Event.objects.filter(kind=EventKind.DEVICE_ONLINE).count() == 1
    assert Notification.objects.get(kind="alarm").subject == "Van 1: alarm, SOS"


@pytest.mark.django_db
def test_a_device_that_never_was_anywhere_has_an_alarm_without_a_place(device, key):
    at = minutes_before_now()
    send_sos(key, at)
    event = Event.objects.get()
    assert (event.occurred_at, event.latitude, event.longitude, event.data) == (at, None, None, {"alarm": "sos"})
    assert DeviceState.objects.get().fix_time is None


@pytest.mark.django_db
def test_each_alarm_of_a_message_is_an_event(device, key):
    send_json(POSITIONS, own(minutes_before_now(), attributes={"alarm": "sos, tampering"}), key)
    drain_buffers()
    assert sorted(event.data["alarm"] for event in Event.objects.all()) == ["sos", "tampering"]


# --- Once -------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_sos_that_is_sent_until_somebody_answers_is_one_alarm(device, key):
    for minutes_ago in (4, 3.8, 3.6, 2, 1):
        send_sos(key, minutes_before_now(minutes_ago))
    assert len(alarms()) == 1


@pytest.mark.django_db
def test_a_button_pressed_again_later_is_another_alarm(device, key):
    for minutes_ago in (20, 10):
        send_sos(key, minutes_before_now(minutes_ago))
    assert len(alarms()) == 2


@pytest.mark.django_db
def test_a_button_pressed_again_after_the_device_said_that_all_is_well_is_another_alarm(device, key):
    send_sos(key, minutes_before_now(3))
    send_place(key, minutes_before_now(2))
    send_sos(key, minutes_before_now(1))
    assert len(alarms()) == 2


@pytest.mark.django_db
def test_a_fix_that_comes_after_its_alarm_does_not_tell_it_again(device, key):
    send_sos(key, minutes_before_now(2))
    send_place(key, minutes_before_now(1), alarm="sos")
    send_sos(key, minutes_before_now(0.5))
    assert len(alarms()) == 1


@pytest.mark.django_db
def test_an_old_alarm_that_comes_again_is_known(device, key):
    pressed_at = minutes_before_now(50)
    send_sos(key, pressed_at)
    send_place(key, minutes_before_now(10))
    send_sos(key, pressed_at)
    assert [at for at, _ in alarms()] == [pressed_at]


@pytest.mark.django_db
def test_alarms_of_one_batch_are_told_in_their_order(device, key):
    times = [minutes_before_now(minutes_ago) for minutes_ago in (30, 20, 19)]
    send_json(POSITIONS, [own(at) for at in reversed(times)], key)
    drain_buffers()
    assert [at for at, _ in alarms()] == times[:2]


# --- Late -------------------------------------------------------------------------------------------------------------


def test_an_old_alarm_is_recorded_where_the_device_was_then_and_alerts_nobody(
    device, key, fleet, operator, run_jobs, settings
):
    make_rule(fleet, [operator], kinds=["alarm"])
    send_place(key, minutes_before_now(100))
    send_json(POSITIONS, own(minutes_before_now(1), latitude=1, longitude=1, attributes={}), key)
    drain_buffers()
    pressed_at = minutes_before_now(settings.ALERT_MAX_AGE_MINUTES + 60)
    send_sos(key, pressed_at)
    run_jobs()
    assert alarms() == [(pressed_at, -23.5)]
    assert DeviceState.objects.get().alarms == []
    assert not Notification.objects.filter(kind="alarm").exists()


@pytest.mark.django_db
def test_an_alarm_older_than_every_fix_has_no_place(device, key):
    send_place(key, minutes_before_now(10))
    send_sos(key, minutes_before_now(60 * 24 * 3))
    assert [latitude for _, latitude in alarms()] == [None]


# --- A Traccar server -------------------------------------------------------------------------------------------------


def forward(body: dict[str, Any]) -> None:
    assert send_json(TRACCAR, body, TOKEN).status_code == 200
    drain_buffers()


@pytest.mark.django_db
@pytest.mark.parametrize("together", [True, False])
def test_the_copy_of_a_fix_that_carries_an_alarm_makes_one_event_at_the_alarm_s_own_time(together, device, key):
    fixed_at, pressed_at = minutes_before_now(30), minutes_before_now(10)
    place = {"latitude": -23.5, "longitude": -46.6}
    send_json(TRACCAR, forward_body(fixed_at, fixed_at, alarm=None, **place), TOKEN)
    if not together:
        drain_buffers()
    for _ in range(2):
        forward(forward_body(fixed_at, pressed_at, **place))
    assert (alarms(), Position.objects.count()) == ([(pressed_at, -23.5)], 1)


@pytest.mark.django_db
def test_a_device_whose_fixes_are_older_than_its_messages_tells_an_alarm_that_goes_on_once(device, key):
    for minutes_ago in (60, 50, 40, 30):
        forward(
            forward_body(
                minutes_before_now(minutes_ago + 0.1), minutes_before_now(minutes_ago), latitude=-23.5, longitude=-46.6
            )
        )
    assert (len(alarms()), Position.objects.count()) == (1, 4)


@pytest.mark.django_db
def test_a_forwarded_position_and_its_forwarded_event_are_one_alarm(device, key):
    at = minutes_before_now(1)
    body = forward_body(at, at, valid=False, latitude=0, longitude=0)
    event = {"type": "alarm", "eventTime": at.isoformat(), "attributes": {"alarm": "sos"}}
    forward(body)
    forward({**body, "event": event})
    forward({"event": event, "device": body["device"]})
    assert len(alarms()) == 1


# --- Fixes of one time ------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("together", [True, False])
def test_an_alarm_at_the_time_of_a_fix_that_was_sent_before_is_told_once(together, device, key):
    """Trackers send an alarm with their newest place, of which they have sent a report already."""
    at = minutes_before_now(2)
    place = own(at, latitude=-23.5, longitude=-46.6, attributes={"ignition": True})
    pressed = {**place, "attributes": {"alarm": "sos,powerCut"}}
    for batch in [[place, pressed]] if together else [[place], [pressed]]:
        send_json(POSITIONS, batch, key)
        drain_buffers()
    for _ in range(2):
        send_json(POSITIONS, [pressed], key)
        drain_buffers()
    assert (alarms(), Position.objects.count()) == ([(at, -23.5)] * 2, 1)
    found = Event.objects.filter(kind=EventKind.ALARM).values_list("data__alarm", flat=True)
    assert set(found) == {"sos", "powerCut"}


@pytest.mark.django_db
def test_a_fix_with_an_alarm_that_comes_again_tells_nothing_more(device, key):
    send_place(key, minutes_before_now(3), alarm="sos")
    for _ in range(2):
        # It goes on, so that the second fix has no event of its own.
        send_place(key, minutes_before_now(2), alarm="sos")
    assert len(alarms()) == 1


# --- Filters ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("filters", [{"max_accuracy_meters": 50}, {"max_jump_kph": 200}])
def test_an_alarm_of_a_fix_that_a_filter_keeps_out_is_told_at_the_last_known_place(filters, device, key, fleet):
    FilterSettings.objects.create(fleet=fleet, **filters)
    send_place(key, minutes_before_now(30))
    pressed_at = minutes_before_now(29)
    for _ in range(2):
        send_json(POSITIONS, own(pressed_at, latitude=-20.5, longitude=-46.6, accuracy=5000), key)
        drain_buffers()
    assert (alarms(), Position.objects.count()) == ([(pressed_at, -23.5)], 1)
    assert FilteredFix.objects.count() == 1


# --- Who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_alarms_of_a_device_switched_off_meanwhile_are_kept_aside(device, key):
    send_json(POSITIONS, own(minutes_before_now()), key)
    Device.objects.update(is_active=False)
    assert drain_buffers()["rejected"] == 1
    assert (Event.objects.count(), QuarantinedFix.objects.get().code) == (0, "inactive_device")


@pytest.mark.django_db
def test_nobody_alarms_for_a_device_he_does_not_operate(device, api, make_user):
    api.force_authenticate(make_user())
    response = api.post(BATCH, [own(minutes_before_now())], format="json")
    assert response.status_code == 400
    assert [one["code"] for one in response.json()["rejected"]] == ["unknown_device"]


def test_a_batch_counts_its_alarms_and_what_spoils_one_does_not_cost_the_others(device, api, run_jobs):
    items = [
        own(minutes_before_now(3), latitude=1, longitude=1),
        own(minutes_before_now(2), attributes={"alarm": "sos", "note": "\x00"}),
        own(minutes_before_now(1), attributes={}),
    ]
    response = api.post(BATCH, items, format="json")
    assert (response.status_code, response.json()["accepted"]) == (202, 2)
    assert [(one["index"], one["code"]) for one in response.json()["rejected"]] == [(2, "missing_latitude")]
    run_jobs()
    assert (Position.objects.count(), Event.objects.filter(kind=EventKind.ALARM).count()) == (1, 1)


@pytest.mark.django_db
def test_an_unknown_device_joins_with_its_alarm_where_that_is_wanted(settings, fleet):
    settings.INGEST_ALLOW_UNSIGNED, settings.INGEST_REGISTER_UNKNOWN = True, fleet.name
    assert send_json(POSITIONS, own(minutes_before_now(), device_id="phone-1")).status_code == 202
    drain_buffers()
    assert Event.objects.get().device.unique_id == "phone-1"


# --- FilterPoint -------------------------------------------------------------------------------------------------------------


def test_a_report_of_events_is_written_in_every_format_with_an_alarm_that_has_no_place(device, key, api, run_jobs):
    at = minutes_before_now()
    send_sos(key, at)
    start, end = (at - timedelta(hours=1)).isoformat(), (at + timedelta(hours=1)).isoformat()
    body = {"device_id": device.pk, "kind": "events", "start": start, "end": end}
    response = api.post("/api/tasks/report/device", body, format="json")
    assert response.status_code == 202, response.json()
    run_jobs()
    report = Report.objects.get()
    for name in ("json", "csv", "xlsx", "pdf", "geojson", "gpx", "kml"):
        answer = api.get(f"/api/reports/{report.pk}/download", {"format": name})
        assert answer.status_code == 200, name
        assert b"".join(answer.streaming_content)


def test_pages_and_lists_show_an_alarm_that_has_no_place(device, key, api, staff, fleet, operator, run_jobs):
    make_rule(fleet, [operator], kinds=["alarm"])
    send_sos(key, minutes_before_now())
    run_jobs()
    event = Event.objects.get()
    listed = api.get("/api/events").json()["results"]
    assert [(one["id"], one["latitude"]) for one in listed] == [(event.pk, None)]
    pages = Client()
    pages.force_login(staff)
    for path in ("", f"{event.pk}/change/", "export/"):
        page = pages.get(f"/admin/tasks_app/event/{path}")
        assert page.status_code == 200
    body = Notification.objects.get().body_text
    assert "Alarm: SOS" in body
    assert "Map" not in body
