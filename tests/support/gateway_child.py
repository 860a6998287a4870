"""A gateway that is killed (SIGKILL) by itself once fixes are in the buffer, before it acknowledges them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

import django
from django.core.management import call_command


def main() -> None:
    django.setup()
    from tasks_app.gateway import intake

    usual = intake.take_in_of_trackers

    def take_in_and_die(sent: Sequence[Any], **options: Any) -> list[bool]:
        taken = usual(sent, **options)
        assert all(taken)
        os.kill(os.getpid(), signal.SIGKILL)
        return taken

    intake.take_in_of_trackers = take_in_and_die
    call_command("gateway", *sys.argv[1:])


if __name__ == "__main__":
    main()
