"""Start programs that never outlive us, and stop them in order."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

CODE_DIR = Path(__file__).resolve().parents[3]

# A launcher instead of preexec_fn, which is not safe in a process with threads.
_LAUNCH = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from trackerproject.dev.local_servers.processes import run_as_child; run_as_child(sys.argv[2:])"
)


def start_child(
    command: Sequence[str],
    *,
    env: dict[str, str] | None = None,
    output: IO[bytes] | int | None = None,
    death_signal: int = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own, so that Ctrl-C reaches only us and we stop it when it is time.

    It gets `death_signal` when the thread that called this ends: call it from the main thread. `output` takes both its
    standard output and error (None: ours).
    """
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCH, str(CODE_DIR)]
    return subprocess.Popen(  # noqa: S603
        [*launcher, str(int(death_signal)), str(os.getpid()), *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        env=env,
        process_group=0,
    )


def stop_children(children: Iterable[subprocess.Popen[bytes]], *, grace_seconds: float = 20.0) -> None:
    """Ask all to end, wait, and kill the process groups of those that do not. Ended ones are fine."""
    running = list(children)
    for child in running:
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + grace_seconds
    for child in running:
        try:
            child.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
