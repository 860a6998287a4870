"""Frames as trackers send them, for tests that every protocol of the registry has to pass. One list for each protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tasks_app.ingest.trackers.base import TrackerSession


@dataclass(frozen=True, slots=True)
class Vector:
    """One frame and the connection it comes by. `is_checked`: a checksum stands over all of it that is acknowledged."""

    name: str
    data: bytes
    device_id: str = ""
    transport: Literal["tcp", "udp"] = "tcp"
    is_checked: bool = True

    def session(self) -> TrackerSession:
        return TrackerSession(transport=self.transport, device_id=self.device_id)

    def __repr__(self) -> str:
        return self.name


def _hex(name: str, text: str, device_id: str = "", **options: object) -> Vector:
    return Vector(name, bytes.fromhex(text), device_id, **options)  # type: ignore[arg-type]


_IMEI = "352093086403655"

_TELTONIKA = [
    _hex("login", "000F333532303933303836343033363535", is_checked=False),
    _hex("keep-alive", "FF", _IMEI, is_checked=False),
    _hex(
        "codec 8",
        "000000000000003608010000016B40D8EA30010000000000000000000000000000000105021503010101425E0F01F10000601A014E0000"
        "000000000000010000C7CF",
        _IMEI,
    ),
    _hex(
        "codec 8 extended",
        "000000000000004A8E010000016B412CEE000100000000000000000000000000000000010005000100010100010011001D00010010015E"
        "2C880002000B000000003544C87A000E000000001DD7E06A00000100002994",
        _IMEI,
    ),
    _hex(
        "codec 8 with a fix",
        "000000000000004c08010000016818d500580009c28d9f1cb3757a00be00c60f0053000f06f0011503c80001011d00fc00074237991800"
        "53cdf80dce426f430f88190bb8560bb802f100005aa110002887e000010000ee8d",
        _IMEI,
    ),
    _hex(
        "codec 16",
        "000000000000005F10020000016BDBC7833000000000000000000000000000000000000B05040200010000030002000B00270042563A"
        "00000000016BDBC7871800000000000000000000000000000000000B05040200010000030002000B00260042563A00000200005FB3",
        _IMEI,
    ),
    _hex(
        "datagram",
        "003DCAFE0105000F33353230393330383634303336353508010000016B4F815B30010000000000000000000000000000000103021503010101"
        "425DBC000001",
        transport="udp",
        is_checked=False,
    ),
    _hex(
        "answer by codec 12",
        "00000000000000370C01060000002F4449313A31204449323A30204449333A302041494E313A302041494E323A313639323420444F313A"
        "3020444F323A3101000066E3",
        _IMEI,
    ),
    _hex("refusal by codec 14", "00000000000000100E011100000008035209308145225101000032AC", _IMEI),
]

_GT06 = [
    _hex("login", "78780D01086471700328358100093F040D0A"),
    _hex("position", "787821121303120b2524c70138e363085b549003d43301940057d200cd52c000006aa1ca0d0a", _IMEI),
    _hex(
        "position sent later", "787822220F0C1D023305C9027AC8180C46586000140001CC00287D001F71000001000820860D0A", _IMEI
    ),
    _hex("alarm", "7878252612030C063816C3026C10540C38C9700144030901CC002866000EEE0C06040302000DA2DB0D0A", _IMEI),
    _hex("status", "78780a1304060400020272087e0d0a", _IMEI),
    _hex(
        "answer",
        "78782d152500000000437574206f666620746865206675656c20737570706c793a2053756363657373210002013b898a0d0a",
        _IMEI,
    ),
]

VECTORS: dict[str, list[Vector]] = {
    "teltonika": _TELTONIKA,
    "gt06": _GT06,
}
