"""Looking at processes in tests."""

from __future__ import annotations

import psutil


def is_running(pid: int) -> bool:
    """Whether this process still runs. The test runner adopts orphans, so one that ended may stay as a zombie: it is gone."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
