"""The Lua scripts, one file each. Redis runs each of them as one indivisible step."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from redis import Redis
from redis.commands.core import Script

_FOLDER = Path(__file__).parent
_COMMON = (_FOLDER / "common.lua").read_text(encoding="utf-8")


def _source(path: Path) -> str:
    """A script with the functions of common.lua after its first line, which may say how Redis is to run it."""
    first, _, rest = path.read_text(encoding="utf-8").partition("\n")
    return f"{first}\n{_COMMON}{rest}"


# All read at once: code and scripts of one process are of one version, even when a new one is installed under it.
SOURCES = {path.stem: _source(path) for path in sorted(_FOLDER.glob("*.lua")) if path.stem != "common"}


@lru_cache(maxsize=128)
def script(client: Redis, name: str) -> Script:
    """Return script `name` bound to `client`; it is loaded on first use and again after SCRIPT FLUSH."""
    return client.register_script(SOURCES[name])
