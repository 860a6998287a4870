"""Checksums of trackers' frames.

By fastcrc: a loop over a table takes 2.5 µs for a frame of 40 bytes and 68 µs for the longest of Teltonika, fastcrc 0.1 µs.
Python's own `binascii.crc_hqx` is none of the reflected ones that trackers use.
"""

from __future__ import annotations

from fastcrc import crc16

# CRC-16/ARC, which Teltonika calls CRC-16/IBM: polynomial 0xA001 reflected, begins with 0.
crc16_arc = crc16.arc
# CRC-16/X-25 of GT06: polynomial 0x8408 reflected, begins with FFFF, inverted at the end.
crc16_x25 = crc16.ibm_sdlc


def xor(data: bytes) -> int:
    """All bytes XORed, by halves of one integer: a step for each doubling of the length, not for each byte."""
    value, size_bits = int.from_bytes(data, "big"), 8 * len(data)
    while size_bits > 8:
        half_bits = (size_bits // 2 + 7) // 8 * 8
        value = (value >> half_bits) ^ (value & ((1 << half_bits) - 1))
        size_bits = half_bits
    return value
