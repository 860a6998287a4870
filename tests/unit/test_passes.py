"""Which jobs of a batch are stored in one pass. A job is the spans of its devices: {device: (first, last)}."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.ingest.fix import Fix
from tasks_app.services.positions.columns import to_columns
from tasks_app.services.positions.passes import Standing, go_together, pass_end, spans_of

FIRST_AT = datetime(2026, 11, 20, tzinfo=UTC)
ONLINE, OFFLINE = Standing(known_us=100), Standing(known_us=100, is_offline=True)
COMPARED = Standing(known_us=100, compares=True)


def passes(spans, *standings, ending=()) -> list[int]:
    """Return how many jobs each pass has."""
    sizes, start = [], 0
    while start < len(spans):
        end = pass_end(spans, start, dict(enumerate(standings)), ending)
        sizes.append(end - start)
        start = end
    return sizes


@pytest.mark.parametrize(
    ("spans", "standing", "sizes"),
    [
        ([{0: (101, 110)}, {0: (111, 120)}, {0: (121, 121)}], ONLINE, [3]),
        ([{0: (101, 110)}, {0: (110, 120)}], ONLINE, [1, 1]),  # one comes again
        ([{0: (101, 110)}, {0: (105, 106)}, {0: (111, 111)}], ONLINE, [1, 2]),  # a late one
        ([{0: (10, 20)}, {0: (30, 40)}, {0: (101, 102)}], ONLINE, [3]),  # history in its order
        ([{0: (10, 20)}, {0: (30, 40)}, {0: (101, 102)}], COMPARED, [1, 1, 1]),
        ([{0: (101, 102)}, {0: (90, 103)}, {0: (104, 104)}], COMPARED, [1, 1, 1]),
        ([{0: (101, 102)}, {0: (103, 103)}], COMPARED, [2]),
        ([{0: (101, 102)}, {0: (103, 103)}, {0: (104, 104)}], OFFLINE, [1, 1, 1]),
        ([{}, {0: (101, 102)}, {}], ONLINE, [3]),
        ([], ONLINE, []),
    ],
)
def test_jobs_of_one_device_go_together_while_they_come_in_order(spans, standing, sizes):
    assert passes(spans, standing) == sizes


def test_devices_do_not_hold_each_other_up():
    assert passes([{0: (101, 110)}, {1: (101, 110)}, {0: (111, 120), 1: (111, 112)}], ONLINE, ONLINE) == [3]
    assert passes([{0: (101, 110)}, {1: (101, 110)}, {0: (111, 120), 1: (110, 112)}], ONLINE, ONLINE) == [2, 1]
    # Each of them is back online once.
    assert passes([{0: (101, 101)}, {1: (101, 101)}, {0: (102, 102)}, {1: (102, 102)}], OFFLINE, OFFLINE) == [2, 2]


def test_a_job_of_which_more_is_recorded_ends_its_pass():
    spans = [{0: (101 + number, 101 + number)} for number in range(5)]
    assert passes(spans, ONLINE, ending={1, 2, 4}) == [2, 1, 2]


def test_spans_are_those_of_each_job_and_device():
    seconds, pks, jobs = (5, 1, 2, 9, 3), (8, 8, 4, 8, 4), (0, 0, 0, 2, 2)
    fixes = [Fix("any", FIRST_AT + timedelta(seconds=second), 1.0, 2.0) for second in seconds]
    columns = to_columns(fixes, pks, [FIRST_AT] * 5, jobs)
    found = [
        {device: tuple((us - columns.times_us.min()) / 1e6 + 1 for us in span) for device, span in one.items()}
        for one in spans_of(columns, 3)
    ]
    # Device 0 is that of the lower primary key.
    assert found == [{0: (2, 2), 1: (1, 5)}, {}, {0: (3, 3), 1: (9, 9)}]
    assert spans_of(to_columns([], [], [], []), 2) == [{}, {}]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 12)), max_size=12),
    st.tuples(*[st.builds(Standing, st.integers(-1, 5), st.booleans(), st.booleans())] * 3),
)
def test_jobs_that_go_together_are_those_of_which_one_pass_takes_all(sent, of_devices):
    sent.sort(key=lambda one: one[0])
    fixes = [Fix("any", FIRST_AT + timedelta(microseconds=us), 1.0, 2.0) for _, _, us in sent]
    columns = to_columns(fixes, [pk for _, pk, _ in sent], [FIRST_AT] * len(sent), [job for job, _, _ in sent])
    first_us = round(FIRST_AT.timestamp() * 1e6)
    standings = {
        number: Standing(first_us + of_devices[pk].known_us, of_devices[pk].compares, of_devices[pk].is_offline)
        for number, pk in enumerate(columns.device_pks.tolist())
    }
    spans = spans_of(columns, 4)
    assert go_together(columns, standings) == (pass_end(spans, 0, standings, ()) == 4)
