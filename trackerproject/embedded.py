"""Local servers for development, tests and the demo: one PostgreSQL and one Valkey per name, on private unix sockets.

Imports nothing of Django: settings.py takes its development defaults from here.
"""

from pathlib import Path

from trackerproject.local_servers.places import Places


def default_database_url(base_dir: Path | str, name: str = "dev") -> str:
    """URL of the PostgreSQL that `manage.py services start` runs for this clone; starts nothing."""
    return Places.of(base_dir, name).database_url


def default_redis_url(base_dir: Path | str, name: str = "dev") -> str:
    """URL of the Valkey that `manage.py services start` runs for this clone; starts nothing."""
    return Places.of(base_dir, name).redis_url
