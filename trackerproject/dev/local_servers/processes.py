"""Processes that never outlive the one that started them, and that do not run as root."""

import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG, _PR_SET_SECUREBITS, _PR_SET_CHILD_SUBREAPER, _PR_CAP_AMBIENT = 1, 28, 36, 47
_PR_CAP_AMBIENT_RAISE = 2
_SECBIT_NO_SETUID_FIXUP = 1 << 2
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
    """Under our Makefile, end this process when make is killed: SIGKILL leaves make no time to pass anything on.

    The Makefile exports its process id. Only make's own child needs this; whatever that one starts is its to stop.
    """
    make_pid = int(os.environ.get("TRACKER_MAKE_PID") or 0)
    if make_pid and os.getppid() == make_pid:
        signal_on_parent_death(number)
    if make_pid and not is_alive(make_pid):
        sys.exit("make has ended; so do I.")


def adopt_orphans() -> None:
    """Linux: become the parent of descendants whose own parent ends, so that they can be found and ended."""
    if _libc is not None:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def is_alive(pid: int) -> bool:
    """Return whether a process of that id exists, under any user."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def run_as_child(arguments: list[str]) -> None:
    """Replace this process by a command that ends with its parent: SIGNAL PARENT PROGRAM ARGUMENT..."""
    number, parent, *command = arguments
    signal_on_parent_death(int(number))
    if os.getppid() == int(parent):
        os.execvp(command[0], command)  # noqa: S606


def unprivileged_account() -> pwd.struct_passwd | None:
    """Return the account for servers that refuse to run as root, None if this process is not root. Raises LookupError."""
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
    """Give up root, but keep passing through directories: a clone under /root (mode 0700) must work, unchanged.

    initdb looks for its programs with access(2), which counts capabilities only under SECBIT_NO_SETUID_FIXUP; with that
    set, setuid leaves all capabilities, so that `_keep_only` must succeed. Where it is refused, plain setuid drops all.
    """
    keeps = _libc is not None and _libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0) == 0
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    if keeps:
        _keep_only(_CAP_DAC_OVERRIDE)


def _keep_only(capability: int) -> None:
    """Reduce this process to one capability, if it has it, that survives exec (capabilities(7), ambient set)."""
    assert _libc is not None
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()
    _libc.capget(header, data)
    mask = data[1] & (1 << capability)
    if _libc.capset(header, (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)
