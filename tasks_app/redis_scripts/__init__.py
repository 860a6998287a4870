"""Lua scripts beside those of the engine, one file each. Redis runs each of them as one indivisible step."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from redis import Redis
from redis.commands.core import Script

from tasks_app.engine.scripts import add_scripts, read_sources, run_script, run_scripts

__all__ = ["SOURCES", "run_script", "run_scripts", "script"]

SOURCES = read_sources(Path(__file__).parent)
add_scripts(SOURCES)


@lru_cache(maxsize=64)
def script(client: Redis, name: str) -> Script:
    """Return script `name` bound to `client`; it is loaded on first use and again after SCRIPT FLUSH."""
    return client.register_script(SOURCES[name])
