"""Processes that never outlive the one that started them, and that do not run as root."""

import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def signal_on_parent_death(number: int) -> None:
    """Ask Linux to send this process the signal when the thread that started it ends. Elsewhere a no-op.

    See prctl(2), PR_SET_PDEATHSIG: changing the user id clears it, exec of an ordinary program keeps it.
    """
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def end_with_make(number: int = signal.SIGTERM) -> None:
    """Under make, end this process when make is killed: SIGKILL leaves make no time to pass anything on."""
    if not os.environ.get("MAKELEVEL"):
        return
    signal_on_parent_death(number)
    if os.getppid() == 1 and not _is_make(1):
        sys.exit("make has ended; so do I.")


def _is_make(pid: int) -> bool:
    """In a container make itself may be process 1. Without /proc nobody can tell: then take it for make."""
    try:
        with open(f"/proc/{pid}/comm") as comm:
            return "make" in comm.read()
    except OSError:
        return True


def unprivileged_account() -> pwd.struct_passwd | None:
    """The account for servers that refuse to run as root; None when we are not root. LookupError if there is none."""
    if os.getuid() != 0:
        return None
    for name in ("nobody", "daemon"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise LookupError("PostgreSQL refuses to run as root, and this system has neither the account nobody nor daemon.")


def prepare_child(account: pwd.struct_passwd | None, death_signal: int) -> Callable[[], None]:
    """A `preexec_fn`: become `account` (if any), then end with the parent. The parent must be single-threaded."""

    def prepare() -> None:
        if account is not None:
            _become(account)
        signal_on_parent_death(death_signal)

    return prepare


def _become(account: pwd.struct_passwd) -> None:
    """Give up root, but keep passing through directories: a clone under /root (mode 0700) must work, unchanged."""
    if _libc is not None:
        _libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    if _libc is not None:
        _keep_only(_CAP_DAC_OVERRIDE)


def _keep_only(capability: int) -> None:
    """Reduce this process to one capability that survives exec (capabilities(7), ambient set). A refusal is no error:
    the server then starts wherever its account may go, and says so where not."""
    mask = 1 << capability
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    if _libc is not None and _libc.capset(header, data) == 0:
        _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)
