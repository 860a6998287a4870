"""Frames that came whole and cannot be read, as a whole or in part: acknowledged, quarantined, and nothing good is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from struct import pack

import pytest

from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.trackers import gt06, jt808, teltonika
from tasks_app.ingest.trackers.base import BadFrame, Decoded, TrackerSession
from tasks_app.ingest.trackers.jt808_parts import held_parts
from tasks_app.ingest.trackers.registry import PROTOCOLS
from tests.unit.trackers import test_gt06 as of_gt06
from tests.unit.trackers import test_jt808 as of_jt808
from tests.unit.trackers import test_jt808_parts as of_parts
from tests.unit.trackers import test_teltonika as of_teltonika

NOW = datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC)
IMEI = "352093086403655"


def decode(name: str, frame: bytes, *, transport: str = "tcp", device_id: str = IMEI) -> Decoded:
    return PROTOCOLS[name].decode(frame, TrackerSession(transport=transport, device_id=device_id), NOW)


def outcome(found: Decoded) -> tuple[str, list[str]]:
    """Return its code for the counters, and its messages: a fix, a sign of life, or the code of what is refused."""
    contents = [message.content for message in found.messages]
    return found.kind, [
        one.code if isinstance(one, RejectedFix) else "fix" if isinstance(one, Fix) else "life" for one in contents
    ]


# --- Teltonika --------------------------------------------------------------------------------------------------------

RECORD = of_teltonika.record(NOW)
NEXT = of_teltonika.record(NOW + timedelta(seconds=1))
# 255 elements that are not there.
LYING = of_teltonika.record(NOW, b"\x00\xff\xff\x00")
FEW = of_teltonika.record(NOW, b"\x00\x02\x05\x00\x00\x00")
IMPOSSIBLE = of_teltonika.record(NOW + timedelta(days=20_000))
TEXTS = of_teltonika.record(NOW, pack(">HHHHHHHHH", 0, 1, 0, 0, 0, 0, 1, 7, 65_535))
PANIC = of_teltonika.record(NOW + timedelta(days=20_000), priority=2, satellites=0)


@pytest.mark.parametrize(
    ("content", "count", "expected"),
    [
        (b"\x08\x02" + RECORD + b"\x02", 2, ("wrong_count", ["fix", "wrong_count"])),
        (b"\x08\x01" + RECORD + b"\x02", 1, ("wrong_count", ["fix", "wrong_count"])),
        (b"\x08\x00" + RECORD + b"\x01", 1, ("wrong_count", ["fix", "wrong_count"])),
        (b"\x08\xff" + RECORD + NEXT + b"\x02", 2, ("wrong_count", ["fix", "fix", "wrong_count"])),
        (b"\x08\xff" + b"\xff", 255, ("wrong_count", ["wrong_count"])),
        (b"\x08\x01" + RECORD + b"\x00\x01", 1, ("wrong_length", ["fix", "wrong_length"])),
        (b"\x08\x01" + LYING + b"\x01", 1, ("wrong_length", ["wrong_length"])),
        (b"\x08\x01" + RECORD[:15] + b"\x01", 1, ("wrong_length", ["wrong_length"])),
        (b"\x8e\x01" + TEXTS + b"\x01", 1, ("wrong_length", ["wrong_length"])),
        # Those before and behind one that lies are read.
        (b"\x08\x03" + RECORD + LYING + NEXT + b"\x03", 3, ("wrong_length", ["fix", "fix", "wrong_length"])),
        (b"\x08\x03" + FEW + RECORD + NEXT + b"\x03", 3, ("wrong_length", ["fix", "fix", "wrong_length"])),
        (b"\x08\x02" + RECORD[:20] + NEXT + b"\x02", 2, ("wrong_length", ["fix", "wrong_length"])),
        # An alarm that is found where records went wrong must not be one by chance.
        (b"\x08\x03" + PANIC + LYING + NEXT + b"\x03", 3, ("wrong_length", ["fix", "wrong_length"])),
        # A record of an impossible time is refused by itself.
        (b"\x08\x02" + IMPOSSIBLE + NEXT + b"\x02", 2, ("position", ["timestamp_in_future", "fix"])),
    ],
)
def test_teltonika_acknowledges_a_whole_packet_and_keeps_every_record_that_can_be_read(content, count, expected):
    found = decode("teltonika", of_teltonika.frame_of(content))
    assert (outcome(found), found.reply) == (expected, pack(">I", count))
    times = [one.content.fix_time for one in found.messages if isinstance(one.content, Fix)]
    assert len(times) == len(set(times))
    assert all(message.unlocated is None for message in found.messages)
    datagram = pack(">HBBH", 0xCAFE, 1, 5, 15) + IMEI.encode() + content
    found = decode("teltonika", pack(">H", len(datagram)) + datagram, transport="udp")
    assert (outcome(found), found.reply) == (expected, bytes.fromhex("0005cafe0105") + bytes([count]))


def test_records_of_an_unknown_codec_are_named_and_kept_by_the_tracker():
    """Another codec is a setting of the tracker: it sends its records again when that is put right."""
    unknown = of_teltonika.frame_of(b"\x07\x01" + RECORD + b"\x01")
    good = of_teltonika.frame_of(b"\x08\x01" + RECORD + b"\x01")
    found = teltonika.cut(good + unknown + good, TrackerSession())
    assert (found.frames, found.skipped) == ([good, unknown, good], 0)
    with pytest.raises(BadFrame, match="codec") as raised:
        decode("teltonika", unknown)
    assert raised.value.code == "unknown_codec"
    for at in range(1, len(unknown)):
        found = teltonika.cut(unknown[:at], TrackerSession())
        assert (found.frames, found.used) == ([], 0)
    damaged = teltonika.cut(unknown[:-1] + b"\x00" + good, TrackerSession())
    assert damaged.frames == [good]


# --- GT06 -------------------------------------------------------------------------------------------------------------

PLACE = of_gt06.place()


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        (0x12, PLACE[:-1], ["wrong_length"]),
        (0x22, b"", ["wrong_length"]),
        (0x26, PLACE, ["fix", "wrong_length"]),
        (0x26, PLACE + b"\x09" + bytes(8), ["fix", "wrong_length"]),
        (0x16, PLACE + b"\xff", ["fix", "wrong_length"]),
        (0x16, of_gt06.place(flags=0) + b"\xff", ["life", "wrong_length"]),
        (0x13, b"\x00", ["wrong_length"]),
        (0x23, b"\x00\x01", ["wrong_length"]),
    ],
)
def test_gt06_acknowledges_what_its_type_is_acknowledged_for(kind, content, expected):
    found = of_gt06.read(kind, content)
    assert outcome(found) == ("wrong_length", expected)
    assert found.reply == of_gt06.frame_of(kind, b"")
    assert found.is_relay_cut is None


@pytest.mark.parametrize(
    ("kind", "content"), [(0x15, b""), (0x15, b"\x05\x00"), (0x21, b"\x00\x00\x00\x01"), (0x94, b"\x00\x01")]
)
def test_gt06_has_no_acknowledgement_for_answers_and_information(kind, content):
    session = TrackerSession(device_id=IMEI)
    found = of_gt06.read(kind, content, session)
    assert (outcome(found), found.reply, found.answer) == (("wrong_length", ["wrong_length"]), b"", None)
    assert "power" not in session.memory.get("status", {})


# --- JT/T 808 ---------------------------------------------------------------------------------------------------------


def batch(*locations: bytes, count: int | None = None, kind: int = 0) -> bytes:
    items = b"".join(pack(">H", len(one)) + one for one in locations)
    return pack(">HB", len(locations) if count is None else count, kind) + items


HERE, THERE = of_jt808.place(), of_jt808.place("261123180001")


@pytest.mark.parametrize(
    ("message", "body", "expected"),
    [
        (0x0200, HERE[:-1], ["wrong_length"]),
        (0x0200, b"", ["wrong_length"]),
        (0x0704, b"\x00", ["wrong_length"]),
        (0x0704, batch(count=60_000), ["wrong_length"]),
        (0x0704, batch(HERE, THERE, count=60_000), ["fix", "fix", "wrong_length"]),
        (0x0704, batch(HERE, THERE, count=1), ["fix", "fix", "wrong_length"]),
        (0x0704, batch(HERE) + pack(">H", 500) + THERE, ["fix", "wrong_length"]),
        # Those behind one that is too short are read.
        (0x0704, batch(HERE[:20], HERE, b"", THERE), ["fix", "fix", "wrong_length"]),
        (0x0704, batch(*[b""] * 400, HERE), ["fix", "wrong_length"]),
    ],
)
def test_jt808_acknowledges_locations_that_cannot_be_read(message, body, expected):
    found = of_jt808.read(message, body)
    assert outcome(found) == ("wrong_length", expected)
    accepted = pack(">HHB", 9, message, 0)
    assert found.reply == of_jt808.frame_of(0x8001, accepted).replace(b"\x00\x09\x00\x09", b"\x00\x00\x00\x09")[
        :-2
    ] + bytes([found.reply[-2], 0x7E])


@pytest.mark.parametrize("message", [0x0001, 0x0104, 0x0201, 0x0701])
def test_jt808_answers_that_cannot_be_read_end_no_command(message):
    found = of_jt808.read(message, b"\x00")
    assert (outcome(found), found.answer) == (("wrong_length", ["wrong_length"]), None)
    assert bool(found.reply) == (message == 0x0701)


def test_jt808_answers_each_part_of_a_message_that_cannot_be_read():
    session, sent = TrackerSession(), of_parts.parts(of_parts.BATCH, of_parts.batch(6)[:-9], 3)
    first, second, last = [of_parts.decode(one, session) for one in sent]
    assert (first.reply, second.reply) == (b"", b"")
    assert outcome(last) == ("wrong_length", ["fix"] * 5 + ["wrong_length"])
    assert of_parts.answers(last.reply) == of_parts.acknowledged(
        *((of_parts.FIRST_SERIAL + number) & 0xFFFF for number in range(3))
    )
    assert held_parts(session) is not None


@pytest.mark.parametrize(("total", "index"), [(0, 0), (0, 1), (3, 0), (3, 4), (2, 0xFFFF)])
def test_jt808_parts_whose_numbers_cannot_be_right_are_answered_and_not_held(total, index):
    session = TrackerSession()
    found = of_parts.decode(of_parts.part(of_parts.BATCH, b"x", total, index), session)
    assert (outcome(found), held_parts(session)) == (("wrong_part", ["wrong_part"]), None)
    assert [one[3] for one in of_parts.answers(found.reply)] == [0]


# --- Texts ------------------------------------------------------------------------------------------------------------

UNIVERSAL = "STT;0950030205;3FFFFF;95;1.0.11;1;20261123;10:00:00;02F2F402;334;20;0F1D;45;+25.791061;-100.170745"


def zipped(kind: int, mask: int, fields: bytes) -> bytes:
    content = bytes.fromhex("0950030205") + mask.to_bytes(3, "big") + fields
    return bytes([kind]) + len(content).to_bytes(2, "big") + content


# Date, time, latitude and longitude, and the rest up to the alert: 4, 5, 11, 12, 15, 16, 19.
ZIP_MASK = 1 << 4 | 1 << 5 | 1 << 11 | 1 << 12 | 1 << 15 | 1 << 16 | 1 << 19
ZIP_PLACE = bytes((26, 11, 23, 10, 0, 0)) + (25_791_061).to_bytes(4, "big") + (100_170_745 | 1 << 31).to_bytes(4, "big")


@pytest.mark.parametrize(
    ("frame", "device_id", "prefix", "expected"),
    [
        (
            b"ST300STT;205027329;03;374;20261123;10:00:00;177b38;-23.5",
            "205027329",
            "ST300",
            ("too_short", ["too_short"]),
        ),
        (b"STT;0560001616;XYZ;56", "0560001616", "", ("unknown_layout", ["unknown_layout"])),
        (UNIVERSAL.encode(), "0950030205", "", ("too_short", ["too_short"])),
        (UNIVERSAL[:60].encode(), "0950030205", "", ("too_short", ["too_short"])),
        (zipped(0x81, ZIP_MASK, ZIP_PLACE + b"\x09\x01\x02"), "0950030205", "", ("position", ["fix"])),
        (zipped(0x81, ZIP_MASK, ZIP_PLACE[:-1]), "0950030205", "", ("too_short", ["too_short"])),
        (zipped(0x82, ZIP_MASK, ZIP_PLACE[:7]), "0950030205", "", ("too_short", ["too_short"])),
    ],
)
def test_suntech_acknowledges_over_udp_reports_that_cannot_be_read(frame, device_id, prefix, expected):
    found = decode("suntech", frame, transport="udp")
    assert (outcome(found), found.device_id) == (expected, device_id)
    assert found.reply == f"{prefix}ACK;{device_id}".encode()
    assert all(message.unlocated is None for message in found.messages)
    assert decode("suntech", frame).reply == b""


def test_suntech_keeps_the_place_of_a_report_whose_serial_data_are_laid_out_otherwise():
    text = (
        "ST300UEX;205027329;03;374;20261123;10:00:00;177b38;-23.566052;-046.477588;010.500;202.77;9;1;9971;12.11;data"
    )
    assert outcome(decode("suntech", text.encode(), transport="udp")) == ("unknown_layout", ["fix", "unknown_layout"])


def test_suntech_texts_behind_a_binary_report_that_is_cut_off_are_read():
    cut_off = zipped(0x81, ZIP_MASK, ZIP_PLACE + b"\x09\x01\x02")[:-3]
    text = (
        b"ST300STT;205027329;03;374;20261123;10:00:00;177b38;-23.566052;-046.477588;010.500;202.77;9;1;9971;12.11;0;1;1"
    )
    found = PROTOCOLS["suntech"].cut(cut_off + text + b"\r" + text + b"\r", TrackerSession())
    assert found.frames == [cut_off, text, text]


FIXED = (
    "+RESP:GTFRI,060100,135790246811220,,,00,1,1,4.3,92,70.0,{},0460,0000,18d8,6141,00,2000.0,,,,80,210100,,,,"
    "20261123093254,11F0$"
)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("121.354335,31.222073,20261123093254", ("position", ["fix"])),
        ("121.354335,31.222073,2026112309325x", ("unknown_layout", ["unknown_layout"])),
        ("121x354335,31y222073,20261123093254", ("unknown_layout", ["unknown_layout"])),
        ("121.354335,31y222073,20261123093254", ("position", ["invalid_latitude"])),
        ("121.354335,31.222073,20261323093254", ("position", ["invalid_timestamp"])),
        (",,20261123093254", ("other", ["life"])),
        (",,", ("other", ["life"])),
    ],
)
def test_queclink_keeps_in_quarantine_a_report_whose_place_cannot_be_read(place, expected):
    found = decode("queclink", FIXED.format(place).encode())
    assert (outcome(found), found.reply) == (expected, b"+SACK:11F0$")


def test_h02_answers_a_place_without_its_hemispheres():
    text = "*HQ,4210051415,V1,095959,A,2332.9999,x,04628.6553,W,000.00,000,231126,FFFFFBFF#"
    found = decode("h02", text.encode(), device_id="4210051415")
    assert outcome(found) == ("unknown_layout", ["unknown_layout"])
    assert found.reply == b"*HQ,4210051415,V4,V1,20261123100030#"


def test_h02_texts_behind_a_binary_frame_that_is_cut_off_are_read():
    cut_off = bytes.fromhex("24410600082621532131081504419390060740418306")
    text = b"*HQ,4210051415,V1,095959,A,2332.9999,S,04628.6553,W,000.00,000,231126,FFFFFBFF#"
    found = PROTOCOLS["h02"].cut(cut_off + text + text, TrackerSession())
    assert found.frames == [text, text]
    assert found.skipped == len(cut_off)


SUNTECH = (
    "ST300STT;205027329;03;374;20261123;10:00:00;177b38;-23.566052;-046.477588;010.500;202.77;9;1;9971;12.11;0;1;1"
)
COBAN = "imei:359710045559474,tracker,261123100000,,F,100000.000,A,5443.3834,N,02512.9071,E,0.00,0"
QUECLINK = "+RESP:GTSOS,DF0200,868487004358800,,,00,1,1,0.0,0,138.0,114.015465,22.537372,20261123100000,,,,,20261123100000,03A6"
H02 = "*HQ,4210051415,V1,095959,A,2332.9999,S,04628.6553,W,000.00,000,231126,FFFFFBFF"


@pytest.mark.parametrize(
    ("name", "text", "end"),
    [("suntech", SUNTECH, "\r"), ("coban", COBAN, ";"), ("queclink", QUECLINK, "$"), ("h02", H02, "#")],
)
def test_a_text_that_is_too_long_or_has_no_end_costs_none_behind_it(name, text, end):
    good, long = (text + end).encode(), (text + "," + "x" * 5000).encode()
    for bad in (long, long + end.encode(), text[:40].encode()):
        found = PROTOCOLS[name].cut(bad + good + good, TrackerSession())
        assert [one.rstrip(b"\r;") for one in found.frames] == [good.rstrip(b"\r;")] * 2
        assert found.skipped > 0


def test_suntech_texts_behind_serial_data_that_are_cut_off_are_read():
    cut_off = b"ST600UEX;008728327;20;568;20200602;17:10:03;0bf1a893;334;20;2f19;23;+20.514928;-100.743221;000.033;0"
    found = PROTOCOLS["suntech"].cut(cut_off + (SUNTECH + "\r").encode(), TrackerSession())
    assert found.frames == [SUNTECH.encode()]


def test_binary_reports_behind_a_text_that_has_no_end_are_read():
    report = zipped(0x81, ZIP_MASK, ZIP_PLACE + b"\x09\x01\x02")
    for before in (SUNTECH.encode(), b"\xd3T300ALV;205"):
        assert PROTOCOLS["suntech"].cut(before + report + report, TrackerSession()).frames == [report] * 2
    short = bytes.fromhex("2441060116601245431311165035313006004318210e000000fffffbffff0024")
    long = bytes.fromhex("24410600082621532131081504419390060740418306000000fffffbfdff0015060000002c02dc0c000000001f")
    for frame in (short, long):
        assert PROTOCOLS["h02"].cut(H02[:50].encode() + frame, TrackerSession()).frames == [frame[:32]]


# --- Whatever is whole ------------------------------------------------------------------------------------------------

CONTENTS = {
    "teltonika": (
        b"\x08\x03" + RECORD + of_teltonika.record(NOW, b"\x01\x02\x01\x01\x01\x00\x00\x00") + NEXT + b"\x03"
    ),
    "gt06": b"\x26" + PLACE + bytes.fromhex("09014401 0900 09cc 0028 66000eee0c0604 0302".replace(" ", "")),
    "jt808": batch(HERE, of_jt808.place(items=bytes.fromhex("0104000000640202000a")), THERE),
}


def whole(name: str, content: bytes) -> bytes:
    if name == "teltonika":
        return of_teltonika.frame_of(content)
    if name == "gt06":
        return of_gt06.frame_of(content[0], content[1:])
    return of_jt808.frame_of(0x0704, content)


@pytest.mark.parametrize("name", CONTENTS)
def test_a_whole_frame_is_acknowledged_whatever_it_holds(name):
    """Any byte changed, or anything cut off, under a checksum that is right: its tracker goes on to what it has next."""
    content, begin = CONTENTS[name], 1
    changed = [
        content[:at] + bytes([content[at] ^ flip]) + content[at + 1 :]
        for at in range(begin, len(content))
        for flip in (0x01, 0x10, 0x80, 0xFF)
    ]
    for one in [*changed, *(content[:size] for size in range(begin, len(content)))]:
        if name == "teltonika" and len(one) < 3:
            continue
        for frame in PROTOCOLS[name].cut(whole(name, one), TrackerSession(device_id=IMEI)).frames:
            found = decode(name, frame)
            assert found.reply, one.hex()
            assert any(found.reply), one.hex()


@pytest.mark.parametrize(
    ("name", "protocol"), [("teltonika", teltonika), ("gt06", gt06), ("jt808", jt808)], ids=lambda one: str(one)[:9]
)
def test_a_wrong_checksum_is_not_acknowledged(name, protocol):
    frame = bytearray(whole(name, CONTENTS[name]))
    frame[12] ^= 0x01
    with pytest.raises(BadFrame) as raised:
        protocol.decode(bytes(frame), TrackerSession(device_id=IMEI), NOW)
    assert raised.value.code == "wrong_checksum"
