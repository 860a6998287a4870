"""A real PgBouncer in transaction mode, with the configuration of docs/production.md, in front of a PostgreSQL."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import psycopg2
import pytest

from tests.support.cluster import ROOT, wait_until
from trackerproject.dev.local_servers.processes import prepare_child, unprivileged_account

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
# It only names the socket, as PostgreSQL's does.
PORT = 5432
# Each transaction meets another connection of the server than the one before: what a session keeps is missed at once.
_AROUND = """
[databases]
* = host={host} port={port}
[pgbouncer]
{documented}
unix_socket_dir = {folder}
listen_port = {own_port}
auth_type = trust
auth_file = {folder}/users.txt
server_round_robin = 1
admin_users = postgres
"""


def documented_settings() -> str:
    """The lines of docs/production.md that belong into PgBouncer's file."""
    text = (ROOT / "docs" / "production.md").read_text()
    found = re.search(r"^    pool_mode = transaction$(?:\n    [a-z_]+ = .*)*", text, re.MULTILINE)
    assert found is not None
    return re.sub(r"^ +", "", found.group(), flags=re.MULTILINE)


class PgBouncer:
    """A running PgBouncer. `url_of(url)` is where a database is reached through it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def url_of(self, url: str) -> str:
        """The same database as `url`, through the pool."""
        found = urlsplit(url)
        return f"postgres://{found.username or 'postgres'}@{found.path}?host={self.folder}&port={PORT}"

    def admin(self, command: str) -> list[tuple]:
        """Run a command of the console, such as SHOW SERVERS."""
        connection = psycopg2.connect(host=str(self.folder), port=PORT, user="postgres", dbname="pgbouncer")
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(command)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def is_ready(self) -> bool:
        try:
            self.admin("SHOW VERSION")
        except psycopg2.OperationalError:
            return False
        return True


@contextmanager
def running_pgbouncer(database_url: str, **more: object) -> Iterator[PgBouncer]:
    """Start PgBouncer before the server of this URL (on a Unix socket). Skips where it is not installed."""
    if PGBOUNCER is None:
        pytest.skip("no PgBouncer on this machine (apt-get install pgbouncer)")
    options = dict(parse_qsl(urlsplit(database_url).query))
    account = unprivileged_account()
    # Not in the test's folder, whose name is too long for a socket and whose parents the account may not enter.
    with tempfile.TemporaryDirectory(prefix="pgb-") as name:
        folder = Path(name)
        places = {"host": options["host"], "port": options.get("port", "5432"), "folder": folder, "own_port": PORT}
        text = _AROUND.format(documented=documented_settings(), **places)
        (folder / "pgbouncer.ini").write_text(text + "".join(f"{key} = {value}\n" for key, value in more.items()))
        (folder / "users.txt").write_text('"postgres" ""\n"cluster" ""\n')
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [PGBOUNCER, str(folder / "pgbouncer.ini")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                preexec_fn=prepare_child(account, signal.SIGKILL),  # noqa: PLW1509 - its thread is ours
            )
        running = PgBouncer(folder)
        try:
            wait_until(running.is_ready, what=(folder / "log").read_text)
            yield running
        finally:
            process.kill()
            process.wait(10)


def url_of_settings(options: dict) -> str:
    """The URL of a database that Django's settings name, on a Unix socket."""
    where = {"port": "5432", **options["OPTIONS"]}
    return f"postgres://{options['USER'] or 'postgres'}@/{quote(options['NAME'])}?host={where['host']}&port={where['port']}"
