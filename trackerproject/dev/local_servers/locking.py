"""The lock of one set of local servers: who holds it may use and remove their files."""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable

from trackerproject.dev.local_servers.errors import LocalServersError
from trackerproject.dev.local_servers.places import Places

LOCK_SECONDS = 30.0
LEAVING_SECONDS = 2.0
PAUSE_SECONDS = 0.05


def take_lock(places: Places, pause: Callable[[], object], wait_seconds: float = LOCK_SECONDS) -> int:
    """Return the lock, an open file. Wait for an earlier run that still leaves: servers inherit it, the last to end frees it.

    Raises LocalServersError.
    """
    fd = os.open(places.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(fd)
                raise LocalServersError(f"The local servers in {places.home} are in use by another run.") from None
            pause()
        else:
            return fd


def remove_data(places: Places, wait_seconds: float = LOCK_SECONDS) -> None:
    """Remove what an earlier run left, except the lock. Raises LocalServersError where servers still use it."""
    places.home.mkdir(parents=True, exist_ok=True)
    fd = take_lock(places, lambda: time.sleep(PAUSE_SECONDS), wait_seconds)
    try:
        for path in places.home.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path != places.lock:
                path.unlink()
    finally:
        os.close(fd)


def remove_sockets(places: Places, wait_seconds: float = LEAVING_SECONDS) -> None:
    """Remove the sockets of servers that are gone, or go with their guardian: none that another run listens on."""
    with contextlib.suppress(LocalServersError, FileNotFoundError):
        fd = take_lock(places, lambda: time.sleep(PAUSE_SECONDS), wait_seconds)
        shutil.rmtree(places.sockets, ignore_errors=True)
        os.close(fd)
