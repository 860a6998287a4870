"""The Lua scripts, one file each. Redis runs each of them as one indivisible step."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from redis import Redis
from redis.commands.core import Script

# All read at once: code and scripts of one process are of one version, even when a new one is installed under it.
SOURCES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*.lua"))}


@lru_cache(maxsize=128)
def script(client: Redis, name: str) -> Script:
    """Return script `name` bound to `client`; it is loaded on first use and again after SCRIPT FLUSH."""
    return client.register_script(SOURCES[name])
