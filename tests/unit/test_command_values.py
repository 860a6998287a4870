"""Values of commands by the ways to a device: those that none can express are known before the command is stored."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from tasks_app.ingest.trackers.base import InvalidCommand, OutgoingCommand
from tasks_app.ingest.trackers.command_types import COMMAND_TYPES, InvalidParameters, check_parameters
from tasks_app.ingest.trackers.registry import PROTOCOLS
from tasks_app.models import DeviceAccess
from tasks_app.services.commands.ways import poll, session, sms, traccar

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
DAY, NAN, INFINITE = 86_400, float("nan"), float("inf")
SESSION, SMS, TRACCAR = session.SessionWay(), sms.SmsWay(), traccar.TraccarWay()


def a_device(protocol: str, unique_id: str = "359586015829802", **access: Any) -> Any:
    known = DeviceAccess(protocol=protocol, phone_number="+5511999990000", **access)
    return SimpleNamespace(pk=7, unique_id=unique_id, access=known)


def refusal(way: Any, device: Any, type_name: str, parameters: dict[str, Any]) -> InvalidCommand | None:
    command = OutgoingCommand(type_name, check_parameters(type_name, parameters), 1, AT)
    try:
        way.check(device, command)
    except InvalidCommand as error:
        return error
    return None


# By the connection: what each protocol takes, and what it has no form for.
EXPRESSIBLE: list[tuple[str, str, dict[str, Any], bool]] = [
    ("gt06", "position_interval", {"interval_seconds": 18_000}, True),
    ("gt06", "position_interval", {"interval_seconds": 18_001}, False),
    ("gt06", "position_interval", {"interval_seconds": DAY}, False),
    ("coban", "position_interval", {"interval_seconds": 59}, True),
    ("coban", "position_interval", {"interval_seconds": 90}, False),
    ("coban", "position_interval", {"interval_seconds": DAY}, True),
    ("coban", "overspeed_alarm", {"speed_kph": 300}, True),
    ("h02", "position_interval", {"interval_seconds": DAY}, True),
    ("teltonika", "position_interval", {"interval_seconds": DAY}, True),
    ("jt808", "position_interval", {"interval_seconds": DAY}, True),
    ("jt808", "set_odometer", {"odometer_meters": 4_294_967_295}, True),
    ("jt808", "firmware", {"url": "ftp://a.example/f;b"}, False),
    ("jt808", "firmware", {"url": "ftp://a.example/versão"}, False),
    ("teltonika", "output", {"output": 4, "is_on": True}, True),
    ("teltonika", "output", {"output": 5, "is_on": True}, False),
    ("queclink", "output", {"output": 1, "is_on": True}, True),
    ("queclink", "output", {"output": 2, "is_on": True}, False),
    # Of one of its two families of models only: which one this is, only its connection shows.
    ("suntech", "output", {"output": 3, "is_on": True}, True),
    ("suntech", "output", {"output": 4, "is_on": True}, False),
    ("gt06", "set_server", {"host": "tracker.example.org", "port": 65_535}, True),
    ("gt06", "set_server", {"host": "a,b", "port": 1}, False),
    ("gt06", "set_server", {"host": "2001:db8::1", "port": 1}, False),
    ("teltonika", "set_server", {"host": "a;2005:1", "port": 1}, False),
    ("jt808", "set_server", {"host": "a b", "port": 1}, False),
    ("coban", "custom", {"text": "B"}, True),
    ("coban", "custom", {"text": "**,imei:359586015829802,B;"}, True),
    ("coban", "custom", {"text": "B;**,imei:111111111111111,J"}, False),
    ("h02", "custom", {"text": "*HQ,4210051415,S17,120000,60#"}, True),
    ("h02", "custom", {"text": "*HQ,4210051415,R1,120000#*HQ,1111111111,S20,120000,1,1#"}, False),
    ("h02", "custom", {"text": "R1#*"}, False),
    ("queclink", "custom", {"text": "AT+GTRTO=gv300,1,,,,,,0001$"}, True),
    ("queclink", "custom", {"text": "AT+GTRTO=gv300,1,,,,,,0001$AT+GTOUT=gv300,1$"}, False),
    ("gt06", "custom", {"text": "x" * 200}, True),
    ("gt06", "custom", {"text": "x" * 201}, False),
    ("teltonika", "custom", {"text": "x" * 161}, False),
    ("jt808", "custom", {"text": "x" * 500}, True),
    *[
        (name, "custom", {"text": text}, False)
        for name in PROTOCOLS
        for text in ("São Paulo", "定位", "🚚", "ＲＥＳＥＴ")
    ],
]


@pytest.mark.parametrize(("protocol", "type_name", "parameters", "is_taken"), EXPRESSIBLE, ids=str)
def test_a_protocol_is_asked_whether_it_can_express_the_values(protocol, type_name, parameters, is_taken):
    found = refusal(SESSION, a_device(protocol), type_name, parameters)
    assert (found is None) is is_taken, found
    if found is not None:
        assert found.parameter in parameters


LEAST = {"integer": lambda one: one.minimum, "text": lambda one: "a", "boolean": lambda one: False}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_type_of_a_protocol_can_be_expressed_before_its_tracker_connects(protocol):
    for name in PROTOCOLS[protocol].command_types:
        parameters = {one.name: LEAST[one.kind](one) for one in COMMAND_TYPES[name].parameters}
        assert refusal(SESSION, a_device(protocol), name, parameters) is None, name
        # An identifier that this tracker does not have yet: its messages will say.
        assert refusal(SESSION, a_device(protocol, "van-1"), name, parameters) is None, name


@pytest.mark.parametrize(
    ("protocol", "type_name", "parameters", "is_taken"),
    [
        ("coban", "position_interval", {"interval_seconds": 90}, True),
        ("coban", "set_server", {"host": "tracker.example.org", "port": 5001}, True),
        ("coban", "set_server", {"host": "tracker.example.org 1 x", "port": 5001}, False),
        ("coban", "custom", {"text": "x" * 160}, True),
        ("coban", "custom", {"text": "x" * 161}, False),
        ("teltonika", "custom", {"text": "x" * 158}, True),
        ("teltonika", "custom", {"text": "x" * 159}, False),
        ("gt06", "custom", {"text": "x" * 161}, False),
        ("gt06", "custom", {"text": "ação"}, False),
        ("gt06", "position_interval", {"interval_seconds": DAY}, False),
        ("suntech", "output", {"output": 8, "is_on": True}, False),
    ],
    ids=str,
)
def test_an_sms_is_asked_whether_it_can_hold_the_values(protocol, type_name, parameters, is_taken, settings):
    settings.SMS = {**settings.SMS, "URL": "https://sms.example.net/?v={validity_seconds}", "BODY": "", "PASSWORDS": {}}
    found = refusal(SMS, a_device(protocol), type_name, parameters)
    assert (found is None) is is_taken, found
    if found is not None:
        assert found.parameter in parameters


def test_a_password_that_no_key_opens_is_nobody_s_value(settings):
    device = a_device("gt06")
    device.access.encrypted_password = "of-another-key"
    for way in (SESSION, SMS):
        found = refusal(way, device, "position_interval", {"interval_seconds": 60})
        assert "enter it again" in str(found)
        assert found.parameter == ""


@pytest.mark.parametrize(
    ("form", "text", "is_taken"),
    [
        (None, "dump", True),
        ("json", "x;$#*\"'", True),
        ("osmand", "São Paulo", True),
        ("owntracks", '{"action": "dump"}', True),
        ("owntracks", "dump", False),
    ],
)
def test_a_device_that_asks_is_told_what_its_form_can_say(form, text, is_taken, monkeypatch):
    monkeypatch.setattr(poll, "form_of", lambda _pk: form)
    found = refusal(poll.PollWay(), a_device(""), "custom", {"text": text})
    assert (found is None) is is_taken


@pytest.mark.parametrize(("host", "is_taken"), [("tracker.example.org", True), ("a b", False), ("a#RESET#", False)])
def test_traccar_is_sent_hosts_only(host, is_taken):
    found = refusal(TRACCAR, a_device(""), "set_server", {"host": host, "port": 5027})
    assert (found is None) is is_taken


WRONG = {
    "integer": [None, NAN, INFINITE, -INFINITE, -1, 10**30, -(10**30), 30.0, "30", "", True, [30], {}, b"30"],
    "boolean": [None, 0, 1, "true", "", NAN, [], {}],
    "text": [
        None,
        "",
        " ",
        "\u3000",
        "a\nb",
        "a\rb",
        "a\x00b",
        "\ud800",
        "a\u202eb",
        "\u00a0",
        "x" * 501,
        7,
        NAN,
        [],
        {},
    ],
}


@pytest.mark.parametrize("type_name", [name for name, kind in COMMAND_TYPES.items() if kind.parameters])
def test_what_is_no_value_of_a_parameter_is_refused_by_its_name(type_name):
    given = {one.name: LEAST[one.kind](one) for one in COMMAND_TYPES[type_name].parameters}
    assert check_parameters(type_name, given) == given
    for one in COMMAND_TYPES[type_name].parameters:
        for value in WRONG[one.kind]:
            with pytest.raises(InvalidParameters) as caught:
                check_parameters(type_name, {**given, one.name: value})
            assert set(caught.value.errors) == {one.name}, value
