"""Bounds and meanings of task arguments, as annotations: checked wherever a call is made, and when a schedule is saved."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tasks_app.ingest.validate import LIMITS
from tasks_app.models import CommandWay, command_type_choices
from tasks_app.models.commands import MAX_REASON_CHARACTERS
from tasks_app.models.retention import MAX_DAYS
from tasks_app.services.arguments import LocalDay, OneOf, RangeTime, Reference
from tasks_app.services.cleanup import MAX_WINDOW_SECONDS

MAX_AGE_HOURS = 24 * 366
MAX_MINUTES = 100 * 366 * 24 * 60
MAX_SPEED_KPH = LIMITS["speed"][1]
MAX_PATTERN_LENGTH = 200
# As `remove_unused_cache_entries` takes it: of many asterisks Redis would think for ever.
PATTERN = r"^[^*]*(\*[^*]*){0,4}$"

RowId = Annotated[int, Meta(ge=1, le=2**63 - 1)]
MAX_ROW_IDS = 5000
RowIds = Annotated[list[RowId], Meta(max_length=MAX_ROW_IDS)]
DeviceId = Annotated[RowId, Reference("device")]
DeviceIds = Annotated[RowIds, Reference("device")]
GeofenceId = Annotated[RowId, Reference("geofence")]
PlanId = Annotated[RowId, Reference("maintenance plan")]
UserId = Annotated[RowId, Reference("user")]
RangeStart = Annotated[str, RangeTime("start")]
Day = Annotated[str, LocalDay()]
Days = Annotated[int, Meta(ge=1, le=MAX_DAYS)]
WindowSeconds = Annotated[float, Meta(gt=0, le=MAX_WINDOW_SECONDS)]
AgeHours = Annotated[float, Meta(ge=0, le=MAX_AGE_HOURS)]
Minutes = Annotated[float, Meta(ge=0, le=MAX_MINUTES)]
SpeedKph = Annotated[float, Meta(ge=0, le=MAX_SPEED_KPH)]
Pattern = Annotated[str, Meta(min_length=1, max_length=MAX_PATTERN_LENGTH, pattern=PATTERN)]
Note = Annotated[str, Meta(max_length=MAX_REASON_CHARACTERS)]
CommandTypeName = Annotated[str, OneOf(command_type_choices)]
CommandWayName = Annotated[str, OneOf(lambda: CommandWay.choices)]
ExpirySeconds = Annotated[int, Meta(ge=1, le=7 * 24 * 3600)]
