"""`manage.py services start|stop|status`: the local PostgreSQL and Valkey of this clone."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from tasks_app.management.base import ShellCommand
from trackerproject.dev.embedded import LocalServersError, running_services, start_services, stop_services
from trackerproject.dev.local_servers.places import Places

EXIT_NOT_RUNNING = 3


class Command(ShellCommand):
    help = "Start, stop or look at the local PostgreSQL and Valkey of this clone (development only)."
    requires_system_checks: list[str] = []  # they may need the servers

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["start", "stop", "status"])
        parser.add_argument("--name", default="dev", help="which set of servers; data is kept in .local/NAME")

    def handle(self, *args: Any, action: str, name: str, **options: Any) -> None:
        try:
            places = Places.of(settings.BASE_DIR, name)
            getattr(self, action)(places)
        except (LocalServersError, ValueError) as error:
            raise CommandError(str(error)) from error
        except PermissionError as error:
            raise CommandError(_("%(path)s belongs to another user.") % {"path": error.filename}) from error

    def start(self, places: Places) -> None:
        start_services(places)
        self._print_urls(places)

    def stop(self, places: Places) -> None:
        stopped = stop_services(places)
        self.stdout.write(_("Local servers stopped.") if stopped else _("No local servers were running."))

    def status(self, places: Places) -> None:
        pids = running_services(places)
        if not pids:
            self.stdout.write(_("Local servers are not running."))
            sys.exit(EXIT_NOT_RUNNING)
        for name, pid in pids.items():
            self.stdout.write(_("%(name)-9s process %(pid)d") % {"name": name, "pid": pid})
        self._print_urls(places)

    def _print_urls(self, places: Places) -> None:
        self.stdout.write(f"DATABASE_URL='{places.database_url}'")
        self.stdout.write(f"REDIS_URL='{places.redis_url}'")
