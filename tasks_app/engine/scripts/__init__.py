"""The Lua scripts of the engine, one file each. Redis runs each of them as one indivisible step."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from redis import Redis
from redis.commands.core import Script


def read_sources(folder: Path) -> dict[str, str]:
    """Return name -> source of the scripts in `folder`, each with the functions of its common.lua, if there is one.

    Those stand after a script's first line, which may say how Redis is to run it.
    """
    common = folder / "common.lua"
    functions = common.read_text(encoding="utf-8") if common.exists() else ""
    sources = {}
    for path in sorted(folder.glob("*.lua")):
        first, _, rest = path.read_text(encoding="utf-8").partition("\n")
        sources[path.stem] = f"{first}\n{functions}{rest}"
    sources.pop("common", None)
    return sources


# All read at once: code and scripts of one process are of one version, even when a new one is installed under it.
SOURCES = read_sources(Path(__file__).parent)


@lru_cache(maxsize=128)
def script(client: Redis, name: str) -> Script:
    """Return script `name` bound to `client`; it is loaded on first use and again after SCRIPT FLUSH."""
    return client.register_script(SOURCES[name])
