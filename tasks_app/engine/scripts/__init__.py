"""The Lua scripts, one file each. Redis runs each of them as one indivisible step."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from redis import Redis
from redis.commands.core import Script

_FOLDER = Path(__file__).parent


@cache
def _source(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")


def script(client: Redis, name: str) -> Script:
    """Return script `name` bound to `client`; it is loaded on first use and again after SCRIPT FLUSH."""
    return client.register_script(_source(name))
