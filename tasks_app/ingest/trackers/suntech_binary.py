"""Binary ("zip") reports of Suntech's universal protocol: the fields of its text, packed, most significant byte first.

One byte for the kind, two for the length of what follows, ten digits of the device's number, three bytes for the mask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tasks_app.ingest.trackers.base import BadFrame

# Date, time, latitude, longitude, and whether there is a fix.
_PLACE_BITS = (4, 5, 11, 12, 16)
KINDS = {0x81: "STT", 0x82: "ALT"}
HEAD_BYTES = 11


def read_binary(frame: bytes) -> tuple[str, str, int, dict[int, str]]:
    """The kind of a report, the device's number, the mask, and its fields as the text has them, by their bits in the mask."""
    if len(frame) < HEAD_BYTES or len(frame) != 3 + int.from_bytes(frame[1:3], "big"):
        raise BadFrame("wrong_length", "The binary report is not as long as it says.")
    kind, device_id, mask = KINDS.get(frame[0], ""), frame[3:8].hex(), int.from_bytes(frame[8:HEAD_BYTES], "big")
    if not kind or not device_id.isdigit():
        raise BadFrame("missing_device_id", "A binary report begins with 81 or 82 and the device's number.")
    values: dict[int, str] = {}
    place = HEAD_BYTES
    for bit, (size_bytes, as_text) in _FIELDS.items():
        if mask >> bit & 1:
            if place + size_bytes > len(frame):
                break
            values[bit] = as_text(frame[place : place + size_bytes])
            place += size_bytes
    return kind, device_id, mask, values


def check_place(mask: int, values: Mapping[int, str]) -> None:
    """Raise BadFrame where a report, as text or binary, ends before the place that its mask announces does."""
    if any(mask >> bit & 1 and bit not in values for bit in _PLACE_BITS):
        raise BadFrame("too_short", "The report ends before its place does.")


def _number(data: bytes) -> str:
    return str(int.from_bytes(data, "big"))


def _bits(data: bytes) -> str:
    return f"{data[0]:08b}"


def _degrees(data: bytes) -> str:
    """Millionths of a degree, with a sign of their own in the first bit."""
    value = int.from_bytes(data, "big")
    return f"{(value & 0x7FFF_FFFF) / 1e6:.6f}" if value < 1 << 31 else f"-{(value & 0x7FFF_FFFF) / 1e6:.6f}"


def _hundredths(data: bytes) -> str:
    return f"{int.from_bytes(data, 'big') / 100:.2f}"


# Size and text of each field of a binary report, by its bit.
_FIELDS: dict[int, tuple[int, Callable[[bytes], str]]] = {
    1: (1, _number),
    2: (3, lambda data: ".".join(map(str, data))),
    3: (1, _number),
    4: (3, lambda data: f"20{data[0]:02d}{data[1]:02d}{data[2]:02d}"),
    5: (3, lambda data: f"{data[0]:02d}:{data[1]:02d}:{data[2]:02d}"),
    **{bit: (size, _number) for bit, size in ((6, 4), (7, 2), (8, 2), (9, 2), (10, 1))},
    **{11: (4, _degrees), 12: (4, _degrees), 13: (2, _hundredths), 14: (2, _hundredths)},
    **{15: (1, _number), 16: (1, _number), 17: (1, _bits), 18: (1, _bits)},
    **{19: (1, _number), 20: (2, _number), 21: (8, bytes.hex)},
}
