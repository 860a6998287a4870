"""Test databases are copies of one to which all migrations were applied, once: applying them takes longer than most tests.

`make test` names that template after the files that make it (`template_name`): where a migration, a model, any other code of
ours or a pinned package differs, a new one is made. Django applies migrations to each copy too: none can be missed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2

from trackerproject.dev.local_servers.children import CODE_DIR
from trackerproject.dev.local_servers.errors import LocalServersError
from trackerproject.dev.local_servers.servers import _postgres_program, server_environment

PACKAGES = ("tasks_app", "notifications_app", "reports_app", "trackerproject")
PREFIX = "tracker_template_"


def template_name(code_dir: Path = CODE_DIR) -> str:
    """Return the name of the database that today's files make."""
    digest = hashlib.sha256()
    files = [path for package in PACKAGES for path in (code_dir / package).rglob("*.py")]
    for path in sorted([*files, *code_dir.glob("requirements*.txt"), code_dir / "constraints.txt"]):
        digest.update(f"{path.relative_to(code_dir)}\0".encode() + path.read_bytes() + b"\0")
    return f"{PREFIX}{digest.hexdigest()[:16]}"


def make_template(server_url: str, name: str) -> None:
    """Apply all migrations to a new database of this server, unless it is there. Raises LocalServersError."""
    with _new_database(server_url, name) as draft_url:
        if draft_url:
            command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
            _run(command, env={**os.environ, "DATABASE_URL": draft_url})


def copy_template(source_url: str, target_url: str, name: str) -> None:
    """Bring the template of one server to another one, unless it is there. Raises LocalServersError."""
    with _new_database(target_url, name) as draft_url:
        if draft_url:
            copy_database(url_of(source_url, name), draft_url)


def copy_database(source_url: str, target_url: str) -> None:
    """Fill an empty database, which may be another server's. Raises LocalServersError."""
    dump = [str(_postgres_program("pg_dump")), "--no-sync", "--dbname", source_url]
    restore = [str(_postgres_program("psql")), "-qX", "--single-transaction", "-v", "ON_ERROR_STOP=1", "-d", target_url]
    _run(restore, env=server_environment(), text=_run(dump, env=server_environment()))


def url_of(server_url: str, name: str) -> str:
    """Return the URL of another database of the same server."""
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


@contextmanager
def _new_database(server_url: str, name: str) -> Iterator[str]:
    """Yield the URL of an empty database, which is given its name when the block ended well; "" where there is one.

    Templates of other files are dropped.
    """
    draft = f"{name}_draft"
    with closing(psycopg2.connect(url_of(server_url, "postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [PREFIX])
            found = {datname for (datname,) in cursor.fetchall()}
            if name in found:
                yield ""
                return
            for other in found:
                cursor.execute(f'DROP DATABASE "{other}"')
            cursor.execute(f'CREATE DATABASE "{draft}"')
            yield url_of(server_url, draft)
            cursor.execute(f'ALTER DATABASE "{draft}" RENAME TO "{name}"')


def _run(command: list[str], *, env: dict[str, str], text: str | None = None) -> str:
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL} if text is None else {"input": text}
    done = subprocess.run(  # noqa: S603
        command, cwd=CODE_DIR, env=env, capture_output=True, text=True, check=False, **options
    )
    if done.returncode:
        raise LocalServersError.from_log(f"{Path(command[0]).name} failed", done.stderr)
    return done.stdout
