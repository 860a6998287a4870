from datetime import UTC, datetime

import numpy as np
import pytest

from tasks_app.geo.overspeed import OverspeedEnd, OverspeedStart, OverspeedState, overspeed_episodes

NAN = float("nan")
BASE_SECONDS = 1_700_000_000.0


def run(speeds, limits=60.0, state=None, step_seconds=10, first_seconds=0, **options):
    times = BASE_SECONDS + first_seconds + step_seconds * np.arange(len(speeds))
    result = overspeed_episodes(times, speeds, limits, state, **options)
    return [short(event) for event in result.events], result.state


def short(event):
    if isinstance(event, OverspeedStart):
        return ("start", event.index, event.speed_kph)
    assert isinstance(event, OverspeedEnd)
    return ("end", event.index, event.peak_kph, event.duration_seconds)


@pytest.mark.parametrize(
    ("speeds", "limits", "expected"),
    [
        ([], 60, []),
        ([50, 60, 65], 60, []),  # 65 is within the tolerance
        ([50, 66, 80, 70, 60], 60, [("start", 1, 66), ("end", 4, 80, 30)]),
        ([66, 63, 61, 66, 60], 60, [("start", 0, 66), ("end", 4, 66, 40)]),  # one episode: never at the limit
        ([66, 60, 66, 60], 60, [("start", 0, 66), ("end", 1, 66, 10), ("start", 2, 66), ("end", 3, 66, 10)]),
        ([66, NAN, 90, 10], 60, [("start", 0, 66), ("end", 3, 90, 30)]),
        ([90, 90], NAN, []),
        ([90, 90, 90], [60, 60, NAN], [("start", 0, 90), ("end", 2, 90, 20)]),
        ([90, 80, 80], [60, 60, 90], [("start", 0, 90), ("end", 2, 90, 20)]),
    ],
)
def test_it_makes_episodes(speeds, limits, expected):
    events, state = run(speeds, limits)
    assert events == expected
    assert state is None


def test_it_carries_an_episode_over_to_the_next_batch():
    events, state = run([50, 70, 90])
    assert events == [("start", 1, 70)]
    assert state == OverspeedState(60, datetime.fromtimestamp(BASE_SECONDS + 10, tz=UTC), 90, announced=True)
    events, state = run([80, 95, 40], state=state, first_seconds=30)
    assert events == [("end", 2, 95, 40)]
    assert state is None


def test_it_ends_a_carried_episode_at_the_first_fix_and_can_start_another():
    _, state = run([90])
    events, state = run([30, 90], state=state, first_seconds=10)
    assert events == [("end", 0, 90, 10), ("start", 1, 90)]
    assert state is not None


def test_it_changes_nothing_for_an_empty_batch():
    _, state = run([90])
    assert run([], state=state) == ([], state)


def test_it_tells_an_episode_only_after_its_minimum_duration():
    # limit 40 held 15 s, as in the known vector: 50 at 0 s and 10 s nothing, at 20 s the event, at 30 s nothing more
    events, state = run([50, 55, 50, 50, 30], 40, tolerance_kph=0, min_duration_seconds=15)
    assert events == [("start", 2, 50), ("end", 4, 55, 40)]
    assert state is None
    assert run([50, 55, 30], 40, tolerance_kph=0, min_duration_seconds=25) == ([], None)


def test_it_reaches_the_minimum_duration_across_batches():
    events, state = run([50, 50], 40, tolerance_kph=0, min_duration_seconds=15)
    assert events == []
    assert state.announced is False
    result = overspeed_episodes([BASE_SECONDS + 20], [52.0], [40.0], state, min_duration_seconds=15)
    assert [short(event) for event in result.events] == [("start", 0, 52)]
    assert result.events[0].started_at == datetime.fromtimestamp(BASE_SECONDS, tz=UTC)
    assert result.state.announced is True


def test_it_gives_the_same_events_however_the_day_is_cut_into_batches():
    random = np.random.default_rng(3)
    speeds = np.abs(np.cumsum(random.normal(0, 6, 400)) + 50)
    times = BASE_SECONDS + np.arange(400) * 10.0
    whole = [short(event) for event in overspeed_episodes(times, speeds, 60.0).events]
    pieces, state = [], None
    for start in range(0, 400, 7):
        part = slice(start, start + 7)
        result = overspeed_episodes(times[part], speeds[part], 60.0, state)
        state = result.state
        for kind, index, *rest in map(short, result.events):
            pieces.append((kind, index + start, *rest))
    assert pieces == whole
    assert len(whole) > 4
