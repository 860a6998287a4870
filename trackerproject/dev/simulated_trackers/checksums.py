"""The checksums of tracker protocols, bit by bit from their definitions."""

from __future__ import annotations

from functools import reduce


def crc16_arc(data: bytes) -> int:
    """CRC-16/ARC: polynomial 8005 reflected, begun with 0."""
    return _reflected(data, 0xA001, 0)


def crc16_x25(data: bytes) -> int:
    """CRC-16/X-25: polynomial 1021 reflected, begun with FFFF and inverted at the end."""
    return _reflected(data, 0x8408, 0xFFFF) ^ 0xFFFF


def exclusive_or(data: bytes) -> int:
    """All bytes by exclusive or."""
    return reduce(lambda total, byte: total ^ byte, data, 0)


def _reflected(data: bytes, polynomial: int, remainder: int) -> int:
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = (remainder >> 1) ^ (polynomial if remainder & 1 else 0)
    return remainder
