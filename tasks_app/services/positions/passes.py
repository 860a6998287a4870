"""Which jobs of a batch may be stored in one pass, so that it comes to the same as one after the other. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks_app.ingest.unlocated_alarms import ALARM_ATTRIBUTES, has_alarm
from tasks_app.models import DeviceStatus
from tasks_app.services.positions.batch import Batch
from tasks_app.services.positions.columns import FixColumns
from tasks_app.services.positions.filter_rules import jumps_from
from tasks_app.services.positions.states import State

# Of a job, by device number: the times of its first and last fix in microseconds since 1970.
Spans = Mapping[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Standing:
    """A device before a pass: the time up to which its fixes are late, whether filters compare them, whether it is offline."""

    known_us: int = -1
    compares: bool = False
    is_offline: bool = False


def passes(
    batch: Batch, job_count: int, with_alarms: Set[int], states: Mapping[int, State]
) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
    """Yield the last job of each pass, and its rows, shape (n,). `states` are looked at when the pass begins.

    The jobs `with_alarms` have some without a place, which are recorded after the fixes of their job; so are those of fixes
    that a filter keeps out.
    """
    of_rows = batch.columns.jobs
    if job_count == 1:
        yield 0, np.ones(len(of_rows), dtype=np.bool_)
        return
    has_none = ALARM_ATTRIBUTES.isdisjoint
    attributes = batch.columns.attributes
    ending = with_alarms | {
        int(of_rows[row]) for row, one in enumerate(attributes) if not has_none(one) and has_alarm(one)
    }
    if not ending and go_together(batch.columns, _standings(batch, states)):
        yield job_count - 1, np.ones(len(of_rows), dtype=np.bool_)
        return
    spans = spans_of(batch.columns, job_count)
    start = 0
    while start < job_count:
        end = pass_end(spans, start, _standings(batch, states), ending)
        yield end - 1, (of_rows >= start) & (of_rows < end)
        start = end


def _standings(batch: Batch, states: Mapping[int, State]) -> dict[int, Standing]:
    """Return how each device of the batch stands, by number."""
    standings = {}
    for number, (device, rules) in enumerate(zip(batch.devices, batch.filters, strict=True)):
        state = states[device.pk]
        jumps = jumps_from(state.filter_memory)
        known = [state.fix_time.timestamp()] if state.fix_time else []
        known += [jumps.time_seconds] if jumps else []
        known_us = round(max(known, default=-1e-6) * 1e6)
        standings[number] = Standing(known_us, rules.compares, state.status == DeviceStatus.OFFLINE)
    return standings


def go_together(columns: FixColumns, standings: Mapping[int, Standing]) -> bool:
    """Return whether all jobs go into one pass by the rules of `pass_end`, none having more to record: as nearly always."""
    is_next = np.diff(columns.jobs) != 0
    is_same_device = np.diff(columns.device) == 0
    # Rows are in time order within a device.
    if np.any(is_same_device & is_next & ((np.diff(columns.jobs) < 0) | (np.diff(columns.times_us) == 0))):
        return False
    firsts = columns.starts
    lasts = np.append(firsts[1:], len(columns)) - 1
    has_several = columns.jobs[firsts] != columns.jobs[lasts[: len(firsts)]]
    found = zip(columns.times_us[firsts].tolist(), has_several.tolist(), strict=True)
    return not any(
        (device.is_offline and is_several) or (device.compares and first_us <= device.known_us)
        for device, (first_us, is_several) in zip(map(standings.__getitem__, range(len(firsts))), found, strict=True)
    )


def spans_of(columns: FixColumns, job_count: int) -> list[dict[int, tuple[int, int]]]:
    """Return the spans of each job, an empty one for a job without fixes."""
    spans: list[dict[int, tuple[int, int]]] = [{} for _ in range(job_count)]
    if not len(columns):
        return spans
    # Rows are in time order within a device, and stay so.
    order = np.lexsort((columns.device, columns.jobs))
    jobs, devices, times_us = columns.jobs[order], columns.device[order], columns.times_us[order]
    starts = np.flatnonzero(np.append(True, (np.diff(jobs) != 0) | (np.diff(devices) != 0)))
    lasts = np.append(starts[1:], len(order)) - 1
    found = (jobs[starts], devices[starts], times_us[starts], times_us[lasts])
    for job, device, first_us, last_us in zip(*(one.tolist() for one in found), strict=True):
        spans[job][device] = (first_us, last_us)
    return spans


def pass_end(spans: Sequence[Spans], start: int, standings: Mapping[int, Standing], ending: Container[int]) -> int:
    """Return the number behind the last job that goes into the pass that begins with job `start`.

    Jobs go together as long as each device's fixes come in the order of time. These do not: the second job of an offline
    device (being back online is noticed where the first one left it), late fixes that are compared with their stored
    neighbours (they stand alone), and those behind a job in `ending`, of which more is to be recorded after its fixes.
    """
    newest: dict[int, int] = {}
    for number in range(start, len(spans)):
        of_job = [(standings[device], newest.get(device), *span) for device, span in spans[number].items()]
        is_late = any(device.compares and first_us <= device.known_us for device, _, first_us, _ in of_job)
        crosses = any(
            before_us is not None and (device.is_offline or first_us <= before_us)
            for device, before_us, first_us, _ in of_job
        )
        if number > start and (is_late or crosses):
            return number
        if is_late or number in ending:
            return number + 1
        newest |= {device: last_us for device, (_, last_us) in spans[number].items()}
    return len(spans)
