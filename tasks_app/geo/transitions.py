"""When a device enters and leaves a geofence: the pure decision, with hysteresis against noise.

A fix that cannot be trusted keeps the membership of the fix before it: one whose accuracy is worse than
`max_accuracy_meters`, or, with a tolerance, one nearer to the border than `tolerance_meters`. An unknown accuracy (NaN)
is trusted, since most trackers send none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tasks_app.geo.distance import FloatArray

Kind = Literal["enter", "exit"]
BoolArray = npt.NDArray[np.bool_]

DEFAULT_MAX_ACCURACY_METERS = 100.0


@dataclass(frozen=True, slots=True)
class FleetTransitions:
    """Changes of membership in row order, exits before enters of the same fix, and where every device ended.

    `rows`, `columns`, `entered` have one entry per change; `members` (n_devices, n_geofences) is the membership after
    the last fix of each device, to be passed as `previous_members` with its next batch.
    """

    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]
    entered: BoolArray
    members: BoolArray


def transitions(
    inside: npt.ArrayLike,
    accuracy_meters: npt.ArrayLike | None = None,
    previous_inside: bool | None = None,
    *,
    max_accuracy_meters: float = DEFAULT_MAX_ACCURACY_METERS,
    boundary_distance_meters: npt.ArrayLike | None = None,
    tolerance_meters: float = 0.0,
) -> list[tuple[int, Kind]]:
    """Changes of one device and one geofence, its fixes in time order: (index of the fix, "enter" or "exit").

    `inside`, `accuracy_meters` and `boundary_distance_meters` have shape (n,). `previous_inside` None means that the
    device was never seen before: a first trusted fix inside is an enter, one outside is nothing.
    """
    column = np.asarray(inside, dtype=np.bool_)[:, None]
    borders = None if boundary_distance_meters is None else np.asarray(boundary_distance_meters)[:, None]
    found = fleet_transitions(
        column,
        np.zeros(1, dtype=np.intp) if len(column) else np.empty(0, dtype=np.intp),
        np.full((min(1, len(column)), 1), bool(previous_inside)),
        accuracy_meters,
        max_accuracy_meters=max_accuracy_meters,
        boundary_distance_meters=borders,
        tolerance_meters=tolerance_meters,
    )
    return [(int(row), "enter" if entered else "exit") for row, entered in zip(found.rows, found.entered, strict=True)]


def fleet_transitions(
    inside: BoolArray,
    device_starts: npt.NDArray[np.intp],
    previous_members: BoolArray,
    accuracy_meters: npt.ArrayLike | None = None,
    *,
    max_accuracy_meters: float = DEFAULT_MAX_ACCURACY_METERS,
    boundary_distance_meters: npt.ArrayLike | None = None,
    tolerance_meters: float = 0.0,
) -> FleetTransitions:
    """The same for a whole batch: fixes sorted by (device, time), every geofence at once.

    `inside` is (n_fixes, n_geofences); `device_starts` (n_devices,) the first row of each device, ascending from 0;
    `previous_members` (n_devices, n_geofences) the membership before the batch, False where unknown.
    `boundary_distance_meters`, needed only with a tolerance, has the shape of `inside`.
    """
    if not len(inside):
        return FleetTransitions(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.bool_), previous_members)
    device = np.zeros(len(inside), dtype=np.intp)
    device[device_starts[1:]] = 1
    device = np.cumsum(device)
    trusted = _trusted(inside.shape, accuracy_meters, max_accuracy_meters, boundary_distance_meters, tolerance_meters)
    after = inside if trusted is None else _carried(inside, trusted, device_starts[device], previous_members[device])
    before = np.empty_like(after)
    before[1:] = after[:-1]
    before[device_starts] = previous_members
    rows, columns = np.nonzero(after != before)
    entered = after[rows, columns]
    order = np.lexsort((columns, entered, rows))
    lasts = np.append(device_starts[1:], len(inside)) - 1
    return FleetTransitions(rows[order], columns[order], entered[order], after[lasts])


def _trusted(
    shape: tuple[int, ...],
    accuracy_meters: npt.ArrayLike | None,
    max_accuracy_meters: float,
    boundary_distance_meters: npt.ArrayLike | None,
    tolerance_meters: float,
) -> BoolArray | None:
    """Which cells may change membership, (n, 1) or (n, m); None when all of them may."""
    trusted: BoolArray | None = None
    if accuracy_meters is not None:
        accuracy: FloatArray = np.asarray(accuracy_meters, dtype=np.float64)
        trusted = ~(accuracy > max_accuracy_meters)[:, None]
    if boundary_distance_meters is not None and tolerance_meters > 0.0:
        clear = np.asarray(boundary_distance_meters, dtype=np.float64) >= tolerance_meters
        trusted = clear if trusted is None else trusted & clear
    if trusted is None or trusted.all():
        return None
    return np.broadcast_to(trusted, shape)


def _carried(inside: BoolArray, trusted: BoolArray, first_rows: npt.NDArray[np.intp], previous: BoolArray) -> BoolArray:
    """Membership after each fix: that of the last trusted fix of the same device, else what it was before the batch."""
    rows = np.arange(len(inside))[:, None]
    last_trusted = np.maximum.accumulate(np.where(trusted, rows, -1), axis=0)
    known = np.take_along_axis(inside, np.maximum(last_trusted, 0), axis=0)
    return np.where(last_trusted >= first_rows[:, None], known, previous)
