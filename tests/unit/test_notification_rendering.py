"""Rendered messages of every kind, with names that try to break out of header, text and HTML."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest

from notifications_app.messages.events import event_message
from notifications_app.messages.kinds.alarm import alarm_message
from notifications_app.messages.kinds.battery import battery_message
from notifications_app.messages.kinds.channel import channel_off_message, channel_test_message
from notifications_app.messages.kinds.command import command_message
from notifications_app.messages.kinds.connection import offline_message
from notifications_app.messages.kinds.digest import DigestLine, digest_message
from notifications_app.messages.kinds.geofence import geofence_message
from notifications_app.messages.kinds.ignition import ignition_message
from notifications_app.messages.kinds.maintenance import maintenance_message
from notifications_app.messages.kinds.overspeed import speed_end_message, speed_message
from notifications_app.messages.kinds.system import system_message
from notifications_app.messages.kinds.trip import trip_message
from notifications_app.messages.rendering import Message, Recipient, render_builtin
from notifications_app.messages.safe_text import body, one_line
from notifications_app.messages.spot import Spot
from notifications_app.models.kinds import message_kind_choices
from notifications_app.queries.summary import FleetSummary, TopEvent
from notifications_app.templatetags.notification_texts import duration, left
from tasks_app.geo.units import DistanceUnit, SpeedUnit, Units
from tasks_app.models import Device, DeviceState, Event, EventKind, Fleet

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SPOT = Spot(AT, -23.55, -46.63)
SAO_PAULO = Recipient("en", "America/Sao_Paulo")
NASTY = 'Van <script>alert(1)</script>\r\nBcc: eve@example.org & "co"'


def a_device(name: str = "Van 1") -> Device:
    return Device(name=name, fleet=Fleet(name="Depot North", time_zone="America/Sao_Paulo"))


def a_summary(name: str = "Depot North") -> FleetSummary:
    return FleetSummary(
        name,
        device_count=20,
        online_count=15,
        offline_count=3,
        distance_meters=1_234_567.0,
        event_counts=[(EventKind.OVERSPEED.label, 9)],
        top_devices=[(name, 7)],
        top_events=[TopEvent(name, SPOT, alarm="hardBraking"), TopEvent(name, Spot(AT), speed_kph=131.2)],
        offline_devices=[(name, AT), ("Van 9", None)],
    )


def about_report(name: str) -> dict[str, object]:
    return {"heading": "Trips", "about": name, "first_day": date(2026, 11, 1), "last_day": date(2026, 11, 2)}


def message_of(kind: str, name: str = "Van 1") -> Message:
    device = a_device(name)
    return {
        "geofence": lambda: geofence_message(device, geofence_name=name, entered=True, spot=SPOT),
        "speed": lambda: speed_message(device, speed_kph=101.6, limit_kph=90, spot=SPOT),
        "speed_end": lambda: speed_end_message(device, limit_kph=90, peak_kph=131.8, minutes=0.7, spot=SPOT),
        "trip": lambda: trip_message(
            device,
            is_end=True,
            spot=SPOT,
            start=Spot(AT - timedelta(minutes=65), -23.61, -46.7),
            driven_meters=17_310,
            minutes=65,
        ),
        "offline": lambda: offline_message(device, offline_minutes=75, is_back=False, spot=SPOT),
        "ignition": lambda: ignition_message(device, is_on=True, spot=SPOT),
        "alarm": lambda: alarm_message(device, alarm="hardBraking", spot=SPOT),
        "battery": lambda: battery_message(device, percent=14.6, spot=SPOT),
        "command": lambda: command_message(device, result=name, spot=SPOT),
        "maintenance": lambda: maintenance_message(
            device, plan_name=name, is_due=True, at=AT, left={"kilometers": -1512.3, "engine_hours": 20, "days": 1}
        ),
        "daily_summary": lambda: Message("daily_summary", {"spot": Spot(AT), "fleets": [a_summary(name)]}),
        "channel_off": lambda: channel_off_message(channel="webhook", name=name, reason="410 Gone", at=AT),
        "test": lambda: channel_test_message(channel="webhook", name=name, at=AT),
        "system": lambda: system_message(subject=name, message=name, level="warning", at=AT),
        "event": lambda: Message("event", {"vehicle": name, "fleet": name, "spot": SPOT, "what": name}),
        "digest": lambda: digest_message([DigestLine(name, EventKind.OVERSPEED.label, 3, AT)], at=AT),
        "report_ready": lambda: Message(
            "report_ready", {**about_report(name), "files": [{"label": name, "url": "/x"}], "expires_at": AT}
        ),
        "report_failed": lambda: Message("report_failed", {**about_report(name), "error": name, "spot": Spot(AT)}),
    }[kind]()


@pytest.mark.parametrize("kind", [kind for kind, _label in message_kind_choices()])
def test_it_escapes_names_in_html_only_and_adds_no_header_through_them(kind):
    rendered = render_builtin(message_of(kind, NASTY), SAO_PAULO)
    assert "\n" not in rendered.subject
    assert "\r" not in rendered.subject
    assert len(rendered.subject) <= 200
    assert "<script>" not in rendered.html
    assert "<script>" in rendered.text
    assert "&amp;" not in rendered.text


@pytest.mark.parametrize("kind", [kind for kind, _label in message_kind_choices()])
def test_it_loads_nothing_from_elsewhere(kind):
    html = render_builtin(message_of(kind), SAO_PAULO).html
    assert re.search(r"\bsrc=|url\(|@import|<link|<script|<img", html) is None
    assert 'name="color-scheme" content="light dark"' in html


@pytest.mark.parametrize("kind", [kind for kind, _label in message_kind_choices()])
@pytest.mark.parametrize(("zone", "shown"), [("UTC", "10:00"), ("America/Sao_Paulo", "07:00"), ("Asia/Tokyo", "19:00")])
def test_it_shows_times_in_the_readers_zone(kind, zone, shown):
    rendered = render_builtin(message_of(kind), Recipient("en", zone))
    assert f"23 November 2026, {shown}" in rendered.text
    assert f"23 November 2026, {shown}" in rendered.html
    assert zone in rendered.text


def test_it_writes_in_the_readers_language():
    rendered = render_builtin(message_of("geofence"), Recipient("pt-br", "UTC"))
    assert "23 de novembro de 2026, 10:00" in rendered.text
    assert rendered.subject == "Van 1 entrou em Van 1"
    assert 'lang="pt-br"' in rendered.html


@pytest.mark.parametrize(
    ("alarm", "english", "portuguese"),
    [
        ("hardBraking", "hard braking", "frenagem brusca"),
        ("sos", "SOS", "SOS"),
        ("coldChain", "cold chain", "cold chain"),  # nobody knows what else devices send
        ("", "unknown", "desconhecido"),
    ],
)
def test_known_alarms_are_in_the_readers_language(alarm, english, portuguese):
    message = alarm_message(a_device(), alarm=alarm, spot=SPOT)
    assert render_builtin(message, SAO_PAULO).subject == f"Van 1: alarm, {english}"
    assert render_builtin(message, Recipient("pt-br", "UTC")).subject == f"Van 1: alarme, {portuguese}"


@pytest.mark.parametrize(
    ("message", "subject"),
    [
        (message_of("geofence"), "Van 1 entered Van 1"),
        (
            geofence_message(a_device(), geofence_name="Depot", entered=False, spot=SPOT),
            "Van 1 left Depot",
        ),
        (message_of("speed"), "Van 1 is driving 102 km/h (limit 90 km/h)"),
        (
            speed_message(a_device(), speed_kph=None, limit_kph=None, spot=SPOT),
            "Van 1 is driving too fast",
        ),
        (message_of("speed_end"), "Van 1 is no longer too fast, after 42 s (up to 132 km/h, limit 90 km/h)"),
        (message_of("trip"), "Van 1 ended a trip: 17.3 km in 1 h 5 min"),
        (trip_message(a_device(), is_end=False, spot=SPOT), "Van 1 started a trip"),
        (message_of("offline"), "Van 1 has been silent for 1 h 15 min"),
        (
            offline_message(a_device(), offline_minutes=75, is_back=True, spot=None),
            "Van 1 is back online",
        ),
        (command_message(a_device(), result="OK", spot=SPOT), "Van 1 answered: OK"),
        (command_message(a_device(), result="x" * 500, spot=SPOT), f"Van 1 answered: {'x' * 59}…"),
        (
            command_message(a_device(), result="", spot=SPOT, command="engine_stop", state="expired", reason="expired"),
            "Van 1: Stop engine · Expired",
        ),
        (message_of("maintenance"), "Van 1: Van 1 is due"),
        (message_of("daily_summary"), "Your fleets, 23 November 2026"),
        (message_of("system"), "[Warning] Van 1"),
    ],
)
def test_it_names_the_event_in_the_subject(message, subject):
    assert render_builtin(message, SAO_PAULO).subject == subject


def test_it_writes_in_the_readers_units():
    imperial = Recipient("en", "UTC", Units(DistanceUnit.MI, SpeedUnit.MPH))
    assert render_builtin(message_of("speed"), imperial).subject == "Van 1 is driving 63 mph (limit 56 mph)"
    assert "Speed limit: 56 mph" in render_builtin(message_of("speed"), imperial).text
    assert "Distance: 940 mi over" in render_builtin(message_of("maintenance"), imperial).text
    assert "Distance driven: 767 mi" in render_builtin(message_of("daily_summary"), imperial).text


def test_it_says_where_a_trip_began_and_ended():
    text = render_builtin(message_of("trip"), SAO_PAULO).text
    assert "Distance driven: 17.3 km\nDuration: 1 h 5 min\nStarted: 23 November 2026, 05:55\nMap: " in text
    assert "mlat=-23.610000&mlon=-46.700000" in text
    assert "Ended: 23 November 2026, 07:00\nMap: " in text
    began = render_builtin(trip_message(a_device(), is_end=False, spot=SPOT), SAO_PAULO).text
    assert "Started: 23 November 2026, 07:00" in began
    assert "Ended" not in began
    assert "Distance" not in began


def test_it_says_what_is_left_of_a_maintenance_interval():
    text = render_builtin(message_of("maintenance"), SAO_PAULO).text
    assert "Distance: 1,512 km over" in text
    assert "Engine hours: 20 hours left" in text
    assert "Time: 1 day left" in text


def test_it_puts_the_figures_of_each_fleet_into_the_summary():
    text = render_builtin(message_of("daily_summary"), SAO_PAULO).text
    for line in (
        "Vehicles: 20",
        "Online now: 15",
        "Offline now: 3",
        "Distance driven: 1,235 km",
        "Overspeed: 9",
        "and 1 more",
        "  Van 9\n",
    ):
        assert line in text


def test_it_lists_the_top_events_with_links_to_their_places():
    rendered = render_builtin(message_of("daily_summary"), SAO_PAULO)
    assert "Van 1: alarm: hard braking, 23 November 2026, 07:00, https://www.openstreetmap.org/" in rendered.text
    assert "Van 1: overspeed, 131 km/h, 23 November 2026, 07:00\n" in rendered.text
    assert f'<a href="{SPOT.map_url.replace("&", "&amp;")}">Map</a>' in rendered.html


def test_it_says_so_when_a_summary_has_no_fleet():
    assert "You see no fleet" in render_builtin(Message("daily_summary", {"spot": SPOT, "fleets": []}), SAO_PAULO).text


@pytest.mark.parametrize(
    ("kind", "data", "expected_kind", "expected"),
    [
        ("geofence_enter", {}, "geofence", {"entered": True, "geofence": "Depot"}),
        ("geofence_exit", {}, "geofence", {"entered": False}),
        ("overspeed", {"speed_kph": 101, "speed_limit_kph": 90}, "speed", {"speed_kph": 101.0, "limit_kph": 90.0}),
        # What cannot be a number is left out, it never breaks the batch that carries the event.
        ("overspeed", {"speed_kph": "fast", "speed_limit_kph": True}, "speed", {"speed_kph": None, "limit_kph": None}),
        ("overspeed", {"speed_kph": float("nan")}, "speed", {"speed_kph": None}),
        ("device_offline", {"offline_minutes": 20}, "offline", {"is_back": False, "offline_minutes": 20.0}),
        ("device_online", {}, "offline", {"is_back": True, "offline_minutes": None}),
        ("maintenance_due", {"plan": "Oil"}, "maintenance", {"is_due": True, "plan": "Oil"}),
        ("maintenance_due_soon", {"plan": "Oil"}, "maintenance", {"is_due": False}),
    ],
)
def test_it_makes_a_message_of_every_event_kind(kind, data, expected_kind, expected):
    event = Event(kind=kind, occurred_at=AT, latitude=-23.55, longitude=-46.63, data=data)
    message = event_message(event, device=a_device(), geofence_name="Depot")
    assert message.kind == expected_kind
    assert {key: message.context[key] for key in expected} == expected
    assert render_builtin(message, SAO_PAULO).subject


def test_it_states_where_a_silent_vehicle_was_when_it_was_last_heard_of():
    device = a_device()
    device.state = DeviceState(fix_time=AT, latitude=-23.55, longitude=-46.63)
    noticed = Event(kind=EventKind.DEVICE_OFFLINE, occurred_at=AT + timedelta(hours=1), latitude=1, longitude=2)
    assert event_message(noticed, device=device, geofence_name="").context["spot"] == SPOT


def test_it_states_what_an_event_says_is_left_and_ignores_what_is_no_number():
    data = {"plan": "Oil", "remaining": {"kilometers": 950.5, "engine_hours": "many"}}
    event = Event(kind=EventKind.MAINTENANCE_DUE_SOON, occurred_at=AT, data=data)
    message = event_message(event, device=a_device(), geofence_name="")
    assert message.context["left"] == {"kilometers": 950.5, "engine_hours": None, "days": None}
    assert "Distance: 950 km left" in render_builtin(message, SAO_PAULO).text


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(0, "0 min"), (12.4, "12 min"), (60, "1 h"), (135, "2 h 15 min"), (1440, "1 day"), (4560, "3 days 4 h")],
)
def test_it_says_durations_in_words(minutes, words):
    assert duration(minutes) == words


@pytest.mark.parametrize(
    ("number", "unit", "words"),
    [
        (1.2, "h", "1 hour left"),
        (1, "days", "1 day left"),
        (-12.0, "days", "12 days over"),
    ],
)
def test_it_says_what_is_left_in_words(number, unit, words):
    assert left(number, unit) == words


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ("Van 1", "Van 1"),
        ("a\r\nBcc: b", "a Bcc: b"),
        ("a\u2028b\u0085c\x00d", "a b c d"),
        ("  many   spaces ", "many spaces"),
        ("gnp.\u202eexe", "gnp. exe"),
        ("lone \ud800", "lone ?"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_it_makes_one_line_of_any_text(raw, line):
    assert one_line(raw) == line


def test_it_keeps_line_ends_of_bodies_only():
    assert body("a\r\nb\rc\x00\x07d\n") == "a\nb\ncd"
    assert len(body("x" * 100_000)) == 50_000


def test_it_says_how_old_the_last_known_place_of_an_alarm_is():
    spot = Spot(AT, -23.55, -46.63, AT - timedelta(hours=2))
    rendered = render_builtin(alarm_message(a_device("Van 1"), alarm="sos", spot=spot), SAO_PAULO)
    assert "When: 23 November 2026, 07:00" in rendered.text
    assert "Last known at: 23 November 2026, 05:00" in rendered.text
    assert "23 November 2026, 05:00" in rendered.html
    assert "Last known" not in render_builtin(message_of("alarm"), SAO_PAULO).text
