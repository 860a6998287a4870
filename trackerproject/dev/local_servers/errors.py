"""Errors of the local servers."""

from typing import Self

_DISK_FULL = "No space left on device"


class LocalServersError(RuntimeError):
    """The local servers cannot be started or stopped. The message is for the user."""

    @classmethod
    def from_log(cls, what: str, log: str, lines: int = 8) -> Self:
        """`what` happened, with the end of the server's own output; a full disk is named as such."""
        if _DISK_FULL in log:
            return cls(f"{what}: the disk is full ({_DISK_FULL}).")
        tail = "\n".join(f"    {line}" for line in log.strip().splitlines()[-lines:])
        return cls(f"{what}:\n{tail or '    (it printed nothing)'}")
