"""A batch of fixes as numpy columns, sorted by (device, time)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks_app.ingest.fix import Fix

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class FixColumns:
    """n fixes sorted by (device, time), each (device, time) once in a job. Arrays have shape (n,); NaN is "not sent".

    `device` numbers the devices of the batch 0..k-1 in ascending order of their primary keys, `starts` (k,) is the
    first row of each. `times_us` and `received_us` are microseconds since EPOCH, `times_seconds` seconds. `ignition` is
    1, 0, or -1 for not sent. `jobs` are the numbers, in the batch, of the jobs they came with.
    """

    device_pks: IntArray
    device: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    jobs: npt.NDArray[np.intp]
    times_us: IntArray
    times_seconds: FloatArray
    received_us: IntArray
    latitudes: FloatArray
    longitudes: FloatArray
    altitudes: FloatArray
    speeds: FloatArray
    courses: FloatArray
    accuracies: FloatArray
    ignition: npt.NDArray[np.int8]
    attributes: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.times_us)

    def select(self, rows: npt.NDArray[np.bool_]) -> FixColumns:
        """The rows where `rows` (n,) is True; devices that have none left are gone, the others are numbered anew."""
        pks, starts, device = np.unique(self.device_pks[self.device[rows]], return_index=True, return_inverse=True)
        return FixColumns(
            pks,
            device.astype(np.intp),
            starts,
            self.jobs[rows],
            self.times_us[rows],
            self.times_seconds[rows],
            self.received_us[rows],
            self.latitudes[rows],
            self.longitudes[rows],
            self.altitudes[rows],
            self.speeds[rows],
            self.courses[rows],
            self.accuracies[rows],
            self.ignition[rows],
            list(compress(self.attributes, rows.tolist())),
        )


def to_columns(
    fixes: Sequence[Fix],
    device_pks: Sequence[int],
    received_at: Sequence[datetime],
    jobs: Sequence[int] | None = None,
) -> FixColumns:
    """Sorted columns of the fixes; of several with one device and time only the first of each job stays.

    `jobs` ascends; None: they came with one.
    """
    pks = np.array(device_pks, dtype=np.int64)
    times_us = _microseconds([fix.fix_time for fix in fixes])
    job_numbers = np.array(jobs, dtype=np.intp) if jobs else np.zeros(len(fixes), dtype=np.intp)
    order = np.lexsort((times_us, pks))
    first = np.ones(len(order), dtype=np.bool_)
    keys = (pks[order], times_us[order], job_numbers[order])
    first[1:] = np.logical_or.reduce([np.diff(key) != 0 for key in keys])
    order = order[first]
    chosen = [fixes[row] for row in order.tolist()]
    unique_pks, starts, device = np.unique(pks[order], return_index=True, return_inverse=True)
    return FixColumns(
        device_pks=unique_pks,
        device=device.astype(np.intp),
        starts=starts,
        jobs=job_numbers[order],
        times_us=times_us[order],
        times_seconds=times_us[order] / 1e6,
        received_us=_received_us(received_at)[order],
        latitudes=np.array([fix.latitude for fix in chosen], dtype=np.float64),
        longitudes=np.array([fix.longitude for fix in chosen], dtype=np.float64),
        altitudes=np.array([fix.altitude_meters for fix in chosen], dtype=np.float64),
        speeds=np.array([fix.speed_kph for fix in chosen], dtype=np.float64),
        courses=np.array([fix.course_degrees for fix in chosen], dtype=np.float64),
        accuracies=np.array([fix.accuracy_meters for fix in chosen], dtype=np.float64),
        ignition=np.array([_ignition(fix.attributes) for fix in chosen], dtype=np.int8),
        attributes=[fix.attributes for fix in chosen],
    )


def _microseconds(times: Sequence[datetime]) -> IntArray:
    """Since 1970. A float has room for the microseconds of any sensible year, after rounding."""
    return np.rint(np.array([at.timestamp() for at in times]) * 1e6).astype(np.int64)


def _received_us(received_at: Sequence[datetime]) -> IntArray:
    if received_at and all(at is received_at[0] for at in received_at):
        return np.repeat(_microseconds(received_at[:1]), len(received_at))
    return _microseconds(received_at)


def _ignition(attributes: dict[str, Any]) -> int:
    value = attributes.get("ignition")
    return -1 if value is not True and value is not False else int(value)
