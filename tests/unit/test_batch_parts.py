"""Parts of a batch by lane, and their results summed up."""

from __future__ import annotations

import pytest

from tasks_app.queries.position_lanes import lane_of, places_by_lane
from tasks_app.services.intake import device_of, lane_key_of_batch, split_batch
from tasks_app.services.positions import combine_results

NAMES = [f"van-{number}" for number in range(40)]


def item(device_id):
    return {"device_id": device_id}


def test_each_place_is_in_one_part_and_those_of_a_lane_stay_in_order():
    names = [NAMES[number * 7 % 40] for number in range(200)]
    parts = places_by_lane(names)
    assert sorted(place for places in parts for place in places) == list(range(200))
    for places in parts:
        assert places == sorted(places)
        assert len({lane_of(names[place]) for place in places}) == 1
    assert len({lane_of(names[places[0]]) for places in parts}) == len(parts)


def test_positions_that_name_no_device_go_with_any_others_and_alone_where_there_are_none():
    with_others = places_by_lane([None, "van-1", None])
    assert with_others == [[0, 1, 2]]
    assert places_by_lane([None, None]) == [[0, 1]]
    assert places_by_lane([]) == []


def test_a_batch_of_one_device_stays_whole():
    items = [item("van-1"), item("van-1")]
    assert split_batch(items) == [([0, 1], (items,))]
    assert lane_key_of_batch(items) == "van-1"


@pytest.mark.parametrize("odd", [None, 7, [], {}, {"device_id": 7}, item(""), item("x" * 201), item(None)])
def test_what_names_no_device_has_no_lane_of_its_own(odd):
    assert device_of(odd) is None
    assert lane_key_of_batch([odd]) is None
    assert split_batch([odd]) == [([0], ([odd],))]


def result(**changes):
    counts = {"received": 2, "stored": 1, "duplicates": 0, "without_place": 0, "rejected_count": 0, "events": 1}
    return {**counts, "filtered": {}, "unknown_quantities": {}, "rejected": [], **changes}


def test_the_result_of_a_batch_is_the_sum_of_those_of_its_parts():
    first = result(filtered={"static": 1}, rejected_count=1, rejected=[{"index": 1, "code": "a", "detail": "A"}])
    second = result(
        filtered={"static": 2, "speed": 1},
        unknown_quantities={"speed": 3},
        rejected_count=1,
        rejected=[{"index": 0, "code": "b", "detail": "B"}],
    )
    assert combine_results([([0, 9], first), ([4, 5], second)]) == {
        "received": 4,
        "stored": 2,
        "duplicates": 0,
        "without_place": 0,
        "rejected_count": 2,
        "events": 2,
        "filtered": {"static": 3, "speed": 1},
        "unknown_quantities": {"speed": 3},
        "rejected": [{"index": 4, "code": "b", "detail": "B"}, {"index": 9, "code": "a", "detail": "A"}],
    }


def test_no_more_than_500_rejected_positions_are_listed():
    rejected = [{"index": number, "code": "a", "detail": "A"} for number in range(400)]
    part = result(rejected_count=400, rejected=rejected)
    combined = combine_results([(range(0, 800, 2), part), (range(1, 801, 2), part)])
    assert (combined["rejected_count"], len(combined["rejected"])) == (800, 500)
    assert [one["index"] for one in combined["rejected"]] == list(range(500))
