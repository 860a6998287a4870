"""`manage.py migrate`: Django's, by one process at a time."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.commands.migrate import Command as Migrate
from django.utils.translation import gettext as _

from tasks_app.management.base import ShellCommand
from tasks_app.services.exclusive_locks import exclusive_lock

# Waiting for the lock inside PostgreSQL would hold up an index that the other one makes beside running work.
LOOK_SECONDS = 0.5


class Command(ShellCommand, Migrate):
    """Hosts or containers that start together each run it: the first migrates, the others find it done."""

    def handle(self, *args: Any, **options: Any) -> None:
        has_said = False
        while True:
            with exclusive_lock("migrate") as check_lock:
                if check_lock:
                    super().handle(*args, **options)
                    return
            if not has_said:
                self.stdout.write(_("Another migrate is running: this one waits for its end."))
            has_said = True
            time.sleep(LOOK_SECONDS)
