"""Forking the children of the supervisor, so that none outlives it and none handles signals of the terminal."""

from __future__ import annotations

import ctypes
import logging
import os
import random
import signal
import sys
from collections.abc import Callable

from tasks_app.engine.metrics import send_last_counts
from tasks_app.process_signals import do_nothing
from tasks_app.tracing import flush_spans

_PR_SET_PDEATHSIG = 1

logger = logging.getLogger(__name__)


def die_with_parent(parent_pid: int) -> None:
    """Ask the kernel to kill this process when its parent dies (Linux); leave at once if it is dead already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)


def fork_child(target: Callable[[], int]) -> int:
    """Fork a process that runs `target` and exits with its answer; return its process id.

    The child leads a process group of its own, so that processes started by a task can be killed with it. It ignores SIGINT
    and SIGTERM: only the supervisor stops it (SIGUSR2).
    """
    parent_pid = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, do_nothing)
        for number in (signal.SIGCHLD, signal.SIGUSR2):
            signal.signal(number, signal.SIG_DFL)
        die_with_parent(parent_pid)
        random.seed()
        code = target()
        send_last_counts()
        flush_spans()
    except BaseException:  # The last frame of the process: whatever it is, it is logged.
        logger.exception("a process of the cluster failed")
    finally:
        logging.shutdown()
        os._exit(code)
