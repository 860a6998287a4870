import struct
from datetime import UTC, datetime, timedelta

import numpy as np

from tasks_app.ingest.fix import Fix
from tasks_app.services.positions.columns import to_columns
from tasks_app.services.positions.rows import copy_rows

START = datetime(2026, 1, 1, tzinfo=UTC)


def columns_of(*rows):
    """Rows are (primary key, seconds, fields of the fix)."""
    fixes = [Fix("d", START + timedelta(seconds=s), **{"latitude": 1.0, "longitude": 2.0, **f}) for _, s, f in rows]
    return to_columns(fixes, [pk for pk, _, _ in rows], [START] * len(rows))


def test_rows_are_sorted_by_device_and_time_and_the_first_of_equal_ones_stays():
    columns = columns_of((9, 5, {}), (4, 2, {"latitude": 3.0}), (9, 1, {}), (4, 2, {"latitude": 7.0}))
    assert columns.device_pks.tolist() == [4, 9]
    assert columns.device.tolist() == [0, 1, 1]
    assert columns.starts.tolist() == [0, 1]
    assert (columns.times_seconds - START.timestamp()).tolist() == [2, 1, 5]
    assert columns.latitudes.tolist() == [3, 1, 1]


def test_what_was_not_sent_is_nan_and_ignition_only_what_is_a_boolean():
    columns = columns_of(
        (1, 0, {"attributes": {"ignition": True}}), (1, 1, {"attributes": {"ignition": 1}, "speed_kph": 5})
    )
    assert np.isnan(columns.speeds).tolist() == [True, False]
    assert columns.ignition.tolist() == [1, -1]


def test_microseconds_survive():
    columns = columns_of((1, 0.000001, {}), (1, 0.999999, {}))
    assert (columns.times_us - round(START.timestamp() * 1e6)).tolist() == [1, 999_999]


def test_copy_rows_writes_postgresqls_binary_format():
    raw = copy_rows(columns_of((7, 1, {"attributes": {"a": 1}})))
    assert raw.startswith(b"PGCOPY\n\xff\r\n\x00")
    assert struct.unpack_from(">hiq", raw, 19) == (10, 8, 7)
    since_2000 = (START + timedelta(seconds=1) - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert struct.unpack_from(">iq", raw, 33) == (8, since_2000)
    assert raw.endswith(b'\x00\x00\x00\x08\x01{"a":1}\xff\xff')
