"""The description of a worker in its heartbeats."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime

HOST = socket.gethostname()


def describe_worker(
    pid: int,
    job_id: str,
    started_at: str | None = None,
    *,
    mode: str = "working",
    most_workers: int = 0,
    pulse_age_seconds: float = 0.0,
) -> str:
    """Return a worker as JSON: host, pid, start time, id of the running job ("" for none), memory, its mode.

    `most_workers` is how many of its kind its cluster may have, `pulse_age_seconds` how long its process has not run.
    """
    return json.dumps(
        {
            "host": HOST,
            "pid": pid,
            "started_at": started_at or datetime.now(UTC).isoformat(),
            "job_id": job_id,
            "memory_bytes": resident_bytes(pid),
            "mode": mode,
            "most_workers": most_workers,
            "pulse_age_seconds": round(pulse_age_seconds, 1),
        }
    )


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process (Linux), 0 where it cannot be read."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
