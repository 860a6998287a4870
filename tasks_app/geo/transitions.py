"""When a device enters and leaves a geofence: the pure decision, with hysteresis against noise.

Three guards, one after the other:

* accuracy gate: a fix whose accuracy is worse than `max_accuracy_meters` keeps the membership of the fix before it. An
  unknown accuracy (NaN) is trusted, since most trackers send none.
* tolerance: a device that is inside stays inside until it is farther outside than the tolerance.
* dwell: a change counts once the device has stayed for that many seconds, seen by a trusted fix after them; it then
  counts from the first fix on the new side. A change that is taken back earlier never happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tasks_app.geo.distance import FloatArray

Kind = Literal["enter", "exit"]
BoolArray = npt.NDArray[np.bool_]
IndexArray = npt.NDArray[np.intp]

DEFAULT_MAX_ACCURACY_METERS = 100.0


@dataclass(frozen=True, slots=True)
class FleetTransitions:
    """Changes of membership in the order they were settled, exits before enters of the same fix, and where devices ended.

    `settled_rows`, `since_rows`, `columns`, `entered` have one entry per change: settled at one row, it happened at the
    other, which is -1 for a change pending since an earlier batch. `members` (n_devices, n_geofences) is the membership
    to be passed as `previous_members` with the next batch. `pending` has (device, column, row it began at or -1) of
    each change that has not lasted long enough yet.
    """

    settled_rows: IndexArray
    since_rows: IndexArray
    columns: IndexArray
    entered: BoolArray
    members: BoolArray
    pending: list[tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class _Stays:
    """Stretches of fixes on one side of one geofence, which began with a change: in (device, column, time) order.

    `begins` is the row of the first fix, -1 where that was in an earlier batch; `ends` the row after the last.
    """

    device: IndexArray
    columns: IndexArray
    begins: IndexArray
    ends: IndexArray
    inside: BoolArray


def transitions(
    inside: npt.ArrayLike,
    accuracy_meters: npt.ArrayLike | None = None,
    previous_inside: bool | None = None,
    *,
    times_seconds: npt.ArrayLike | None = None,
    max_accuracy_meters: float = DEFAULT_MAX_ACCURACY_METERS,
    boundary_distance_meters: npt.ArrayLike | None = None,
    tolerance_meters: float = 0.0,
    dwell_seconds: float = 0.0,
) -> list[tuple[int, Kind]]:
    """Changes of one device and one geofence, its fixes in time order: (index of the fix it happened at, the kind).

    Arrays have shape (n,); `times_seconds` is needed with a dwell, `boundary_distance_meters` with a tolerance.
    `previous_inside` None means that the device was never seen before: a first trusted fix inside is an enter, one
    outside is nothing.
    """
    column = np.asarray(inside, dtype=np.bool_)[:, None]
    near = None
    if boundary_distance_meters is not None:
        near = ~column & (np.asarray(boundary_distance_meters, dtype=np.float64) <= tolerance_meters)[:, None]
    found = fleet_transitions(
        column,
        np.zeros(min(1, len(column)), dtype=np.intp),
        np.full((min(1, len(column)), 1), bool(previous_inside)),
        accuracy_meters,
        max_accuracy_meters=max_accuracy_meters,
        near=near,
        times_seconds=times_seconds,
        dwell_seconds=np.array([dwell_seconds]),
    )
    return [
        (row, "enter" if entered else "exit")
        for row, entered in zip(found.since_rows.tolist(), found.entered.tolist(), strict=True)
    ]


def fleet_transitions(
    inside: BoolArray,
    device_starts: IndexArray,
    previous_members: BoolArray,
    accuracy_meters: npt.ArrayLike | None = None,
    *,
    max_accuracy_meters: float = DEFAULT_MAX_ACCURACY_METERS,
    near: BoolArray | None = None,
    times_seconds: npt.ArrayLike | None = None,
    dwell_seconds: FloatArray | None = None,
    pending_since: dict[tuple[int, int], float] | None = None,
) -> FleetTransitions:
    """The same for a whole batch: fixes sorted by (device, time), every geofence at once.

    `inside` is (n_fixes, n_geofences); `device_starts` (n_devices,) the first row of each device, ascending from 0;
    `previous_members` (n_devices, n_geofences) the membership before the batch, False where unknown. `near`, of the
    shape of `inside`, marks fixes outside but within the tolerance. `dwell_seconds` (n_geofences,) needs
    `times_seconds` (n_fixes,). `pending_since` has, by (device, column), when a change began that is not settled yet.
    """
    pending_since = pending_since or {}
    if not len(inside):
        none = np.empty(0, np.intp)
        pending = [(device, column, -1) for device, column in pending_since]
        return FleetTransitions(none, none, none, np.empty(0, np.bool_), previous_members, pending)
    ends = np.append(device_starts[1:], len(inside))
    device = np.repeat(np.arange(len(device_starts)), ends - device_starts)
    before = previous_members.copy()
    for place in pending_since:
        before[place] = ~before[place]
    trusted = _trusted(accuracy_meters, max_accuracy_meters)
    sides = _sides(inside, trusted, near, device, device_starts, before)
    stays = _with_pending(_stays(sides, device, device_starts, ends, before), pending_since, ends, before)
    times = np.zeros(len(inside)) if times_seconds is None else np.asarray(times_seconds, dtype=np.float64)
    dwell = np.zeros(inside.shape[1]) if dwell_seconds is None else dwell_seconds
    return _transitions_of(
        stays, _settled_rows(stays, times, dwell, trusted, device_starts, pending_since), previous_members
    )


def _trusted(accuracy_meters: npt.ArrayLike | None, max_accuracy_meters: float) -> BoolArray | None:
    """Which fixes are accurate enough, (n,); None when all of them are."""
    if accuracy_meters is None:
        return None
    trusted: BoolArray = ~(np.asarray(accuracy_meters, dtype=np.float64) > max_accuracy_meters)
    return None if trusted.all() else trusted


def _sides(
    inside: BoolArray,
    trusted: BoolArray | None,
    near: BoolArray | None,
    device: IndexArray,
    device_starts: IndexArray,
    before: BoolArray,
) -> BoolArray:
    """Membership at each fix: that of the last fix of the same device that decides, else what it was before."""
    if trusted is None and near is None:
        return inside
    decides = np.ones(inside.shape, dtype=np.bool_) if near is None else ~near
    if trusted is not None:
        decides &= trusted[:, None]
    columns = np.flatnonzero(~decides.all(axis=0))
    rows = np.arange(len(inside), dtype=np.int32)[:, None]
    last = np.maximum.accumulate(np.where(decides[:, columns], rows, np.int32(-1)), axis=0)
    known = inside[np.maximum(last, 0), columns]
    sides = inside.copy()
    sides[:, columns] = np.where(last >= device_starts[device][:, None], known, before[:, columns][device])
    return sides


def _stays(
    sides: BoolArray, device: IndexArray, device_starts: IndexArray, device_ends: IndexArray, before: BoolArray
) -> _Stays:
    """Return the stays that begin with a fix of this batch."""
    earlier = np.empty_like(sides)
    earlier[1:] = sides[:-1]
    earlier[device_starts] = before
    rows, columns = np.nonzero(sides != earlier)
    order = np.lexsort((rows, columns, device[rows]))
    rows, columns = rows[order], columns[order]
    devices = device[rows]
    ends = device_ends[devices]
    goes_on = (devices[1:] == devices[:-1]) & (columns[1:] == columns[:-1])
    ends[:-1] = np.where(goes_on, rows[1:], ends[:-1])
    return _Stays(devices, columns, rows, ends, sides[rows, columns])


def _with_pending(
    stays: _Stays, pending_since: dict[tuple[int, int], float], device_ends: IndexArray, before: BoolArray
) -> _Stays:
    """The stays, and those of earlier batches that go on until the first change in this one."""
    if not pending_since:
        return stays
    devices, columns = np.array(list(pending_since), dtype=np.intp).T
    width = before.shape[1]
    keys, wanted = stays.device * width + stays.columns, devices * width + columns
    first = np.minimum(np.searchsorted(keys, wanted), max(0, len(keys) - 1))
    changed = keys[first] == wanted if len(keys) else np.zeros(len(wanted), dtype=np.bool_)
    ends = np.where(changed, stays.begins[first], device_ends[devices]) if len(keys) else device_ends[devices]
    pairs = (
        (stays.device, devices),
        (stays.columns, columns),
        (stays.begins, np.full(len(devices), -1, dtype=np.intp)),
        (stays.ends, ends),
        (stays.inside, before[devices, columns]),
    )
    merged = [np.concatenate(pair) for pair in pairs]
    order = np.lexsort((merged[2], merged[1], merged[0]))
    return _Stays(*(values[order] for values in merged))


def _settled_rows(
    stays: _Stays,
    times: FloatArray,
    dwell: FloatArray,
    trusted: BoolArray | None,
    device_starts: IndexArray,
    pending_since: dict[tuple[int, int], float],
) -> IndexArray:
    """The row at which each stay has lasted long enough, -1 where it has not."""
    settled = stays.begins.copy()
    for number in np.flatnonzero((dwell[stays.columns] > 0.0) | (stays.begins < 0)).tolist():
        begin, end = int(stays.begins[number]), int(stays.ends[number])
        device, column = int(stays.device[number]), int(stays.columns[number])
        since = pending_since[device, column] if begin < 0 else float(times[begin])
        first = max(begin, int(device_starts[device]))
        first += int(np.searchsorted(times[first:end], since + dwell[column]))
        if trusted is not None and first < end:
            good = np.flatnonzero(trusted[first:end])
            first = first + int(good[0]) if len(good) else end
        settled[number] = first if first < end else -1
    return settled


def _transitions_of(stays: _Stays, settled_rows: IndexArray, previous_members: BoolArray) -> FleetTransitions:
    """A stay that lasted is a change unless the last one that did was on the same side."""
    lasted = np.flatnonzero(settled_rows >= 0)
    device, columns, inside = stays.device[lasted], stays.columns[lasted], stays.inside[lasted]
    earlier = previous_members[device, columns]
    goes_on = (device[1:] == device[:-1]) & (columns[1:] == columns[:-1])
    earlier[1:] = np.where(goes_on, inside[:-1], earlier[1:])
    members = previous_members.copy()
    members[device, columns] = inside
    last = np.ones(len(stays.device), dtype=np.bool_)
    last[:-1] = (np.diff(stays.device) != 0) | (np.diff(stays.columns) != 0)
    waits = last & (settled_rows < 0) & (stays.inside != members[stays.device, stays.columns])
    pending = zip(*(values[waits].tolist() for values in (stays.device, stays.columns, stays.begins)), strict=True)
    chosen = lasted[inside != earlier]
    chosen = chosen[np.lexsort((stays.columns[chosen], stays.inside[chosen], settled_rows[chosen]))]
    return FleetTransitions(
        settled_rows[chosen], stays.begins[chosen], stays.columns[chosen], stays.inside[chosen], members, list(pending)
    )
