"""Serializer fields that take JSON at its word: a bool is no number, a string is no number, NaN is nothing."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tasks_app.engine import JobState, parse_state

MAX_ID = 2**63 - 1
EARLIEST_YEAR, LATEST_YEAR = 1990, 2100


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer of request data that refuses fields it does not know: a misspelt option must not be ignored."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := data.keys() - self.fields.keys()):
            raise serializers.ValidationError({str(name)[:100]: [_("Unknown field.")] for name in sorted(unknown)})
        return super().to_internal_value(data)


class FiniteFloatField(serializers.FloatField):
    """A finite JSON number."""

    default_error_messages = {"invalid": _("A finite number is required.")}

    def to_internal_value(self, data: Any) -> float:
        if type(data) not in (int, float):
            self.fail("invalid")
        try:
            value = float(data)
        except OverflowError:
            self.fail("invalid")
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class StrictIntegerField(serializers.IntegerField):
    """A JSON integer within PostgreSQL's bigint."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": -MAX_ID, "max_value": MAX_ID, **kwargs})

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return data


class IdField(StrictIntegerField):
    """The number of a row."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, **kwargs)


class StrictBooleanField(serializers.BooleanField):
    """JSON true or false."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=str(data)[:50])
        return data


class StrictCharField(serializers.CharField):
    """A JSON string; without NUL characters and lone surrogates, which DRF's own validators refuse."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentField(serializers.Field[datetime, Any, str, Any]):
    """An ISO-8601 time with a zone, or a date (its midnight in UTC). The value is an aware datetime in UTC."""

    default_error_messages = {
        "invalid": _("Give an ISO-8601 time such as 2026-11-23T10:00:00Z."),
        "no_zone": _("The time needs a zone, such as a Z at its end."),
        "out_of_range": _("The time must be between the years {earliest} and {latest}."),
    }

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str) or len(data) > 40:
            self.fail("invalid")
        try:
            moment = datetime.fromisoformat(data)
        except ValueError:
            self.fail("invalid")
        if moment.tzinfo is None and not _is_date(data):
            self.fail("no_zone")
        if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
            self.fail("out_of_range", earliest=EARLIEST_YEAR, latest=LATEST_YEAR)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

    def to_representation(self, value: datetime) -> str:
        return iso_utc(value)


@extend_schema_field({"type": "string", "enum": [str(state) for state in JobState]})
class StateField(serializers.Field[JobState, Any, str, Any]):
    """The state of a job; Celery's names are understood too."""

    default_error_messages = {"invalid": _("Unknown state; the states are {states}.")}

    def to_internal_value(self, data: Any) -> JobState:
        try:
            return parse_state(str(data)[:20])
        except ValueError:
            self.fail("invalid", states=", ".join(JobState))

    def to_representation(self, value: JobState) -> str:
        return str(value)


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def iso_utc(moment: datetime) -> str:
    """`moment` as ISO-8601 in UTC, ending in Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
