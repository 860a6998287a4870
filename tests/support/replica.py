"""A streaming replica of a PostgreSQL of the tests."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGKILL
from typing import ClassVar
from urllib.parse import parse_qsl, urlsplit

from tests.support.faults import OwnServer, own_server
from trackerproject.dev.local_servers.processes import prepare_child
from trackerproject.dev.local_servers.servers import Postgres, _postgres_program, server_environment


@contextmanager
def running_replica(primary_url: str, base_dir: Path, **replica_options: str) -> Iterator[OwnServer]:
    """Copy the server of this URL (on a Unix socket) and follow it. `replica_options` are PostgreSQL's."""
    where = dict(parse_qsl(urlsplit(primary_url).query))

    class Replica(Postgres):
        """A PostgreSQL whose data came from the primary."""

        options: ClassVar[dict[str, str]] = {**Postgres.options, "hot_standby": "on", **replica_options}

        def _initialise(self, lock_fd: int) -> None:
            self.own(self.data)
            source = ["-h", where["host"], "-p", where.get("port", "5432"), "-U", "postgres"]
            copying = ["-D", str(self.data), "-R", "-X", "stream", "-c", "fast"]
            subprocess.run(
                [str(_postgres_program("pg_basebackup")), *source, *copying],
                check=True,
                stdin=subprocess.DEVNULL,
                env=server_environment(),
                cwd="/",
                pass_fds=[lock_fd],
                preexec_fn=prepare_child(self.account, SIGKILL),
            )

    with own_server(Replica, base_dir) as running:
        yield running
