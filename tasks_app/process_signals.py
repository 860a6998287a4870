"""Signals that would end a process at once, and with it what it was doing. Imports nothing of Django."""

from __future__ import annotations

import signal
import threading
from types import FrameType


def stop_signals() -> list[signal.Signals]:
    """Return those that ask a process to stop; SIGHUP (its terminal was closed) only where nohup has not made it ignored."""
    wanted = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    return [one for one in wanted if one != signal.SIGHUP or signal.getsignal(one) != signal.SIG_IGN]


def do_nothing(signum: int, frame: FrameType | None) -> None:
    """Handle a signal by doing nothing. Programs that are started from here would inherit SIG_IGN."""


def outlive_user_signals() -> None:
    """Let SIGUSR1 and SIGUSR2, by which other servers open their log files anew, end nothing."""
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, do_nothing)


def end_in_order() -> None:
    """Let SIGHUP, where it would end this process at once, do what SIGTERM does; outlive user signals. In the main thread only.

    For processes of a server that handles SIGTERM and no other, as uvicorn does, whether before or after this.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda signum, frame: signal.raise_signal(signal.SIGTERM))
    outlive_user_signals()
