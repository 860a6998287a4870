"""Searches of live jobs that are decided without opening their messages."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.engine.job_hash import JobHash
from tasks_app.engine.payload import Payload, seal
from tasks_app.queries.access import SHELL
from tasks_app.queries.job_conditions import JobSearch
from tasks_app.queries.job_search import read_search
from tasks_app.queries.job_views import live_view
from tasks_app.utils.search_language import InvalidSearch, Term, written

JOB_ID = "0192f0c1-2222-7aaa-8bbb-0123456789ab"
CALL = [[[{"device_id": "VAN-3", "latitude": -23.5, "password": "opensesame"}]], {"note": 'Rua "7", São João'}]


def live_job(call=None, task="process_position_batch") -> JobHash:
    """A queued job as Redis would hold it."""
    call_json = json.dumps(call or CALL, ensure_ascii=False, separators=(",", ":"))
    payload = Payload(task=task, call=([], {}), created_ms=1_760_000_000_000)
    message = seal("positions", JOB_ID, payload, call_json)
    fields = {b"st": b"queued", b"p": message, b"t": task.encode(), b"enq": b"1760000000000"}
    job = JobHash.from_redis("positions", JOB_ID, fields)
    assert job is not None
    return job


def outcome(search: JobSearch, job: JobHash) -> tuple[bool | None, bool]:
    """The verdict without the message, and whether the job matches."""
    bare, whole = live_view(job, reads_message=False), live_view(job)
    assert bare
    assert whole
    return search.verdict(job, bare), search.matches(whole)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nothing-has-this-word", (False, False)),
        ("-nothing-has-this-word", (True, True)),
        ("van-3", (None, True)),
        ("-van-3", (None, False)),
        ("opensesame", (None, False)),
        ("hidden", (None, True)),
        ("joão", (None, True)),
        ("joao", (False, False)),
        ("23.5", (None, True)),
        ("0192f0c1", (None, True)),
        ("args.days_to_keep:30", (False, False)),
        ("-args.days_to_keep:30", (True, True)),
        ("args.position_data_list:7", (None, False)),
        ("queue:positions", (True, True)),
        ("longer:5s", (False, False)),
    ],
)
def test_a_message_is_opened_only_where_a_term_may_hold(text, expected):
    assert outcome(read_search(text, SHELL), live_job()) == expected


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(values, st.data())
def test_no_job_that_matches_is_passed_over(value, data):
    job = live_job([[value], {}])
    view = live_view(job)
    assert view
    shown = json.dumps([view.args, view.kwargs], ensure_ascii=False)
    begin = data.draw(st.integers(0, len(shown) - 1))
    part = shown[begin : begin + data.draw(st.integers(1, 8))].replace('"', "").strip()
    try:
        search = read_search(written(Term(part)), SHELL)
    except InvalidSearch:  # A text with quotes of its own cannot be searched for.
        return
    verdict, is_match = outcome(search, job)
    assert verdict is None or verdict == is_match
