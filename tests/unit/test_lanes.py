"""Lanes: from keys to numbers, and the shares of workers."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.engine import InvalidArguments
from tasks_app.engine.enqueueing import JobOptions
from tasks_app.engine.lanes import lane_key, lane_number
from tasks_app.engine.lanes.sharing import fair_share, lanes_to_leave, lanes_to_take


def test_a_key_has_the_same_lane_on_every_host_and_in_every_version():
    assert [lane_number(key, 16) for key in ("van-1", "van-2", "ônibus", "\ud800")] == [11, 1, 5, 8]


def test_keys_spread_over_the_lanes():
    counts = [0] * 16
    for number in range(1600):
        counts[lane_number(f"device {number}", 16)] += 1
    assert min(counts) > 50


@pytest.mark.parametrize("key", ["", "x" * 201, 5, b"van", True, ["van"]])
def test_an_improper_key_is_refused_with_a_sentence(key):
    with pytest.raises(InvalidArguments, match="lane key of task 'store'"):
        lane_key("store", lambda: key, (), {})


def test_a_key_that_the_arguments_do_not_have_is_refused():
    with pytest.raises(InvalidArguments, match="finds no lane key"):
        lane_key("store", lambda fix: fix["device"], ({},), {})


def test_a_call_without_a_key_is_in_no_lane():
    assert lane_key("store", lambda fix: None, ({},), {}) == ""


def test_a_priority_is_refused_in_a_lane():
    with pytest.raises(InvalidArguments, match="which a priority would break"):
        JobOptions(priority="high", lane_keys=["van"])
    JobOptions(priority="high", lane_keys=[""])


workers = st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=70, unique=True)


@given(workers, st.integers(1, 256))
def test_the_shares_of_all_workers_are_the_lanes_and_differ_by_one_at_most(names, lanes):
    shares = [fair_share(name, names, lanes) for name in names]
    assert sum(shares) == lanes
    assert max(shares) - min(shares) <= 1


def test_a_worker_counts_itself_before_the_others_see_it():
    assert fair_share("b", ["a"], 16) == 8


@given(st.lists(workers, min_size=1, max_size=4), st.integers(1, 40))
def test_after_each_coming_and_going_two_looks_of_each_worker_share_the_lanes_evenly(changes, lanes):
    held: dict[str, set[int]] = {}
    for names in changes:
        held = {name: held.get(name, set()) for name in names}
        for _, name in itertools.product(range(2), names):
            share = fair_share(name, names, lanes)
            held[name] -= set(lanes_to_leave(held[name], share))
            free = set(range(lanes)) - set().union(*held.values())
            held[name] |= set(lanes_to_take(free, len(held[name]), share))
        assert sorted(itertools.chain(*held.values())) == list(range(lanes))
        assert {name: len(numbers) for name, numbers in held.items()} == {
            name: fair_share(name, names, lanes) for name in names
        }
