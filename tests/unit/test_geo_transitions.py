import numpy as np
import pytest

from tasks_app.geo.transitions import fleet_transitions, transitions

NAN = float("nan")


@pytest.mark.parametrize(
    ("inside", "accuracy", "previous", "expected"),
    [
        ([], None, None, []),
        ([0, 0], None, None, []),
        ([1, 1], None, None, [(0, "enter")]),
        ([1, 1], None, True, []),
        ([0, 0], None, True, [(0, "exit")]),
        ([0, 1, 1, 0], None, False, [(1, "enter"), (3, "exit")]),
        ([0, 1, 0], [5, 101, 5], False, []),  # the only fix inside cannot be trusted
        ([0, 1, 0], [5, 100, 5], False, [(1, "enter"), (2, "exit")]),
        ([0, 1, 1], [5, 500, 5], False, [(2, "enter")]),
        ([1, 0, 1], [5, 500, 5], True, []),
        ([1, 1], [500, 500], None, []),
        ([0, 1], [NAN, NAN], False, [(1, "enter")]),
    ],
)
def test_it_tells_enters_and_exits(inside, accuracy, previous, expected):
    assert transitions(inside, accuracy, previous) == expected


def test_it_stays_where_it_was_near_the_border_when_a_tolerance_is_set():
    inside, distance = [1, 0, 1, 0, 0], [50, 3, 3, 3, 30]
    found_transitions = transitions(inside, None, True, boundary_distance_meters=distance, tolerance_meters=10)
    assert found_transitions == [(4, "exit")]


def test_it_handles_a_fleet_as_it_would_each_device_alone():
    random = np.random.default_rng(11)
    starts = np.array([0, 1, 40, 41, 100])
    inside = random.random((160, 7)) < 0.5
    accuracy = random.choice([5.0, 300.0, NAN], 160)
    previous = random.random((5, 7)) < 0.5
    found = fleet_transitions(inside, starts, previous, accuracy)
    found_transitions = set(
        zip(found.settled_rows.tolist(), found.columns.tolist(), found.entered.tolist(), strict=True)
    )
    expected = set()
    for device, (start, end) in enumerate(zip(starts, [1, 40, 41, 100, 160], strict=True)):
        for column in range(7):
            member = previous[device, column]
            for row in range(start, end):
                if not accuracy[row] > 100 and inside[row, column] != member:
                    member = inside[row, column]
                    expected.add((row, column, bool(member)))
            assert found.members[device, column] == member
    assert found_transitions == expected
    assert len(found.settled_rows) == len(found_transitions)


def test_it_tells_exits_before_enters_of_the_same_fix():
    inside = np.array([[True, False, False], [False, True, True]])
    found = fleet_transitions(inside, np.array([0]), np.array([[True, False, False]]))
    assert found.columns.tolist() == [0, 1, 2]
    assert found.entered.tolist() == [False, True, True]
