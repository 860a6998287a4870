"""Conversion of a task's values to forms that both servers can keep."""

from __future__ import annotations

import json
import logging
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
import numpy
import pytest
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.engine.arguments import encode_json
from tasks_app.engine.attempt import storable
from tasks_app.engine.context import CurrentJob, set_current_job
from tasks_app.engine.errors import InvalidArguments, JobTimeout, UnserialisableResult
from tasks_app.engine.failures import describe
from tasks_app.engine.nesting import MAX_DEPTH, is_too_deep
from tasks_app.engine.storable import class_name, storable_number, storable_text, storable_value
from tasks_app.engine.workers.joblog import JobLogHandler
from tests.support.probe.poison import ERRORS, NoRepr


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("ação 车", "ação 车"),
        ("caf\udce9", "caf\\udce9"),
        ("a\x00b", "a\\x00b"),
        (gettext_lazy("Yes"), "Yes"),
        (mark_safe("<b>"), "<b>"),
        (None, "None"),
        (NoRepr(), "<NoRepr: str() failed with RuntimeError>"),
        (KeyError("caf\udce9"), "'caf\\udce9'"),
    ],
)
def test_it_makes_text_of_anything(value, text):
    made = storable_text(value)
    assert (made, type(made)) == (text, str)


def test_it_cuts_long_texts():
    assert storable_text("\ud800" * 100, 10) == "\\ud800\\ud8"
    assert len(storable_text("x" * 10**6, 2000)) == 2000


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, 3),
        (2.5, 2.5),
        (True, 1),
        (numpy.int64(2), 2),
        (numpy.float32(0.5), 0.5),
        (Decimal("1.5"), 1.5),
        ("7", 7),
        (2**70, float(2**70)),
        (10**5000, None),
        (float("nan"), None),
        (float("-inf"), None),
        ("x", None),
        (None, None),
        (NoRepr(), None),
        (numpy.array([1, 2]), None),
    ],
    ids=class_name,
)
def test_it_makes_a_number_of_what_is_one(value, number):
    assert storable_number(value) == number


def endless() -> list:
    circle: list = [1]
    circle.append(circle)
    return circle


def deep(levels: int) -> list:
    found: list = []
    for _ in range(levels - 1):
        found = [found]
    return found


def doubling(levels: int) -> list:
    """Small in memory, with 2 to the power of `levels` leaves when written out."""
    found: list = [1, 1]
    for _ in range(levels):
        found = [found, found]
    return found


class Odd(dict):
    def items(self):
        raise RuntimeError("odd")


@pytest.mark.parametrize(
    "value",
    [
        endless(),
        deep(5000),
        doubling(40),
        Odd(a=1),
        {1, 2},
        b"\x00\xff",
        {"a\x00": float("nan"), "\ud800": 10**5000},
        {("a", 1): object()},
        numpy.int64(3),
        numpy.array([1, 2]),
        [datetime.now(UTC), date(2026, 1, 1), Decimal("1.5"), UUID(int=1), gettext_lazy("Yes")],
        NoRepr(),
    ],
    ids=class_name,
)
def test_it_makes_json_of_anything(value):
    assert_json(storable_value(value))


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary() | st.decimals()
)
VALUES = st.recursive(
    SCALARS | st.datetimes() | st.uuids() | st.frozensets(st.integers()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()) | st.integers(), inner) | st.tuples(inner),
    max_leaves=20,
)


@given(VALUES)
def test_it_makes_json_of_whatever_is_drawn(value):
    assert_json(storable_value(value))


def assert_json(made: object) -> None:
    encoded = msgspec.json.encode(made)
    assert b"\\u0000" not in encoded.replace(b"\\\\", b"")
    assert len(encoded) < 2_000_000
    json.loads(encoded)


@given(VALUES)
def test_a_result_is_stored_or_refused(value):
    try:
        made = storable(value)
    except UnserialisableResult:
        return
    assert "\x00" not in json.dumps(json.loads(msgspec.json.encode(made)), ensure_ascii=False)


@pytest.mark.parametrize(
    ("result", "stored"),
    [
        ({"count": numpy.int64(3), "mean": numpy.float64(0.5)}, {"count": 3, "mean": 0.5}),
        ([Decimal("1.50"), date(2026, 1, 2)], ["1.50", "2026-01-02"]),
        (gettext_lazy("Yes"), "Yes"),
        ({"ids": {7}}, {"ids": [7]}),
        ((1, 2), [1, 2]),
    ],
)
def test_a_result_with_an_obvious_json_form_is_stored(result, stored):
    assert json.loads(msgspec.json.encode(storable(result))) == stored


UNSTORABLE = [endless(), deep(5000), deep(MAX_DEPTH + 1), b"x", object(), NoRepr(), "\udce9", 10**5000]


@pytest.mark.parametrize("result", UNSTORABLE, ids=class_name)
def test_any_other_result_is_refused(result):
    with pytest.raises(UnserialisableResult):
        storable(result)


@pytest.mark.parametrize("text", ["", "]", "[[[", "}{", '\\"[', '"', "\\"])
@pytest.mark.parametrize(("levels", "is_deep"), [(1, False), (MAX_DEPTH, False), (MAX_DEPTH + 1, True), (500, True)])
def test_it_knows_how_deep_json_goes_whatever_its_texts_hold(text, levels, is_deep):
    value: object = [text] * 100
    for _ in range(levels - 1):
        value = {text: value, "beside": [text]}
    assert is_too_deep(msgspec.json.encode(value)) is is_deep


def test_arguments_that_go_too_deep_are_refused():
    with pytest.raises(InvalidArguments, match="levels"):
        encode_json(deep(MAX_DEPTH + 1))
    assert encode_json(deep(MAX_DEPTH))


@pytest.mark.parametrize("kind", ERRORS)
def test_it_puts_any_exception_into_words(kind):
    failure = describe(ERRORS[kind]())
    assert failure.error_class
    msgspec.json.encode([failure.error_class, failure.error_message, failure.traceback])


def test_the_interrupt_of_a_text_that_takes_too_long_ends_it():
    class Slow(Exception):
        def __str__(self) -> str:
            raise JobTimeout("Ran longer than 1 s.")

    failure = describe(Slow())
    assert (failure.error_class, "JobTimeout" in failure.error_message) == ("Slow", True)


@given(
    st.sampled_from([ValueError, KeyError, OSError, UnicodeError, KeyboardInterrupt, RecursionError]),
    st.lists(VALUES, max_size=3),
)
def test_it_puts_whatever_is_drawn_into_words(kind, arguments):
    failure = describe(kind(*arguments))
    msgspec.json.encode([failure.error_message, failure.traceback])
    assert "\x00" not in failure.error_message + failure.traceback


def test_a_huge_message_leaves_room_for_where_it_came_from():
    try:
        raise ValueError("x" * 10**6)
    except ValueError as error:
        failure = describe(error)
    assert "test_storable.py" in failure.traceback
    assert len(failure.traceback) <= 20_000


@given(VALUES, VALUES, VALUES)
def test_progress_takes_whatever_is_drawn(current, total, message):
    written: list[dict] = []
    job = CurrentJob(report_progress=written.append)
    job.progress(current, total, message)
    assert json.loads(json.dumps(job.last_progress, allow_nan=False)) == job.last_progress
    msgspec.json.encode(job.last_progress)


@pytest.mark.parametrize(
    ("message", "arguments"), [("%d", ("x",)), ("%s", (NoRepr(),)), ("caf\udce9", ()), (NoRepr(), ()), ("%s %s", (1,))]
)
def test_a_log_line_that_cannot_be_written_costs_the_job_nothing(message, arguments):
    lines: list[str] = []
    set_current_job(CurrentJob(log_lines=lines))
    try:
        JobLogHandler().emit(logging.LogRecord("n\udce9", logging.INFO, "", 1, message, arguments, None))
    finally:
        set_current_job(None)
    assert len(lines) == 1
    msgspec.json.encode(lines)
