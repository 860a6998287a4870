"""The rows of a batch that move devices forward, with all that follows from their order.

Only fixes newer than a device's state count here: a late fix is history, it moves no marker and raises no event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks_app.models import EventKind
from tasks_app.services.positions import derivation
from tasks_app.services.positions.batch import Batch
from tasks_app.services.positions.columns import FixColumns
from tasks_app.services.positions.derivation import BatchSteps, Carried, FloatArray, KindRules
from tasks_app.services.positions.senders import KnownDevice
from tasks_app.services.positions.states import State


@dataclass(frozen=True, slots=True)
class Forward:
    """The rows of a batch that move a device forward; `device` numbers those devices 0..k-1, `states[j]` is theirs.

    `starts` and `lasts` (k,) are the first and last row of each; `rules` are those of the devices' kinds. `steps` are the
    ways that led to these rows; `speeds_kph` and `courses_degrees` are those sent at the rows, the missing ones by the
    steps.
    """

    columns: FixColumns
    rows: npt.NDArray[np.intp]
    device: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    lasts: npt.NDArray[np.intp]
    states: list[State]
    devices: list[KnownDevice]
    rules: KindRules
    steps: BatchSteps
    speeds_kph: FloatArray
    ignition: Carried
    moving: Carried
    courses_degrees: FloatArray


@dataclass(frozen=True, slots=True)
class EventDraft:
    """An event noticed at the row `position` of a `Forward`; its time and place are those of the row unless given."""

    position: int
    kind: EventKind
    data: dict[str, Any] = field(default_factory=dict)
    occurred_at: datetime | None = None
    # Latitude and longitude.
    place: tuple[float | None, float | None] | None = None
    geofence_id: int | None = None


def newer_fixes(batch: Batch, new: npt.NDArray[np.bool_]) -> Forward:
    """The rows stored now, `new` (n,), that are newer than their device's state."""
    columns, before = batch.columns, batch.before
    rows = np.flatnonzero(new & batch.newer())
    numbers, starts, device = np.unique(columns.device[rows], return_index=True, return_inverse=True)
    states = [batch.states[number] for number in numbers.tolist()]
    ignition_before = [-1 if state.ignition is None else int(state.ignition) for state in states]
    moving_before = [int(state.is_moving) for state in states]
    of_all = derivation.rules_of([device.kind for device in batch.devices])
    rules = of_all.select(numbers)
    ignition = derivation.carried(columns.ignition[rows], device, starts, np.array(ignition_before, dtype=np.int8))
    latitudes, longitudes = columns.latitudes, columns.longitudes
    steps = derivation.steps(
        columns.times_seconds, latitudes, longitudes, columns.device, columns.starts, before, of_all, rows
    )
    speeds_kph = derivation.filled_speeds(columns.speeds[rows], steps.speeds_kph)
    says_moving = derivation.said_moving(speeds_kph, device, rules)
    return Forward(
        columns=columns,
        rows=rows,
        device=device,
        starts=starts,
        lasts=np.append(starts[1:], len(rows)) - 1,
        states=states,
        devices=[batch.devices[number] for number in numbers.tolist()],
        rules=rules,
        steps=steps,
        speeds_kph=speeds_kph,
        ignition=ignition,
        moving=derivation.carried(says_moving, device, starts, np.array(moving_before, dtype=np.int8)),
        courses_degrees=derivation.filled_courses(columns.courses[rows], steps, latitudes[rows], longitudes[rows]),
    )
