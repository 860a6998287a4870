"""The rows of a batch that move devices forward, and the changes collected on the way.

Only fixes newer than a device's state count here: a late fix is history, it moves no marker and raises no event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks_app.models import Event, EventKind
from tasks_app.services.positions import derivation
from tasks_app.services.positions.batch import Batch
from tasks_app.services.positions.columns import FixColumns
from tasks_app.services.positions.derivation import BatchSteps, Before, FloatArray, KindRules
from tasks_app.services.positions.senders import KnownDevice
from tasks_app.services.positions.states import State, before_arrays, from_microseconds

# Events with the position of the row at which they were noticed.
Found = list[tuple[int, Event]]


@dataclass(slots=True)
class Changes:
    """Events to write, in (device, time) order, and the ends of episodes whose event is written already."""

    events: list[Event] = field(default_factory=list)
    ended_episodes: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    # State -> the event of the overspeed episode it is in, where that event has no id yet.
    open_episodes: list[tuple[State, Event]] = field(default_factory=list)


@dataclass(slots=True)
class Forward:
    """The rows of a batch that move a device forward; `device` numbers those devices 0..k-1, `states[j]` is theirs.

    `steps` are the ways that led to these rows; `speeds_kph` and `courses_degrees` are those sent at the rows, the missing
    ones by the steps. `rules` are those of the devices' kinds.
    """

    columns: FixColumns
    steps: BatchSteps
    speeds_kph: FloatArray
    courses_degrees: FloatArray
    rows: npt.NDArray[np.intp]
    device: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    states: list[State]
    devices: list[KnownDevice]
    rules: KindRules

    @property
    def lasts(self) -> npt.NDArray[np.intp]:
        return np.append(self.starts[1:], len(self.rows)) - 1

    def fix_time(self, position: int) -> datetime:
        return from_microseconds(int(self.columns.times_us[self.rows[position]]))

    def event(self, kind: EventKind, position: int, **fields: Any) -> Event:
        """An unsaved event at the place of a row, and at its time unless `occurred_at` says otherwise."""
        fields = {"occurred_at": self.fix_time(position), **self._place(position), **fields}
        return Event(device_id=self.states[self.device[position]].device_id, kind=kind, **fields)

    def place_before(self, position: int) -> dict[str, float | None]:
        """Where the device was at its fix before this row; only before the states are moved."""
        number = int(self.device[position])
        if position > self.starts[number]:
            return self._place(position - 1)
        return {"latitude": self.states[number].latitude, "longitude": self.states[number].longitude}

    def _place(self, position: int) -> dict[str, float | None]:
        row = self.rows[position]
        return {"latitude": float(self.columns.latitudes[row]), "longitude": float(self.columns.longitudes[row])}


def newer_fixes(batch: Batch, new: npt.NDArray[np.bool_]) -> Forward:
    """The rows stored now, `new` (n,), that are newer than their device's state."""
    columns, before = batch.columns, before_arrays(batch.states)
    rules = derivation.rules_of([device.kind for device in batch.devices])
    rows = np.flatnonzero(new & ~(columns.times_seconds <= before.times[columns.device]))
    numbers, starts, device = np.unique(columns.device[rows], return_index=True, return_inverse=True)
    steps = _steps(columns, before, rules).select(rows)
    return Forward(
        columns=columns,
        steps=steps,
        speeds_kph=derivation.filled_speeds(columns.speeds[rows], steps.speeds_kph),
        courses_degrees=derivation.filled_courses(
            columns.courses[rows], steps, columns.latitudes[rows], columns.longitudes[rows]
        ),
        rows=rows,
        device=device,
        starts=starts,
        states=[batch.states[number] for number in numbers.tolist()],
        devices=[batch.devices[number] for number in numbers.tolist()],
        rules=rules.select(numbers),
    )


def _steps(columns: FixColumns, before: Before, rules: KindRules) -> BatchSteps:
    """The ways to all rows of the batch."""
    return derivation.steps(
        columns.times_seconds, columns.latitudes, columns.longitudes, columns.device, columns.starts, before, rules
    )
