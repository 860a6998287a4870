"""The files of one set of local servers. Standard library only: settings.py imports this."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

DATABASE_NAME = "tracker"
DATABASE_USER = "postgres"
DATABASE_PORT = 5432  # only names the socket file; nothing listens on TCP

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")


@dataclass(frozen=True)
class Places:
    """Directories of the servers called `name` of the clone in `base_dir`.

    Data and logs live in the clone under `.local/<name>`. Sockets live in a short private directory under /tmp, because
    the path of a unix socket may have 107 bytes at most and a clone may sit deeper than that.
    """

    base_dir: Path
    name: str

    @classmethod
    def of(cls, base_dir: Path | str, name: str) -> "Places":
        """Raises ValueError for a name that is no plain directory name."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"not a name of local servers: {name!r} (lower-case letters, digits, - and _)")
        return cls(Path(os.path.realpath(base_dir)), name)

    @property
    def home(self) -> Path:
        return self.base_dir / ".local" / self.name

    @property
    def postgres_data(self) -> Path:
        return self.home / "pgdata"

    @property
    def valkey_data(self) -> Path:
        return self.home / "valkey"

    @property
    def logs(self) -> Path:
        return self.home / "log"

    @property
    def mail(self) -> Path:
        return self.home / "mail"

    @property
    def lock(self) -> Path:
        """Held by the guardian and both servers for as long as any of them lives."""
        return self.home / "lock"

    @property
    def state(self) -> Path:
        """JSON: the process ids of guardian, postgres and valkey. Written by the holder of the lock."""
        return self.home / "state.json"

    @property
    def sockets(self) -> Path:
        identity = f"{self.base_dir}\0{self.name}".encode("utf-8", "surrogateescape")
        return Path("/tmp") / f"tracker-{os.getuid()}-{hashlib.sha256(identity).hexdigest()[:12]}"  # noqa: S108

    @property
    def valkey_socket(self) -> Path:
        return self.sockets / "valkey.sock"

    @property
    def database_url(self) -> str:
        return self.url_of_database(DATABASE_NAME)

    def url_of_database(self, database: str) -> str:
        """libpq's own form for a unix socket; django-environ hands `host` and `port` over through OPTIONS."""
        return f"postgres://{DATABASE_USER}@/{database}?host={self.sockets}&port={DATABASE_PORT}"

    @property
    def redis_url(self) -> str:
        return f"unix://{self.valkey_socket}?db=0"
