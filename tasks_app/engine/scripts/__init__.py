"""The Lua scripts of the engine, one file each. Redis runs each of them as one indivisible step."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redis.exceptions import NoScriptError


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
_HASHES = {name: hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest() for name, source in SOURCES.items()}


def run_script(client: Any, name: str, keys: Sequence[str | bytes], arguments: Sequence[Any]) -> Any:
    """Run script `name`; its text is sent only to a server that does not know it yet."""
    try:
        return client.evalsha(_HASHES[name], len(keys), *keys, *arguments)
    except NoScriptError:
        return client.eval(SOURCES[name], len(keys), *keys, *arguments)
