"""Serializer fields that take JSON at its word."""

from __future__ import annotations

import errno
import math
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.http import HttpRequest
from rest_framework.exceptions import ErrorDetail, ParseError, ValidationError

from tasks_app.api.errors import TooLarge, problem_of
from tasks_app.api.fields import (
    FiniteFloatField,
    IdField,
    StateField,
    StrictBooleanField,
    StrictCharField,
    StrictSerializer,
    StrictUUIDField,
    TimestampField,
)
from tasks_app.api.parsers import decode_json, read_bounded
from tasks_app.engine import InvalidArguments, JobState, PayloadTooLarge, QueueFull, QueueUnavailable, UnknownTask
from tasks_app.queries.job_stats import MAX_HOURS, MAX_POINTS, step_for
from tasks_app.utils.iso_times import iso_utc


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (FiniteFloatField(), True),  # a bool is an int in Python, not in JSON
        (FiniteFloatField(), "1.5"),
        (FiniteFloatField(), math.nan),
        (FiniteFloatField(), math.inf),
        (FiniteFloatField(), 10**400),  # too large for a float
        (FiniteFloatField(max_value=10), 11),
        (FiniteFloatField(), None),
        (IdField(), True),
        (IdField(), "1"),
        (IdField(), 1.0),
        (IdField(), 0),
        (IdField(), 2**63),
        (StrictBooleanField(), "true"),
        (StrictBooleanField(), 1),
        (StrictBooleanField(), [1]),
        (StrictCharField(), 5),
        (StrictCharField(), "a\x00b"),  # PostgreSQL stores no NUL
        (StrictCharField(), "a\ud800b"),  # no UTF-8 for a lone surrogate
        (StrictCharField(max_length=3), "abcd"),
        (TimestampField(), 1_700_000_000),
        (TimestampField(), "2026-01-01T00:00:00"),  # which of 24 hours?
        (TimestampField(), "2026-13-01"),
        (TimestampField(), "0001-01-01T00:00:00+14:00"),
        (TimestampField(), "9999-12-31T23:59:59-14:00"),
        (TimestampField(), "9" * 5000),
        (StrictUUIDField(), 5),  # of which DRF makes a UUID
        (StrictUUIDField(), True),
        (StrictUUIDField(), "5"),
        (StateField(), "nonsense"),
        (StateField(), ""),
    ],
)
def test_it_refuses_what_is_not_exactly_that_type(field, value):
    with pytest.raises(ValidationError):
        field.run_validation(value)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        (FiniteFloatField(), 3, 3.0),
        (FiniteFloatField(), -0.5, -0.5),
        (IdField(), 2**63 - 1, 2**63 - 1),
        (StrictBooleanField(), False, False),
        (StrictCharField(), " ação ", "ação"),
        (TimestampField(), "2026-01-01T01:00:00+01:00", datetime(2026, 1, 1, tzinfo=UTC)),
        (TimestampField(), "2026-01-01", datetime(2026, 1, 1, tzinfo=UTC)),
        (StateField(), "STARTED", JobState.RUNNING),
        (StateField(), "revoked", JobState.CANCELLED),
        (StateField(), "queued", JobState.QUEUED),
    ],
)
def test_it_takes_good_values(field, value, expected):
    assert field.run_validation(value) == expected


def test_it_writes_times_in_utc_with_a_z():
    assert iso_utc(datetime.fromisoformat("2026-01-01T01:30:00+01:00")) == "2026-01-01T00:30:00Z"


class _Body(StrictSerializer):
    device_id = IdField()


def test_it_names_fields_it_does_not_know():
    serializer = _Body(data={"device_id": 1, "devise_id": 2})
    assert not serializer.is_valid()
    assert serializer.errors == {"devise_id": [ErrorDetail("Unknown field.", code="invalid")]}


class _Row(StrictSerializer):
    id = IdField(read_only=True)
    created_at = TimestampField(read_only=True)
    name = StrictCharField()


ROW = SimpleNamespace(id=7, created_at=datetime(2026, 1, 1, tzinfo=UTC), name="Van")


@pytest.mark.parametrize("sent", [{"id": 8}, {"id": None}, {"created_at": "2026-01-02T00:00:00Z"}, {"created_at": 5}])
def test_what_only_the_server_sets_is_refused(sent):
    for row in (None, ROW):
        serializer = _Row(row, data={"name": "Van", **sent})
        assert not serializer.is_valid()
        assert serializer.errors == {name: ["Only the server sets this."] for name in sent}
    assert not _Row(data={"name": "Van", "id": 7}).is_valid(), "a new row has no number before it is made"


@pytest.mark.parametrize("spelling", ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"])
def test_a_row_may_be_sent_back_as_it_was_read(spelling):
    serializer = _Row(ROW, data={"id": 7, "created_at": spelling, "name": "Renamed"})
    assert serializer.is_valid(), serializer.errors
    assert serializer.validated_data == {"name": "Renamed"}


def test_what_another_serializer_shows_of_the_row_may_be_sent_back_too():
    context = {"shown": {"due": ["2026-01-01T00:00:00Z"], "name": "Van"}}
    as_read = _Row(ROW, data={"name": "Renamed", "due": ["2026-01-01T01:00:00+01:00"]}, context=context)
    assert as_read.is_valid(), as_read.errors
    assert as_read.validated_data == {"name": "Renamed"}
    changed = _Row(ROW, data={"name": "Van", "due": [], "dew": 1}, context=context)
    assert not changed.is_valid()
    assert changed.errors == {"due": ["Only the server sets this."], "dew": ["Unknown field."]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nan",
        b"NaN",
        b"[Infinity]",
        b"[1e999]",
        b"\xff",
        b'"\\ud800"',
        b"[" * 100_000,
        b"1" * 5000 + b"x",
        b"{} {}",
    ],
)
def test_it_refuses_what_is_no_json(body):
    with pytest.raises(ParseError):
        decode_json(body)


class _Endless:
    def __init__(self) -> None:
        self.given = 0

    def read(self, size: int) -> bytes:
        self.given += size
        return b"x" * size

    def close(self) -> None:
        """A body that is too large is not read on."""


def test_it_stops_reading_a_body_one_byte_after_the_limit(settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    endless = _Endless()
    request = HttpRequest()
    request._stream, request._read_started = endless, False
    with pytest.raises(TooLarge):
        read_bounded(request, 1000)
    assert endless.given == 1001


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UnknownTask("x"), 404, "unknown_task"),
        (InvalidArguments("x"), 400, "invalid_arguments"),
        (PayloadTooLarge("x"), 413, "payload_too_large"),
        (QueueFull("x"), 503, "queue_full"),
        (QueueUnavailable("x"), 503, "queue_unavailable"),
        # A form's temporary file, on a full disk.
        (OSError(errno.ENOSPC, "x"), 507, "file_not_written"),
    ],
)
def test_it_maps_known_errors_to_http(error, status, code):
    problem = problem_of(error)
    assert (problem.status_code, problem.code, problem.body["fields"]) == (status, code, {})
    assert ("Retry-After" in problem.headers) == (status == 503)


def test_it_knows_no_answer_to_a_fault_of_ours():
    assert problem_of(KeyError("x")) is None


def test_its_series_of_any_length_has_a_bounded_number_of_points():
    assert step_for(1) == 60
    assert step_for(24) == 600
    assert all(hours * 3600 / step_for(hours) <= MAX_POINTS for hours in range(1, MAX_HOURS + 1))
