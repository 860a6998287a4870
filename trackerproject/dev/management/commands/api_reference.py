"""`manage.py api_reference`: the page docs/reference/api.md, on standard output."""

from __future__ import annotations

from typing import Any

from tasks_app.management.base import ShellCommand
from trackerproject.dev.api_page import api_page


class Command(ShellCommand):
    help = "Print every operation of the REST API with its parameters, bodies and answers."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(api_page(), ending="")
