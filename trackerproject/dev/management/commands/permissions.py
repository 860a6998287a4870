"""`manage.py permissions`: the page docs/reference/permissions.md, on standard output."""

from __future__ import annotations

from typing import Any

from tasks_app.management.base import ShellCommand
from trackerproject.dev.permission_page import permission_page


class Command(ShellCommand):
    help = "Print who may do what: every operation of the API, every page of the admin, every task."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(permission_page(), ending="")
