"""Graphs of speeds: the whole range, its peak, and no line across a silence."""

from __future__ import annotations

import numpy as np
import pytest

from tasks_app.web.graphs import HEIGHT, WIDTH, graph_over_time, round_ceiling


def drawn(times, values, **options):
    graph = graph_over_time(
        np.array(times, dtype=float), np.array(values, dtype=float), start=0, end=720, max_gap_seconds=60, **options
    )
    assert graph is not None
    return graph


def test_it_names_the_highest_value_wherever_it_is():
    speeds = [6.7] * 700 + [77.2] + [6.7] * 19
    graph = drawn(range(720), speeds)
    assert (graph.most, graph.ceiling) == (77.2, 80.0)
    assert f"700.5,{HEIGHT - 77.2 / 80 * HEIGHT:.1f}" in graph.band


def test_values_far_apart_are_not_joined():
    assert drawn([0, 50, 300, 310], [10, 20, 30, 40]).band.count("M") == 2
    assert drawn([0, 50, 100, 110], [10, 20, 30, 40]).band.count("M") == 1


def test_a_limit_above_all_values_is_within_the_scale():
    graph = drawn([0, 50], [10, 20], limit=90.0)
    assert (graph.ceiling, graph.limit_y) == (100.0, f"{HEIGHT * 0.1:.1f}")


def test_marked_stretches_are_cut_at_the_ends_of_the_range():
    [span] = drawn([0, 50], [10, 20], spans=[(-100.0, 360.0, "Overspeed")]).spans
    assert (span.x, span.width, span.title) == ("0.0", f"{WIDTH / 2:.1f}", "Overspeed")


def test_without_a_value_there_is_no_graph():
    none = np.array([])
    assert graph_over_time(none, none, start=0, end=10, max_gap_seconds=1) is None
    assert graph_over_time(np.array([1.0]), np.array([np.nan]), start=0, end=10, max_gap_seconds=1) is None


@pytest.mark.parametrize(("most", "ceiling"), [(0, 1), (77.2, 80), (80, 80), (80.1, 100), (0.3, 0.3), (1234, 1500)])
def test_the_scale_ends_at_a_round_number(most, ceiling):
    assert round_ceiling(most) == pytest.approx(ceiling)
