"""Forms of the engine's relay, as the settings of a device name them, and passwords in commands."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from tasks_app.ingest.trackers.base import EncodedCommand, OutgoingCommand, TrackerSession
from tasks_app.ingest.trackers.checksums import crc16_arc
from tasks_app.ingest.trackers.registry import PROTOCOLS
from tests.support.tracker_vectors import VECTORS

NOW = datetime(2026, 11, 30, 10, 0, tzinfo=UTC)

# Protocol, form, memory of the connection, password, the words to stop, the words to let run.
FORMS: list[tuple[str, str, dict[str, Any], str, str, str]] = [
    ("gt06", "", {}, "", "Relay,1#", "Relay,0#"),
    ("gt06", "", {"relay": "DYD"}, "", "DYD#", "HFYD#"),
    ("gt06", "relay", {"relay": "DYD"}, "", "Relay,1#", "Relay,0#"),
    ("gt06", "dyd", {}, "", "DYD#", "HFYD#"),
    ("gt06", "dyd_password", {}, "", "DYD,000000#", "HFYD,000000#"),
    ("gt06", "dyd_password", {}, "4711", "DYD,4711#", "HFYD,4711#"),
    ("jt808", "", {}, "", "8105 F0", "8105 F1"),
    ("jt808", "f0_f1", {}, "", "8105 F0", "8105 F1"),
    ("jt808", "64_65", {}, "", "8105 64", "8105 65"),
    ("teltonika", "", {}, "", "setdigout 1? ? ? 20 ?", "setdigout 0?"),
    ("teltonika", "", {"outputs": 1}, "", "setdigout 1 ? 20", "setdigout 0"),
    ("teltonika", "one_output", {"outputs": 2}, "", "setdigout 1 ? 20", "setdigout 0"),
    ("teltonika", "second_output", {}, "", "setdigout ?1 ? ? ? 20", "setdigout ?0"),
    ("teltonika", "second_output", {"outputs": 3}, "", "setdigout ?1? ? ? ? ? 20 ?", "setdigout ?0?"),
    ("queclink", "", {}, "", "AT+GTOUT=gv300,1,,,0,0,0,0,0,0,0,,,,,,,0007$", "AT+GTOUT=gv300,0,,,0,0,0,0,0,0,0,,,,,,,0007$"),
    ("queclink", "", {"queclink_version": "FFFFFF"}, "4711", "AT+GTOUT=4711,1,,,0,0,0,0,0,0,0,,,,,,,0007$",
     "AT+GTOUT=4711,0,,,0,0,0,0,0,0,0,,,,,,,0007$"),
]  # fmt: skip


@pytest.mark.parametrize(("protocol", "form", "memory", "password", "stop", "resume"), FORMS)
def test_the_engine_is_switched_in_the_form_of_the_settings_else_of_the_connection(
    protocol, form, memory, password, stop, resume
):
    session = TrackerSession(device_id="123456789012", relay_variant=form, password=password, memory=memory)
    for type_name, text in (("engine_stop", stop), ("engine_resume", resume)):
        assert PROTOCOLS[protocol].encode(OutgoingCommand(type_name, {}, 7, NOW), session).text == text


def test_every_form_is_tried_above_and_has_a_name_of_its_own():
    names = Counter(variant.name for protocol in PROTOCOLS.values() for variant in protocol.relay_variants)
    assert set(names) == {form for _, form, *_ in FORMS if form}
    assert set(names.values()) == {1}


def test_the_relay_of_a_record_is_that_of_the_output_it_hangs_on():
    protocol = PROTOCOLS["teltonika"]
    # One record with out1 off and out2 on.
    record = bytes.fromhex("0000016818d500580009c28d9f1cb3757a00be00c60f0053000202b300b401000000")
    body = b"\x08\x01" + record + b"\x01"
    frame = len(body).to_bytes(8, "big") + body + crc16_arc(body).to_bytes(4, "big")
    for form, is_cut in (("", False), ("one_output", False), ("second_output", True)):
        session = TrackerSession(device_id="352093086403655", relay_variant=form)
        (message,) = protocol.decode(frame, session, NOW).messages
        assert message.content.attributes["blocked"] is is_cut


def test_what_is_kept_of_a_command_has_no_password():
    encoded = EncodedCommand(b"xxDYD,4711#\x01", "DYD,4711#", secret="4711")
    assert (encoded.kept_data, encoded.kept_text) == (b"xxDYD,****#\x01", "DYD,…#")
    assert "4711" not in repr(EncodedCommand(b"", "", secret="4711"))
    assert "4711" not in repr(TrackerSession(password="4711"))
    plain = EncodedCommand(b"DYD#", "DYD#")
    assert (plain.kept_data, plain.kept_text) == (plain.data, plain.text)


def test_no_vector_depends_on_a_form():
    """Frames are cut and answered alike whatever the form; only the relay's attribute may differ."""
    for name, vectors in VECTORS.items():
        protocol = PROTOCOLS[name]
        for vector in vectors:
            plain = vector.session()
            frames = protocol.cut(vector.data, plain).frames
            for variant in protocol.relay_variants:
                session = vector.session()
                session.relay_variant = variant.name
                for frame in frames:
                    assert protocol.decode(frame, session, NOW).reply == protocol.decode(frame, plain, NOW).reply
