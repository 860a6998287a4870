"""Serializer fields that take JSON at its word: a bool is no number, a string is no number, NaN is nothing."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import CharField, Model
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.validators import UniqueValidator

from tasks_app.engine import InvalidArguments, JobState, parse_state
from tasks_app.engine.arguments import encode_json
from tasks_app.geo.windows import MAX_WINDOWS
from tasks_app.models.geofences import validate_windows_field
from tasks_app.models.lines import ONE_LINE
from tasks_app.utils.iso_times import iso_utc

MAX_ID = 2**63 - 1
EARLIEST_YEAR, LATEST_YEAR = 1990, 2100


class NothingIgnored(serializers.Serializer[Any]):
    """Refuses fields that it does not know or does not take: a misspelt option must not be ignored.

    The row that a request changes may come as it was read, with what only the server sets: that is what its read-only fields
    show, and what the context has as `shown`.
    """

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (problems := self._problems_of_names(data)):
            raise serializers.ValidationError(problems)
        return super().to_internal_value(data)

    def _problems_of_names(self, data: dict[Any, Any]) -> dict[str, list[Any]]:
        shown = self._shown(data)
        of_server = {name for name, field in self.fields.items() if field.read_only} | (
            shown.keys() - self.fields.keys()
        )
        unknown = data.keys() - self.fields.keys() - of_server
        problems = {str(name)[:100]: [_("Unknown field.")] for name in sorted(unknown)}
        for name in sorted(data.keys() & of_server):
            if name not in shown or not _is_as_read(shown[name], data[name]):
                problems[name] = [_("Only the server sets this.")]
        return problems

    def _shown(self, data: dict[Any, Any]) -> dict[str, Any]:
        """Fields that the server sets, as the row that is changed shows them."""
        shown: dict[str, Any] = {} if self.parent else dict(self.context.get("shown", {}))
        for name, field in self.fields.items():
            if self.instance is not None and field.read_only and name in data:
                value = field.get_attribute(self.instance)
                shown[name] = None if value is None else field.to_representation(value)
        return shown


class StrictSerializer(NothingIgnored):
    """A serializer of request data."""


class StrictModelSerializer(NothingIgnored, serializers.ModelSerializer[Any]):
    """The rows of a model as JSON, and the body that makes or changes one: its values are taken at their word too.

    Fields are those of the model that people may edit, so a new one is in the API as soon as it is in the model. Rules
    that need the whole row (unique together, constraints) are checked where it is saved.
    """

    def get_validators(self) -> list[Any]:
        return []

    def build_standard_field(self, field_name: str, model_field: Any) -> tuple[Any, Any]:
        field_class, options = super().build_standard_field(field_name, model_field)
        # Uniqueness is checked with the other rules of the row, in one place.
        if "validators" in options:
            options["validators"] = [one for one in options["validators"] if not isinstance(one, UniqueValidator)]
        strict = STRICT_FIELDS.get(field_class, field_class)
        if strict is StrictCharField and isinstance(model_field, CharField):
            strict = LineField
        return strict, options


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


class StorableJSONField(serializers.JSONField):
    """A JSON value that PostgreSQL can store: no NUL character, no lone surrogate, no endless nesting."""

    default_error_messages = {"invalid": _("The value cannot be stored: {reason}")}

    def to_internal_value(self, data: Any) -> Any:
        try:
            encode_json(data)
        except (InvalidArguments, RecursionError) as error:
            self.fail("invalid", reason=error)
        return data


class IdField(StrictIntegerField):
    """The number of a row."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, **kwargs)


@extend_schema_field(OpenApiTypes.STR)
class IdListField(serializers.Field[list[int], Any, str, Any]):
    """Row numbers with commas between them, as a query parameter has them: `7` or `7,8,9`; each once."""

    default_error_messages = {
        "invalid": _("Give row numbers with commas between them, such as 7,8."),
        "too_many": _("At most {most} are taken at once."),
    }

    def __init__(self, *, most: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.most = most

    def to_internal_value(self, data: Any) -> list[int]:
        parts = str(data)[: 20 * self.most].split(",")
        if not all(part.isascii() and part.isdecimal() and 0 < int(part[:20]) <= MAX_ID for part in parts):
            self.fail("invalid")
        ids = sorted({int(part) for part in parts})
        if len(ids) > self.most:
            self.fail("too_many", most=self.most)
        return ids

    def to_representation(self, value: list[int]) -> str:
        return ",".join(map(str, value))


class QueryFloatField(serializers.FloatField):
    """A finite number in a query parameter."""

    def to_internal_value(self, data: Any) -> float:
        if not isinstance(data, str) or "_" in data or len(data) > 40:
            self.fail("invalid")
        value = super().to_internal_value(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value


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


class LineField(StrictCharField):
    """A text of one line, such as a name (`models.lines`)."""

    default_error_messages = {"control": ONE_LINE.message}

    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        try:
            ONE_LINE(value)
        except ValidationError:
            self.fail("control")
        return value


class StrictUUIDField(serializers.UUIDField):
    """The text of a UUID; of numbers DRF would make one."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid", value=str(data)[:50])
        return super().to_internal_value(data)


@extend_schema_field(OpenApiTypes.DATETIME)
class TimestampField(serializers.Field[datetime, Any, str, Any]):
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
            parsed = datetime.fromisoformat(data)
        except ValueError:
            self.fail("invalid")
        if parsed.tzinfo is None and not _is_date(data):
            self.fail("no_zone")
        if not EARLIEST_YEAR <= parsed.year <= LATEST_YEAR:
            self.fail("out_of_range", earliest=EARLIEST_YEAR, latest=LATEST_YEAR)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)

    def to_representation(self, value: datetime) -> str:
        return iso_utc(value)


CLOCK_PATTERN = r"^([01]\d|2[0-3]):[0-5]\d$"
END_PATTERN = r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$"


@extend_schema_field({"type": "string", "pattern": CLOCK_PATTERN, "example": "07:30"})
class ClockField(serializers.TimeField):
    """A time of day in hours and minutes, as 07:30."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="%H:%M", input_formats=["%H:%M"], **kwargs)

    def to_internal_value(self, value: Any) -> Any:
        if not (isinstance(value, str) and re.fullmatch(CLOCK_PATTERN, value, re.ASCII)):
            self.fail("invalid", format="HH:MM")
        return super().to_internal_value(value)


WINDOWS_HELP = (
    'Weekly, in the fleet\'s time zone: [{"days": [0, 1, 2, 3, 4], "from": "22:00", "to": "06:00"}]; 0 is Monday. '
    "None: always."
)


@extend_schema_field(
    {
        "type": "array",
        "maxItems": MAX_WINDOWS,
        "items": {
            "type": "object",
            "properties": {
                "days": {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 0, "maximum": 6},
                    "minItems": 1,
                    "uniqueItems": True,
                    "description": "Those on which it begins; 0 is Monday.",
                },
                "from": {"type": "string", "pattern": CLOCK_PATTERN},
                "to": {
                    "type": "string",
                    "pattern": END_PATTERN,
                    "description": "At or before `from`: on the next day.",
                },
            },
            "required": ["days", "from", "to"],
            "additionalProperties": False,
        },
        "example": [{"days": [0, 1, 2, 3, 4], "from": "22:00", "to": "06:00"}],
    }
)
class WindowsField(StorableJSONField):
    """Weekly windows (see geo.windows). The model checks them, too, but takes any empty value for none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, "help_text": WINDOWS_HELP, **kwargs})

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        try:
            validate_windows_field(value)
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from error
        return value


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


STRICT_FIELDS: dict[type, type] = {
    serializers.FloatField: FiniteFloatField,
    serializers.IntegerField: StrictIntegerField,
    serializers.BooleanField: StrictBooleanField,
    serializers.CharField: StrictCharField,
    serializers.DateTimeField: TimestampField,
    serializers.JSONField: StorableJSONField,
    serializers.UUIDField: StrictUUIDField,
}


def editable_fields(model: type[Model], *, without: tuple[str, ...] = ()) -> list[str]:
    """The names of the model's own columns that people may edit."""
    fields = (field for field in model._meta.concrete_fields if field.editable and not field.is_relation)
    return [field.name for field in fields if field.name not in without and not field.primary_key]


def _is_as_read(shown: Any, sent: Any) -> bool:
    """Whether both are the same value of JSON; a time may be spelt in another way."""
    if isinstance(shown, list) and isinstance(sent, list) and len(shown) == len(sent):
        return all(map(_is_as_read, shown, sent))
    if isinstance(shown, str) and isinstance(sent, str) and sent != shown:
        with suppress(serializers.ValidationError):
            read = TimestampField().to_internal_value
            return read(shown) == read(sent)
    return bool(sent == shown)


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


class ReasonBody(StrictSerializer):
    """The reason of an action, kept in its audit row."""

    reason = StrictCharField(max_length=500, required=False, allow_blank=True, default="")
