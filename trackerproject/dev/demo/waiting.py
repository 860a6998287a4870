"""Waiting with a progress display."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.core.management.base import CommandError
from django.utils.translation import gettext as _
from rich.console import Console

LOOK_SECONDS = 0.1


def wait_until(console: Console, what: str, condition: Callable[[], bool], seconds: float) -> None:
    """Wait for `condition`. Raises CommandError when it takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    with console.status(what):
        while not condition():
            if time.monotonic() > deadline:
                raise CommandError(_("%(what)s took longer than %(seconds)d s.") % {"what": what, "seconds": seconds})
            time.sleep(LOOK_SECONDS)
