"""`python -m tests.support.command_child STEP COMMAND FILE`: a process that sends a command and dies (SIGKILL) at a step.

It writes to a file as to a tracker. Steps: before_noting, after_noting (the attempt is there, nothing is written),
while_writing (a part of the bytes is written), after_writing (all of them, which nothing says yet), after_sending.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime
from pathlib import Path

import django

django.setup()

from tasks_app.ingest.trackers.base import EncodedCommand, OutgoingCommand  # noqa: E402
from tasks_app.services.commands import send_attempt  # noqa: E402
from tests.support.commands import encode  # noqa: E402


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(step: str, command_pk: int, file: Path) -> None:
    def encode_or_die(outgoing: OutgoingCommand) -> EncodedCommand:
        if step == "before_noting":
            die()
        return encode(outgoing)

    def write_or_die(encoded: EncodedCommand, expires_at: datetime) -> None:
        if step == "after_noting":
            die()
        with file.open("a") as device:
            device.write(encoded.token[:2] if step == "while_writing" else f"{encoded.token}\n")
        if step in ("while_writing", "after_writing"):
            die()

    send_attempt(command_pk, way="session", address="file", encode=encode_or_die, write=write_or_die)
    die()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
