"""The file by which commands of a shell find the servers of a running `make run`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

NAMES = ("DEBUG", "DATABASE_URL", "REDIS_URL", "EMAIL_HOST", "EMAIL_PORT", "SITE_URL")


@contextmanager
def shell_environment(path: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Keep a file to be read with `. <path>` for the length of the block; it goes with the servers that it names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"export {name}={shlex.quote(environment[name])}\n" for name in NAMES if name in environment)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
