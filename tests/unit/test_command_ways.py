"""Commands as Traccar, SMS providers and phones are sent them, and the meaning of their answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tasks_app.ingest.trackers.base import InvalidCommand, OutgoingCommand, TrackerSession
from tasks_app.ingest.trackers.command_types import COMMAND_TYPES, check_parameters
from tasks_app.ingest.trackers.registry import PROTOCOLS
from tasks_app.models import DeviceAccess
from tasks_app.services.commands.attempts import NothingWritten
from tasks_app.services.commands.ways import poll, sms, sms_receipts, sms_texts, traccar
from tasks_app.utils.outgoing_http import Answer

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
PARAMETERS: dict[str, dict[str, Any]] = {
    "position_interval": {"interval_seconds": 60},
    "output": {"output": 1, "is_on": True},
    "set_odometer": {"odometer_meters": 1000},
    "overspeed_alarm": {"speed_kph": 80},
    "firmware": {"url": "https://fw.example.org/a.bin"},
    "set_server": {"host": "tracker.example.org", "port": 5027},
    "custom": {"text": "getver"},
}


def outgoing(type_name: str, **parameters: Any) -> OutgoingCommand:
    return OutgoingCommand(type_name, parameters or PARAMETERS.get(type_name, {}), 7, AT)


def test_the_parameters_of_these_tests_are_what_commands_have():
    for name in COMMAND_TYPES:
        assert check_parameters(name, PARAMETERS.get(name, {})) == PARAMETERS.get(name, {})


# --- Traccar ---

TRACCAR = [
    ("position_request", "positionSingle", {}),
    ("position_interval", "positionPeriodic", {"frequency": 60}),
    ("status_request", "getDeviceStatus", {}),
    ("version_request", "getVersion", {}),
    ("engine_stop", "engineStop", {}),
    ("engine_resume", "engineResume", {}),
    ("reboot", "rebootDevice", {}),
    ("output", "outputControl", {"index": 1, "data": "1"}),
    ("arm", "alarmArm", {}),
    ("disarm", "alarmDisarm", {}),
    ("set_odometer", "setOdometer", {"data": "1000"}),
    ("acknowledge_emergency", "alarmDismiss", {}),
    ("power_off", "powerOff", {}),
    ("factory_reset", "factoryReset", {}),
    ("firmware", "firmwareUpdate", {"data": "https://fw.example.org/a.bin"}),
    ("set_server", "setConnection", {"server": "tracker.example.org", "port": 5027}),
    ("custom", "custom", {"data": "getver"}),
]


@pytest.mark.parametrize(("type_name", "name", "attributes"), TRACCAR)
def test_traccar_is_sent_its_own_type_and_never_queues_it(type_name, name, attributes):
    encoded = traccar.encode(outgoing(type_name))
    assert json.loads(encoded.data) == {"type": name, "attributes": {**attributes, "noQueue": True}}
    assert encoded.text == encoded.data.decode()


def test_every_type_has_a_name_in_traccar_or_is_refused_with_a_sentence():
    assert {name for name, _, _ in TRACCAR} == traccar.TYPES
    for name in set(COMMAND_TYPES) - traccar.TYPES:
        with pytest.raises(InvalidCommand, match="Traccar has no such command"):
            traccar.encode(outgoing(name))


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 415, 429])
def test_what_traccar_refused_was_not_written(status):
    with pytest.raises(NothingWritten, match=f"{status} Command engineStop is not supported"):
        traccar.judge(Answer(status, b"Command engineStop is not supported in protocol x\n\tat org.traccar..."))


@pytest.mark.parametrize("status", [202, 500, 502, 503, 504])
def test_what_traccar_queued_or_failed_at_may_have_been_written(status):
    with pytest.raises(OSError, match=r"queue|50[0234]"):
        traccar.judge(Answer(status, b"{}"))


def test_traccar_s_200_says_that_it_was_written():
    assert traccar.judge(Answer(200, b'{"id":0}')) is None


# --- Texts of SMS ---


def of_the_device(password: str = "", relay_variant: str = "") -> TrackerSession:
    return TrackerSession(device_id="359586015829802", password=password, relay_variant=relay_variant)


SMS_TEXTS = [
    ("teltonika", "engine_resume", {}, "", "  setdigout 0?"),
    ("teltonika", "reboot", {}, "fleet 1234", "fleet 1234 cpureset"),
    ("teltonika", "custom", {"text": "getio"}, "1234", "1234 getio"),
    ("coban", "engine_stop", {}, "", "stop123456"),
    ("coban", "engine_resume", {}, "4321", "resume4321"),
    ("coban", "arm", {}, "", "arm123456"),
    ("coban", "disarm", {}, "", "disarm123456"),
    ("coban", "reboot", {}, "", "reset123456"),
    ("coban", "position_interval", {"interval_seconds": 30}, "", "fix030s***n123456"),
    ("coban", "position_interval", {"interval_seconds": 300}, "", "fix005m***n123456"),
    ("coban", "position_interval", {"interval_seconds": 86_400}, "", "fix024h***n123456"),
    ("coban", "overspeed_alarm", {"speed_kph": 80}, "", "speed123456 080"),
    ("coban", "set_server", {"host": "192.0.2.7", "port": 5001}, "", "adminip123456 192.0.2.7 5001"),
    ("coban", "custom", {"text": "nosuppress123456"}, "", "nosuppress123456"),
]


@pytest.mark.parametrize(("protocol", "type_name", "parameters", "password", "text"), SMS_TEXTS)
def test_a_command_by_sms_has_the_form_of_its_tracker(protocol, type_name, parameters, password, text):
    command = OutgoingCommand(type_name, parameters, 7, AT)
    assert sms_texts.sms_text(protocol, command, of_the_device(password)) == text


@pytest.mark.parametrize("protocol", [*PROTOCOLS, "unknown"])
def test_every_type_of_every_protocol_has_a_text_for_sms_or_is_refused_with_a_sentence(protocol):
    known = sms_texts.sms_types(protocol)
    assert not known & sms_texts.QUESTIONS
    for name in COMMAND_TYPES:
        if name in known:
            text = sms_texts.sms_text(protocol, outgoing(name), of_the_device())
            assert text.isascii()
            assert len(text) <= sms_texts.MAX_CHARACTERS
        else:
            with pytest.raises(InvalidCommand, match="by SMS"):
                sms_texts.sms_text(protocol, outgoing(name), of_the_device())


@pytest.mark.parametrize("text", ["x" * 161, "nível"])
def test_a_text_that_does_not_fit_into_one_sms_is_refused(text):
    with pytest.raises(InvalidCommand, match="160"):
        sms_texts.sms_text("coban", outgoing("custom", text=text), of_the_device())


# --- The provider of SMS ---


@pytest.fixture
def provider(settings) -> dict[str, Any]:
    settings.SMS = {**settings.SMS, "URL": "https://sms.example.net/send", "BODY": "", "ACCEPTED": ""}
    return settings.SMS


VALUES = {"phone": "+5511999990000", "text": 'a"b&c<d> é%', "reference": "12-3", "validity_seconds": 60}
BODIES = [
    ('{"to": "{phone}", "t": "{text}", "ttl": {validity_seconds}}', "application/json",
     '{"to": "+5511999990000", "t": "a\\"b&c<d> \\u00e9%", "ttl": 60}'),
    ('<m to="{phone}">{text}</m>', "application/xml", '<m to="+5511999990000">a&quot;b&amp;c&lt;d&gt; é%</m>'),
    ("to={phone}&t={text}&ref={reference}", "application/x-www-form-urlencoded",
     "to=%2B5511999990000&t=a%22b%26c%3Cd%3E+%C3%A9%25&ref=12-3"),
]  # fmt: skip


@pytest.mark.parametrize(("template", "media_type", "body"), BODIES)
def test_values_are_escaped_for_the_body_they_stand_in(template, media_type, body):
    assert sms._body(template, VALUES) == (body.encode(), media_type)


def test_a_provider_without_a_body_is_sent_none():
    assert sms._body("", VALUES) == (None, "")


@pytest.mark.parametrize("status", [302, 400, 401, 402, 404, 422, 429])
def test_what_the_provider_refused_was_not_sent(status, provider):
    with pytest.raises(NothingWritten, match=r"\+55…000 is no number") as caught:
        sms.judge(Answer(status, b"+5511999990000 is no number"), DeviceAccess(phone_number="+5511999990000"))
    assert "99999" not in str(caught.value)


@pytest.mark.parametrize("status", [500, 503])
def test_what_the_provider_failed_at_may_have_been_sent(status, provider):
    with pytest.raises(OSError, match=str(status)):
        sms.judge(Answer(status, b""), DeviceAccess(phone_number="+5511999990000"))


def test_a_provider_that_refuses_with_200_is_known_by_its_words(provider):
    provider["ACCEPTED"] = '"status":"0"'
    assert sms.judge(Answer(200, b'{"messages":[{"status":"0"}]}'), DeviceAccess(phone_number="+1")) is None
    with pytest.raises(NothingWritten):
        sms.judge(Answer(200, b'{"messages":[{"status":"4"}]}'), DeviceAccess(phone_number="+1"))


@pytest.mark.parametrize(
    ("url", "body", "has_validity"),
    [
        ("https://s.example/{phone}", "{text}", False),
        ("https://s.example/?v={validity_seconds}", "", True),
        ("https://s.example/", '{"v": {validity_seconds}}', True),
    ],
)
def test_a_dangerous_command_goes_by_sms_only_where_the_provider_hears_how_long_it_holds(
    url, body, has_validity, provider
):
    provider |= {"URL": url, "BODY": body}
    device = SimpleNamespace(unique_id="1", access=DeviceAccess(protocol="coban", phone_number="+5511999990000"))
    dangerous = {name for name in sms.SmsWay().types(device) if COMMAND_TYPES[name].is_dangerous}
    assert bool(dangerous) is has_validity
    assert "arm" in sms.SmsWay().types(device)
    if has_validity:
        message = sms.message_of(outgoing("engine_stop"), device, 12, AT + timedelta(seconds=42))
        assert message == sms.Message("stop123456", "12-7", 42)
        encoded = sms.encoded(message, device.access)
        assert json.loads(encoded.data) == {"text": "stop…", "reference": "12-7", "validity_seconds": 42}
        assert (encoded.token, encoded.text) == ("12-7", "stop…")
    else:
        with pytest.raises(InvalidCommand, match="how long"):
            sms.message_of(outgoing("engine_stop"), device, 12, AT + timedelta(seconds=42))


# --- Receipts ---

RECEIPTS = [
    ({"reference": "12-3", "status": "DELIVERED"}, [("12-3", True)]),
    ({"reference": "12-3", "status": "undelivered"}, [("12-3", False)]),
    ({"reference": "12-3", "status": "sent"}, []),
    ({"status": "delivered"}, []),
    ({"reference": {"a": 1}, "status": "delivered"}, []),
    ({"reference": "12-3", "status": True}, []),
    ({"reference": "x" * 65, "status": "delivered"}, []),
    ({"results": [{"reference": "1-1", "status": "delivered"}, {"reference": "2-2", "status": "failed"}, 7]},
     [("1-1", True), ("2-2", False)]),
    ("delivered", []),
    (None, []),
    ([[]], []),
]  # fmt: skip


@pytest.mark.parametrize(("report", "read"), RECEIPTS, ids=str)
def test_final_reports_are_read_and_all_others_left_out(report, read):
    assert [(one.reference, one.is_delivered) for one in sms_receipts.read_receipts([report])] == read


def test_members_of_a_report_may_lie_within_others(settings):
    settings.SMS = {**settings.SMS, "RECEIPT_REFERENCE": "message.ref", "RECEIPT_STATUS": "status.name"}
    report = {"message": {"ref": 123}, "status": {"name": "Delivrd"}}
    assert [one.reference for one in sms_receipts.read_receipts([report])] == ["123"]


# --- Devices that ask ---

OWNTRACKS = [
    ("position_request", {}, {"_type": "cmd", "action": "reportLocation"}),
    ("status_request", {}, {"_type": "cmd", "action": "status"}),
    ("position_interval", {"interval_seconds": 60}, {
        "_type": "cmd", "action": "setConfiguration",
        "configuration": {"_type": "configuration", "locatorInterval": 60, "moveModeLocatorInterval": 60},
    }),
    ("custom", {"text": '{"action": "dump"}'}, {"_type": "cmd", "action": "dump"}),
    ("custom", {"text": '{"action": "dump", "_type": "location"}'}, {"_type": "cmd", "action": "dump"}),
]  # fmt: skip


@pytest.mark.parametrize(("type_name", "parameters", "message"), OWNTRACKS)
def test_owntracks_is_sent_messages_of_type_cmd(type_name, parameters, message):
    encoded = poll.encode("owntracks", OutgoingCommand(type_name, parameters, 7, AT), 12, AT)
    assert json.loads(encoded.data) == message


@pytest.mark.parametrize("text", ["dump", "[]", '{"action": 7}', "{}", "NaN"])
def test_a_text_that_is_no_message_of_owntracks_is_refused(text):
    with pytest.raises(InvalidCommand, match="action"):
        poll.encode("owntracks", outgoing("custom", text=text), 12, AT)


def test_a_device_that_asks_is_sent_id_type_parameters_and_expiry():
    encoded = poll.encode("json", outgoing("output"), 12, AT)
    assert json.loads(encoded.data) == {
        "id": "12-7", "type": "output", "parameters": {"output": 1, "is_on": True}, "expires_at": "2026-03-01T08:00:00Z",
    }  # fmt: skip
    assert encoded.token == "12-7"


def test_a_phone_number_is_shown_by_its_ends():
    assert sms.redacted_number("+5511999990000") == "+55…000"
    assert sms.redacted_number("+1234567") == "…"
