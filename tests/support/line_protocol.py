"""A protocol of lines, for tests of the gateway: as plain as one can be that has all that the real ones have.

LOGIN <id>                      answered OK, refused NO
POS <seconds since 1970> <lat> <lon> [<lat> <lon> ...]   one fix a second, answered ACK <number of fixes>
BEAT                            answered BEAT
RELAY <0 or 1>                  the state of the relay without a place, answered RELAY
ANSWER <token> <text>           the answer to a command
SUM                             a frame whose checksum is wrong
<id>;<any of these>             as datagrams are, and frames of trackers that name themselves in each of them
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.message import DeviceMessage
from tasks_app.ingest.trackers.base import (
    BadFrame,
    CommandAnswer,
    Cut,
    Decoded,
    EncodedCommand,
    FrameTooLong,
    InvalidCommand,
    OutgoingCommand,
    RelayVariant,
    TrackerProtocol,
    TrackerSession,
)

MAX_BYTES = 4096


def cut(data: bytes, session: TrackerSession) -> Cut:
    *lines, rest = data.split(b"\n")
    if len(rest) > MAX_BYTES:
        raise FrameTooLong("no end")
    return Cut([line for line in lines if line], len(data) - len(rest))


def decode(frame: bytes, session: TrackerSession, now: datetime) -> Decoded:
    name, _, rest = frame.decode("ascii", "replace").rpartition(";")
    word, *parts = rest.split(" ")
    if word == "LOGIN":
        session.device_id = parts[0]
        return Decoded("login", parts[0], reply=b"OK\n", refusal=b"NO\n")
    device_id = name or session.device_id
    if word == "POS":
        return _positions(name, device_id, parts)
    if word == "BEAT":
        return Decoded("heartbeat", name, reply=b"BEAT\n")
    if word == "RELAY":
        life = (DeviceMessage(device_id, None),)
        return Decoded("heartbeat", name, life, b"RELAY\n", is_relay_cut=parts[0] == "1")
    if word == "ANSWER":
        return Decoded("answer", name, answer=CommandAnswer(" ".join(parts[1:]), token=parts[0], is_success=True))
    raise BadFrame("checksum", "The sum is wrong.")


def encode(command: OutgoingCommand, session: TrackerSession) -> EncodedCommand:
    if command.type == "reboot":
        raise InvalidCommand("It never restarts.")
    words = filter(None, ["CMD", str(command.number), command.type, session.relay_variant, session.password])
    return EncodedCommand(
        f"{' '.join(words)}\n".encode(), f"{command.type} {session.password}".strip(), token=str(command.number)
    )


def _positions(name: str, device_id: str, parts: list[str]) -> Decoded:
    at = datetime.fromtimestamp(int(parts[0]), UTC)
    places = list(zip(parts[1::2], parts[2::2], strict=True))
    messages = [
        DeviceMessage(device_id, _fix(device_id, at + timedelta(seconds=number), float(lat), float(lon)))
        for number, (lat, lon) in enumerate(places)
    ]
    return Decoded("position", name, tuple(messages), reply=f"ACK {len(places)}\n".encode())


def _fix(device_id: str, at: datetime, latitude: float, longitude: float) -> Fix | RejectedFix:
    if abs(latitude) > 90:
        return RejectedFix(0, "invalid_latitude", "The latitude cannot be right.")
    return Fix(device_id, at, latitude, longitude)


LINES = TrackerProtocol(
    "lines", "Lines", 5999, cut, decode, encode, frozenset({"position_request", "engine_resume"}),
    relay_variants=(RelayVariant("lined", "Lined"),),
)  # fmt: skip
