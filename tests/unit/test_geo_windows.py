from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tasks_app.geo.windows import InvalidWindows, is_open, validate_windows

NEW_YORK = ZoneInfo("America/New_York")
EVERY_DAY = [0, 1, 2, 3, 4, 5, 6]


def window(begin, end, days=EVERY_DAY):
    return [{"days": days, "from": begin, "to": end}]


def at(text, zone=NEW_YORK):
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def test_no_windows_mean_always():
    assert is_open([], at("2026-11-20T03:00"), NEW_YORK)


@pytest.mark.parametrize(
    ("windows", "timestamp", "expected"),
    [
        # 2026-11-20 is a Friday.
        (window("08:00", "18:00"), "2026-11-20T07:59:59", False),
        (window("08:00", "18:00"), "2026-11-20T08:00", True),
        (window("08:00", "18:00"), "2026-11-20T17:59:59", True),
        (window("08:00", "18:00"), "2026-11-20T18:00", False),
        (window("08:00", "18:00", [5, 6]), "2026-11-20T12:00", False),
        (window("08:00", "18:00", [5, 6]), "2026-11-21T12:00", True),
        # over midnight: the night of Friday reaches into Saturday, that of Sunday into Monday
        (window("22:00", "06:00", [4]), "2026-11-20T23:00", True),
        (window("22:00", "06:00", [4]), "2026-11-21T05:59", True),
        (window("22:00", "06:00", [4]), "2026-11-21T06:00", False),
        (window("22:00", "06:00", [4]), "2026-11-20T05:59", False),
        (window("22:00", "06:00", [6]), "2026-11-23T01:00", True),
        # a whole day, written in both ways
        (window("00:00", "00:00", [4]), "2026-11-20T23:59", True),
        (window("00:00", "24:00", [4]), "2026-11-20T23:59", True),
        (window("00:00", "24:00", [4]), "2026-11-21T00:00", False),
        (window("12:00", "12:00", [4]), "2026-11-21T11:59", True),
        # several windows
        (window("08:00", "09:00") + window("17:00", "18:00"), "2026-11-20T17:30", True),
    ],
)
def test_windows_are_those_of_the_clock_on_the_wall(windows, timestamp, expected):
    assert is_open(windows, at(timestamp), NEW_YORK) is expected


@pytest.mark.parametrize(
    ("windows", "at_utc", "expected"),
    [
        # 2026-03-08: from 01:59:59 the clocks go to 03:00. A window in the missing hour does not happen ...
        (window("02:15", "02:45"), "2026-03-08T06:59:59", False),
        (window("02:15", "02:45"), "2026-03-08T07:00", False),
        # ... and one around it is an hour shorter.
        (window("01:30", "03:30"), "2026-03-08T06:30", True),
        (window("01:30", "03:30"), "2026-03-08T07:29", True),
        (window("01:30", "03:30"), "2026-03-08T07:30", False),
        # 2026-11-01: from 01:59:59 the clocks go back to 01:00. The hour counts both times.
        (window("01:15", "01:45"), "2026-11-01T05:30", True),
        (window("01:15", "01:45"), "2026-11-01T06:00", False),
        (window("01:15", "01:45"), "2026-11-01T06:30", True),
        # The same UTC hour is another local one in winter and in summer.
        (window("08:00", "09:00"), "2026-07-01T12:30", True),
        (window("08:00", "09:00"), "2026-12-01T12:30", False),
        (window("08:00", "09:00"), "2026-12-01T13:30", True),
    ],
)
def test_windows_follow_the_change_of_clocks(windows, at_utc, expected):
    assert is_open(windows, at(at_utc, UTC), NEW_YORK) is expected


@pytest.mark.parametrize(
    "windows", [[], window("22:00", "06:00"), window("00:00", "24:00", [0]), window("10:00", "09:59")]
)
def test_it_accepts_windows(windows):
    validate_windows(windows)


@pytest.mark.parametrize(
    "windows",
    [
        None,
        {},
        "always",
        [1],
        [{}],
        [{"days": [0], "from": "08:00"}],
        [{"days": [0], "from": "08:00", "to": "09:00", "zone": "UTC"}],
        window("08:00", "09:00", []),
        window("08:00", "09:00", [7]),
        window("08:00", "09:00", [-1]),
        window("08:00", "09:00", [True]),
        window("08:00", "09:00", [0.0]),
        window("08:00", "09:00", [0, 0]),
        window("08:00", "09:00", [[0]]),
        window("08:00", "09:00", "Monday"),
        window("8:00", "09:00"),
        window("08:60", "09:00"),
        window("24:00", "09:00"),
        window("08:00", "24:01"),
        window("08:00\n", "09:00"),
        window("٠٨:٠٠", "09:00"),
        window(480, "09:00"),
        window("08:00", "09:00") * 51,
    ],
)
def test_it_refuses_what_is_no_list_of_windows(windows):
    with pytest.raises(InvalidWindows):
        validate_windows(windows)
