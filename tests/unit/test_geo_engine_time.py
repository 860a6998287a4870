"""Idle is standing with the engine on: never more than the time of the engine, nor than that of standing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.geo.engine_time import HOLDS_SECONDS
from tasks_app.geo.figures import Columns, figures_of_parts, total
from tasks_app.geo.motion_rules import motion_rules
from tasks_app.geo.steps import read_steps
from tests.support.drawn_tracks import KINDS, drawn_tracks
from tests.support.figures import whole_figures

NAN = float("nan")


def parts_of(track, ignition, kind, edges):
    columns = Columns(*track, np.asarray(ignition, dtype=float))
    return figures_of_parts(columns, read_steps(*track, rules=motion_rules(kind)), edges)


@settings(max_examples=200)
@given(drawn_tracks(), KINDS, st.randoms(use_true_random=False), st.lists(st.floats(0.0, 1.0), max_size=4))
def test_idle_is_a_part_of_standing_and_of_the_engines_time(track, kind, random, cuts):
    times = track[0]
    ignition = [random.choice([0.0, 1.0, 1.0, NAN]) for _ in times]
    edges = [times[0], *sorted(times[0] + cut * (times[-1] - times[0]) for cut in cuts), times[-1] + 1.0]
    parts = parts_of(track, ignition, kind, edges)
    for part in [*parts, total(parts)]:
        assert part.idle_seconds <= part.engine_seconds + 1e-6
        assert part.idle_seconds <= part.stopped_seconds + 1e-6
        assert part.engine_seconds <= part.idle_seconds + part.moving_seconds + 1e-6
    whole = whole_figures(*track, ignition=ignition, rules=motion_rules(kind))
    assert total(parts).idle_seconds == pytest.approx(whole.idle_seconds, abs=1e-3)


def parked(ignition, every=60.0):
    count = len(ignition)
    track = (np.arange(count) * every, np.zeros(count), np.zeros(count), np.zeros(count))
    (figures,) = parts_of(track, ignition, "car", [0.0, count * every])
    return figures.idle_seconds, figures.engine_seconds


@pytest.mark.parametrize(
    ("ignition", "seconds"),
    [
        ([1, 1, 0, 0], 120),
        ([0, 0, 1, 0], 60),
        # Said as it changes only.
        ([1, NAN, NAN, 0, NAN], 180),
        ([NAN, NAN, 1, NAN], 60),
        ([0, NAN, NAN], 0),
        ([NAN, NAN], 0),
    ],
)
def test_the_engine_runs_from_one_word_to_the_next(ignition, seconds):
    assert parked(ignition) == (seconds, seconds)


def test_an_old_word_is_not_believed_for_ever():
    assert parked([1.0, *[NAN] * 100], every=900.0) == (HOLDS_SECONDS + 900.0,) * 2


def test_a_silence_proves_no_engine():
    assert parked([1.0, 1.0], every=1801.0) == (0, 0)
    assert parked([1.0, 1.0], every=1800.0) == (1800, 1800)
