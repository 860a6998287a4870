"""The fixes that are stored together, aligned with their devices, filters and states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from tasks_app.services.positions.columns import FixColumns
from tasks_app.services.positions.derivation import Before
from tasks_app.services.positions.filter_rules import KEEP, FilterRules, Reasons
from tasks_app.services.positions.senders import KnownDevice
from tasks_app.services.positions.states import State


@dataclass(frozen=True, slots=True)
class FilteredPart:
    """Rows of a batch with why they are out; KEEP for those that are not."""

    columns: FixColumns
    reasons: Reasons

    @property
    def rows(self) -> list[int]:
        """The numbers of the rows that are out, job by job."""
        rows = np.flatnonzero(self.reasons != KEEP)
        return rows[np.argsort(self.columns.jobs[rows], kind="stable")].tolist()


_NOWHERE = Before(np.empty(0), np.empty(0), np.empty(0))


@dataclass(frozen=True, slots=True)
class Batch:
    """Fixes as columns; entry j of `devices`, `filters` and `states` belongs to device number j of the columns.

    `states` is empty until they are locked, and so is `before`, their places; `filtered` holds what was taken out of the batch.
    """

    columns: FixColumns
    devices: list[KnownDevice]
    filters: list[FilterRules]
    states: list[State] = field(default_factory=list)
    before: Before = _NOWHERE
    filtered: tuple[FilteredPart, ...] = ()

    def select(self, rows: npt.NDArray[np.bool_]) -> Batch:
        """The batch of the rows where `rows` (n,) is True; devices that have none left are gone."""
        if rows.all():
            return self
        columns = self.columns.select(rows)
        numbers = np.searchsorted(self.columns.device_pks, columns.device_pks)
        return Batch(
            columns,
            [self.devices[number] for number in numbers.tolist()],
            [self.filters[number] for number in numbers.tolist()],
            [self.states[number] for number in numbers.tolist()] if self.states else [],
            self.before.select(numbers) if self.states else _NOWHERE,
            self.filtered,
        )

    def without(self, reasons: Reasons) -> Batch:
        """The batch without the rows that have a reason, which are kept in `filtered`."""
        keep = reasons == KEEP
        if keep.all():
            return self
        return replace(self.select(keep), filtered=(*self.filtered, FilteredPart(self.columns, reasons)))

    def with_states(self, states: Sequence[State]) -> Batch:
        """The batch with the states of its devices; `states` may hold others too."""
        by_device = {state.device_id: state for state in states}
        states = [by_device[device.pk] for device in self.devices]
        times = [np.nan if one.fix_time is None else one.fix_time.timestamp() for one in states]
        before = Before(
            np.array(times, dtype=np.float64),
            np.array([one.latitude for one in states], dtype=np.float64),
            np.array([one.longitude for one in states], dtype=np.float64),
        )
        return replace(self, states=states, before=before)

    def newer(self) -> npt.NDArray[np.bool_]:
        """True, shape (n,), for the rows later than the state of their device."""
        return ~(self.columns.times_seconds <= self.before.times[self.columns.device])

    def heard_us(self, new: npt.NDArray[np.bool_]) -> dict[int, int]:
        """When each device sent the rows that are `new` (n,), in microseconds since 1970; by primary key."""
        columns = self.columns
        newest = np.zeros(len(columns.device_pks), dtype=np.int64)
        np.maximum.at(newest, columns.device[new], columns.received_us[new])
        pairs = zip(columns.device_pks.tolist(), newest.tolist(), strict=True)
        return {device_pk: heard_us for device_pk, heard_us in pairs if heard_us}
