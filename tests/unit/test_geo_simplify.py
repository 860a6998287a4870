"""Fewer points of a track: which are kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.geo.simplify import simplified

# latitudes, longitudes, wanted, kept
TABLE = {
    "no point": ([], [], 5, []),
    "one point": ([1], [1], 5, [0]),
    "few enough": ([1, 2, 3], [1, 1, 1], 3, [0, 1, 2]),
    "straight line": ([0, 1, 2, 3, 4], [0, 0, 0, 0, 0], 3, [0, 4]),
    "standing": ([5] * 9, [5] * 9, 4, [0, 8]),
    "one corner": ([0, 0, 0, 1, 2], [0, 1, 2, 2, 2], 3, [0, 2, 4]),
    "the farther corner first": ([0, 0.1, 0, 3, 0], [0, 1, 2, 3, 4], 3, [0, 3, 4]),
    "there and back": ([0, 1, 2, 1, 0], [0, 0, 0, 0, 0], 3, [0, 2, 4]),
    "beyond the end": ([0, 1, 3, 2], [0, 0, 0, 0], 3, [0, 2, 3]),
    "two only": ([0, 5, 0], [0, 0, 0], 2, [0, 2]),
    "over the antimeridian": ([0, 0, 0, 0, 1], [178, 179, -180, -179, -178], 3, [0, 3, 4]),
}


@pytest.mark.parametrize("name", TABLE)
def test_it_keeps_the_points_that_matter(name):
    latitudes, longitudes, wanted, kept = TABLE[name]
    assert simplified(latitudes, longitudes, wanted).tolist() == kept


def test_it_needs_two_points():
    with pytest.raises(ValueError, match="2 points"):
        simplified([1, 2, 3], [1, 2, 3], 1)


def test_it_keeps_the_extremes_of_a_track():
    angle = np.linspace(0.3, 0.3 + 2 * np.pi, 1000)
    latitudes, longitudes = np.sin(angle), np.cos(angle)
    kept = simplified(latitudes, longitudes, 6)
    for place in (latitudes.argmin(), latitudes.argmax(), longitudes.argmin(), longitudes.argmax(), 0, 999):
        assert place in kept


@given(st.integers(2, 40), st.integers(0, 3000), st.integers(0, 2**31))
def test_it_keeps_first_and_last_in_order_and_no_more_than_wanted(wanted, count, seed):
    walk = np.random.default_rng(seed).normal(0, 1e-4, (2, count)).cumsum(axis=1)
    kept = simplified(walk[0], walk[1], wanted)
    assert len(kept) == min(count, wanted)
    assert (np.diff(kept) > 0).all()
    if count:
        assert (kept[0], kept[-1]) == (0, count - 1)


def test_more_points_are_never_a_worse_picture():
    walk = np.random.default_rng(7).normal(0, 1e-4, (2, 5000)).cumsum(axis=1)

    def worst(wanted):
        kept = simplified(walk[0], walk[1], wanted)
        times = np.arange(5000)
        return max(np.abs(np.interp(times, kept, axis[kept]) - axis).max() for axis in walk)

    assert worst(800) < worst(200) < worst(50)


def test_a_million_points_are_thinned_first_and_keep_their_extremes():
    walk = np.random.default_rng(7).normal(0, 1e-5, (2, 1_000_000)).cumsum(axis=1)
    kept = simplified(walk[0], walk[1], 500)
    assert len(kept) == 500
    for place in (0, 999_999, walk[0].argmin(), walk[0].argmax(), walk[1].argmin(), walk[1].argmax()):
        assert place in kept
