"""Checksums of trackers' frames: the check values of the catalogue of CRCs, and XOR against the plain loop."""

from __future__ import annotations

from functools import reduce
from operator import xor as xor_of_two

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.ingest.trackers.checksums import crc16_arc, crc16_x25, xor


@pytest.mark.parametrize(
    ("checksum", "data", "expected"),
    [
        (crc16_arc, b"123456789", 0xBB3D),
        (crc16_x25, b"123456789", 0x906E),
        (crc16_arc, b"", 0x0000),
        (crc16_x25, b"", 0x0000),
        (crc16_arc, bytes.fromhex("0C010500000007676574696E666F01"), 0x4312),  # Teltonika's example of a command
        (crc16_x25, bytes.fromhex("05010009"), 0x5594),  # GT06's answer to a login
    ],
)
def test_it_has_the_check_value(checksum, data, expected):
    assert checksum(data) == expected


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100))
def test_xor_is_that_of_all_bytes(data):
    assert xor(data) == reduce(xor_of_two, data, 0)
