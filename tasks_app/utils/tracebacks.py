"""Tracebacks for people: the frames of this project's own code apart from those of libraries."""

from __future__ import annotations

import re

_FRAME = re.compile(r'^ +File "([^"]*)", line \d+')
# Code that calls every task, and packages of others.
_NOT_OURS = ("/site-packages/", "/dist-packages/", "/lib/python", "/tasks_app/engine/", "<frozen ", "<string>")


def own_frames(traceback: str) -> str:
    """Return the traceback with the frames of the project's own code only; empty where that would leave all, or none."""
    kept: list[str] = []
    is_kept, left_out, own = True, 0, 0
    for line in traceback.splitlines():
        if found := _FRAME.match(line):
            is_kept = not any(part in found[1] for part in _NOT_OURS)
            own, left_out = own + is_kept, left_out + (not is_kept)
        elif not line.startswith("    "):
            is_kept = True
        if is_kept:
            kept.append(line)
    return "\n".join(kept) if own and left_out else ""
