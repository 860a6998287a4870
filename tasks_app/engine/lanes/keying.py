"""From a lane key to the number of a lane. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from tasks_app.engine.errors import InvalidArguments

MAX_KEY_CHARS = 200
# From the arguments of a call to its lane key; None for a call that may run beside any other.
LaneKey = Callable[..., str | None]


def lane_key(task_name: str, function: LaneKey, args: Any, kwargs: dict[str, Any]) -> str:
    """Return the lane key of a call with checked arguments, "" if it has none. Raises InvalidArguments for an improper key."""
    try:
        key = function(*args, **kwargs)
    except Exception as error:
        raise InvalidArguments(f"Task {task_name!r} finds no lane key in these arguments: {error!r}.") from error
    if key is None:
        return ""
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY_CHARS:
        shown = repr(key)[:MAX_KEY_CHARS]
        raise InvalidArguments(
            f"The lane key of task {task_name!r} is {shown}: a text of 1 to {MAX_KEY_CHARS} characters is meant,"
            " or None for a call in no lane."
        )
    return key


# The devices of a fleet come again and again, thousands in a second.
@lru_cache(maxsize=20_000)
def lane_number(key: str, lanes: int) -> int:
    """Return the lane of this key, the same on every host and in every version."""
    return zlib.crc32(key.encode("utf-8", "surrogatepass")) % lanes
