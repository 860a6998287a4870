"""`manage.py device_key UNIQUE_ID`: a new key for a device on standard output."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from tasks_app.management.arguments import short_text
from tasks_app.management.base import ShellCommand
from tasks_app.queries.senders import device_named
from tasks_app.services.devices import KeyExists, issue_key


class Command(ShellCommand):
    help = "Make the key with which a device sends, and print it. It is shown this once; only its hash is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("unique_id", type=short_text(128))
        parser.add_argument(
            "--rotate", action="store_true", help="Replace the device's key: the former one is refused."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        device = device_named(options["unique_id"])
        if device is None:
            raise CommandError(_("No device has the identifier %(name)s.") % {"name": options["unique_id"]})
        try:
            self.stdout.write(issue_key(device=device, rotate=options["rotate"]))
        except KeyExists as error:
            raise CommandError(_("The device has a key already; --rotate replaces it.")) from error
