"""What the processes of a cluster share without a lock: one slot per worker, written by one process each.

A slot holds the worker's process id (written by the supervisor), the id of the job it is on, the moment at which it
must be killed, the jobs whose rows it is writing, and its pulse (written by the worker). Reading a dying worker's slot is
safe: it no longer writes.
"""

from __future__ import annotations

import mmap
import struct
import threading
import time
from collections.abc import Iterable

_LAYOUT = struct.Struct("=dI36s96sd")
_TIME = struct.Struct("=d")
_PID = struct.Struct("=I")
_PID_AT = _TIME.size
_JOB_AT = struct.calcsize("=dI")
_NAME_AT = _JOB_AT + 36
_PULSE_AT = _NAME_AT + 96
_COUNT = struct.Struct("=I")
_ID_CHARS = 36
# A worker writes the rows of so many jobs at once, at most.
MAX_WRITTEN = 512
_WRITTEN_BYTES = _COUNT.size + MAX_WRITTEN * _ID_CHARS

PULSE_SECONDS = 1.0


class Slots:
    """Shared memory for `count` workers; create it before forking."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._memory = mmap.mmap(-1, (_LAYOUT.size + _WRITTEN_BYTES) * count)

    def prepare(self, index: int, consumer: str) -> None:
        """Supervisor, before it forks: the slot is for the worker of this name; what that one writes stays."""
        _LAYOUT.pack_into(self._memory, index * _LAYOUT.size, 0.0, 0, b"", consumer.encode(), time.monotonic())

    def assign(self, index: int, pid: int) -> None:
        """Supervisor: this process has the slot now."""
        _PID.pack_into(self._memory, index * _LAYOUT.size + _PID_AT, pid)

    def clear(self, index: int) -> None:
        """Supervisor: nobody has the slot."""
        _LAYOUT.pack_into(self._memory, index * _LAYOUT.size, 0.0, 0, b"", b"", 0.0)
        self.end_writing(index)

    def begin(self, index: int, job_id: str, kill_at: float) -> None:
        """Worker: on this job now; kill me at `kill_at` (time.monotonic) if I am still on it."""
        base = index * _LAYOUT.size
        self._memory[base + _JOB_AT : base + _JOB_AT + 36] = job_id.encode()[:36].ljust(36, b"\0")
        _TIME.pack_into(self._memory, base, kill_at)

    def end(self, index: int) -> None:
        """Worker: on no job."""
        base = index * _LAYOUT.size
        _TIME.pack_into(self._memory, base, 0.0)
        self._memory[base + _JOB_AT : base + _JOB_AT + 36] = b"\0" * 36

    def begin_writing(self, index: int, job_ids: Iterable[str]) -> None:
        """Worker: I write the rows of these jobs now; if I die over it, one of them is to blame."""
        base = self._written_at(index)
        ids = "".join(job_ids).encode()[: MAX_WRITTEN * _ID_CHARS]
        self._memory[base + _COUNT.size : base + _COUNT.size + len(ids)] = ids
        _COUNT.pack_into(self._memory, base, len(ids) // _ID_CHARS)

    def end_writing(self, index: int) -> None:
        """Worker: I write no rows."""
        _COUNT.pack_into(self._memory, self._written_at(index), 0)

    def being_written(self, index: int) -> list[str]:
        """The jobs whose rows this worker writes."""
        base = self._written_at(index)
        (count,) = _COUNT.unpack_from(self._memory, base)
        text = self._memory[base + _COUNT.size : base + _COUNT.size + count * _ID_CHARS].decode("ascii", "replace")
        return [text[start : start + _ID_CHARS] for start in range(0, len(text), _ID_CHARS)]

    def _written_at(self, index: int) -> int:
        return self.count * _LAYOUT.size + index * _WRITTEN_BYTES

    def kill_at(self, index: int) -> float:
        """When this worker must be killed, 0 for never."""
        return _TIME.unpack_from(self._memory, index * _LAYOUT.size)[0]

    def pulse(self, index: int) -> None:
        """Worker: I am not frozen."""
        _TIME.pack_into(self._memory, index * _LAYOUT.size + _PULSE_AT, time.monotonic())

    def pulse_at(self, index: int) -> float:
        """When this worker's process last ran (time.monotonic), whatever it waits for."""
        return _TIME.unpack_from(self._memory, index * _LAYOUT.size + _PULSE_AT)[0]

    def job_id(self, index: int) -> str:
        """The job this worker is on, '' for none."""
        base = index * _LAYOUT.size
        return self._memory[base + _JOB_AT : base + _NAME_AT].rstrip(b"\0").decode()

    def consumers(self) -> dict[int, tuple[int, str]]:
        """Index -> (process id, consumer name) of the slots in use."""
        found = {}
        for index in range(self.count):
            _, pid, _, name, _ = _LAYOUT.unpack_from(self._memory, index * _LAYOUT.size)
            if pid:
                found[index] = (pid, name.rstrip(b"\0").decode())
        return found


class Pulse(threading.Thread):
    """A thread in a worker that does nothing but show that the process runs."""

    def __init__(self, slots: Slots, index: int) -> None:
        super().__init__(name="pulse", daemon=True)
        self._slots = slots
        self._index = index

    def run(self) -> None:
        while True:
            self._slots.pulse(self._index)
            time.sleep(PULSE_SECONDS)
