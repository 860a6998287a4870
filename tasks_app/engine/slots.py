"""Memory that the processes of a cluster share without a lock: one slot per worker.

The supervisor writes the worker's name and process id. The worker writes the id of the job it runs (all of a batch), the
time at which the supervisor must kill it, the jobs whose rows it is writing, its pulse, and since when Redis does not answer
it. The slot of a dead worker no longer changes. The supervisor also writes whether the worker is to rest or to stop.
"""

from __future__ import annotations

import mmap
import struct
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import IntEnum

from tasks_app.engine.batches import MAX_BATCH_JOBS

_ID_CHARS = 36
_NAME_CHARS = 96
# kill_at, process id, job id, consumer name, pulse, mode of the worker, when it was started (seconds since 1970), when Redis
# first and last failed it since its last answer
_LAYOUT = struct.Struct(f"=dI{_ID_CHARS}s{_NAME_CHARS}sdBddd")
_TIME = struct.Struct("=d")
_PID = struct.Struct("=I")
_PID_AT = _TIME.size
_JOB_AT = struct.calcsize("=dI")
_NAME_AT = _JOB_AT + _ID_CHARS
_PULSE_AT = _NAME_AT + _NAME_CHARS
_MODE_AT = _PULSE_AT + _TIME.size
_STARTED_AT = _MODE_AT + 1
_FAILED_AT = _STARTED_AT + _TIME.size
_FAILURES = struct.Struct("=dd")
_NO_JOB = b"\0" * _ID_CHARS
_COUNT = struct.Struct("=I")
# A worker writes the rows of so many jobs at once, at most.
MAX_WRITTEN = 2 * MAX_BATCH_JOBS
# Behind the slots, two lists of ids for each: the jobs of a batch that runs, and the jobs whose rows are written.
_BATCH_BYTES = _COUNT.size + MAX_BATCH_JOBS * _ID_CHARS
_LISTS_BYTES = _BATCH_BYTES + _COUNT.size + MAX_WRITTEN * _ID_CHARS

PULSE_SECONDS = 1.0


class Mode(IntEnum):
    """Mode of a worker: it takes jobs, takes no more, or ends after the one it has."""

    WORKING = 0
    QUIET = 1
    STOPPING = 2


class _IdList:
    """A list of job ids in shared memory; it is read whole or not at all."""

    def __init__(self, memory: mmap.mmap, start: int, max_ids: int) -> None:
        self._memory = memory
        self._start = start
        self._max_chars = max_ids * _ID_CHARS

    def write(self, job_ids: Iterable[str]) -> None:
        ids = "".join(job_ids).encode()[: self._max_chars]
        start = self._start + _COUNT.size
        self._memory[start : start + len(ids)] = ids
        _COUNT.pack_into(self._memory, self._start, len(ids) // _ID_CHARS)

    def clear(self) -> None:
        _COUNT.pack_into(self._memory, self._start, 0)

    def read(self) -> list[str]:
        start = self._start + _COUNT.size
        (count,) = _COUNT.unpack_from(self._memory, self._start)
        text = self._memory[start : start + count * _ID_CHARS].decode("ascii", "replace")
        return [text[at : at + _ID_CHARS] for at in range(0, len(text), _ID_CHARS)]


class Slots:
    """Slots for `count` workers, as the supervisor and housekeeping see them. Create it before forking."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.memory = mmap.mmap(-1, (_LAYOUT.size + _LISTS_BYTES) * count)

    def prepare(self, index: int, consumer: str) -> None:
        """Assign the slot to the consumer of this name; call before forking, for the worker may write at once."""
        about = (b"", consumer.encode(), time.monotonic(), 0, time.time(), 0.0, 0.0)
        _LAYOUT.pack_into(self.memory, index * _LAYOUT.size, 0.0, 0, *about)

    def assign(self, index: int, pid: int) -> None:
        """Note the process id of the slot's worker."""
        _PID.pack_into(self.memory, index * _LAYOUT.size + _PID_AT, pid)

    def clear(self, index: int) -> None:
        """Free the slot."""
        _LAYOUT.pack_into(self.memory, index * _LAYOUT.size, 0.0, 0, b"", b"", 0.0, 0, 0.0, 0.0, 0.0)
        for ids in _lists(self, index):
            ids.clear()

    def consumers(self) -> dict[int, tuple[int, str]]:
        """Return index -> (process id, consumer name) of the slots in use."""
        found = {}
        for index in range(self.count):
            _, pid, _, name, *_ = _LAYOUT.unpack_from(self.memory, index * _LAYOUT.size)
            if pid:
                found[index] = (pid, name.rstrip(b"\0").decode())
        return found

    def job_id(self, index: int) -> str:
        """Return the id of the job that this worker runs, the first one of a batch, "" for none."""
        base = index * _LAYOUT.size
        return self.memory[base + _JOB_AT : base + _NAME_AT].rstrip(b"\0").decode()

    def running(self, index: int) -> list[str]:
        """Return the ids of the jobs that this worker runs: one, or those of a batch."""
        first = self.job_id(index)
        batch = _lists(self, index)[0].read()
        return batch if first in batch else [first] * bool(first)

    def kill_at(self, index: int) -> float:
        """Return the time (time.monotonic) at which this worker must be killed, 0 for never."""
        return _TIME.unpack_from(self.memory, index * _LAYOUT.size)[0]

    def pulse_at(self, index: int) -> float:
        """Return the time (time.monotonic) at which this worker's process last ran, whatever it waits for."""
        return _TIME.unpack_from(self.memory, index * _LAYOUT.size + _PULSE_AT)[0]

    def started_at(self, index: int) -> datetime:
        """Return when this worker was started."""
        return datetime.fromtimestamp(_TIME.unpack_from(self.memory, index * _LAYOUT.size + _STARTED_AT)[0], UTC)

    def redis_failures(self, index: int) -> tuple[float, float]:
        """Return when Redis first and last failed this worker since its last answer (time.monotonic), zeros if it did not."""
        first, last = _FAILURES.unpack_from(self.memory, index * _LAYOUT.size + _FAILED_AT)
        return first, last

    def mode(self, index: int) -> Mode:
        """Return the mode of this worker."""
        return Mode(self.memory[index * _LAYOUT.size + _MODE_AT])

    def set_mode(self, index: int, mode: Mode) -> None:
        """Let this worker take jobs, rest or stop."""
        self.memory[index * _LAYOUT.size + _MODE_AT] = mode

    def being_written(self, index: int) -> list[str]:
        """Return the ids of the jobs whose rows this worker is writing."""
        return _lists(self, index)[1].read()


class WorkerSlot:
    """One slot, as its worker writes it."""

    def __init__(self, slots: Slots, index: int) -> None:
        self._memory = slots.memory
        self._base = index * _LAYOUT.size
        self._job_at = slice(self._base + _JOB_AT, self._base + _NAME_AT)
        self._batch, self._written = _lists(slots, index)
        self._is_batch = False
        # When Redis first failed since its last answer (time.monotonic), 0 if it did not.
        self._failed_at = 0.0

    def begin(self, job_ids: Sequence[str], kill_at: float) -> None:
        """Name the jobs that run now, several of a batch, and when the supervisor must kill this process (time.monotonic).

        If this process dies, each of them lost a worker.
        """
        if self._is_batch:
            # Forgets a batch before the next job is named.
            self._batch.clear()
        self._is_batch = len(job_ids) > 1
        if self._is_batch:
            self._batch.write(job_ids)
        self._memory[self._job_at] = job_ids[0].encode()[:_ID_CHARS].ljust(_ID_CHARS, b"\0")
        self.kill_at(kill_at)

    def kill_at(self, time_at: float) -> None:
        """Note when the supervisor must kill this process (time.monotonic)."""
        _TIME.pack_into(self._memory, self._base, time_at)

    def end(self) -> None:
        """Name no job any more."""
        _TIME.pack_into(self._memory, self._base, 0.0)
        self._memory[self._job_at] = _NO_JOB

    def begin_writing(self, job_ids: Iterable[str]) -> None:
        """Name the jobs whose rows are being written: if this process dies of it, one of them is to blame."""
        self._written.write(job_ids)

    def end_writing(self) -> None:
        """Name no rows any more."""
        self._written.clear()

    @property
    def is_quiet(self) -> bool:
        """Return whether the worker is to take no more jobs."""
        return self._memory[self._base + _MODE_AT] == Mode.QUIET

    @property
    def has_no_redis(self) -> bool:
        """Return whether Redis has not answered since it failed."""
        return self._failed_at > 0

    def note_redis_failure(self) -> None:
        """Note that Redis did not answer, or refused to."""
        now = time.monotonic()
        self._failed_at = self._failed_at or now
        _FAILURES.pack_into(self._memory, self._base + _FAILED_AT, self._failed_at, now)

    def note_redis_answer(self) -> None:
        """Note that Redis answers."""
        if self._failed_at:
            self._failed_at = 0.0
            _FAILURES.pack_into(self._memory, self._base + _FAILED_AT, 0.0, 0.0)

    def pulse(self) -> None:
        """Note that the process runs."""
        _TIME.pack_into(self._memory, self._base + _PULSE_AT, time.monotonic())


def _lists(slots: Slots, index: int) -> tuple[_IdList, _IdList]:
    """Return the lists of this slot: jobs of the batch that runs, jobs whose rows are written."""
    start = slots.count * _LAYOUT.size + index * _LISTS_BYTES
    written = _IdList(slots.memory, start + _BATCH_BYTES, MAX_WRITTEN)
    return _IdList(slots.memory, start, MAX_BATCH_JOBS), written


class Pulse(threading.Thread):
    """A thread of a worker that shows that its process runs."""

    def __init__(self, slot: WorkerSlot) -> None:
        super().__init__(name="pulse", daemon=True)
        self._slot = slot

    def run(self) -> None:
        """Write the pulse for ever."""
        while True:
            self._slot.pulse()
            time.sleep(PULSE_SECONDS)
