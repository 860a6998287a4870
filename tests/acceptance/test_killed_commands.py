"""A sender of commands killed (SIGKILL) at every step: nothing is sent twice but what may be, and nothing is called sent that
is not known to be.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone

from tasks_app.models import Command
from tasks_app.services.commands import sweep_commands
from tests.support.cluster import ROOT, allowed, environment, wait_until
from tests.support.commands import HeldWay, Wire, a_fix, ask, long_ago, manager_of, send, state_of, use_ways

pytestmark = pytest.mark.django_db(transaction=True)

# step -> the state of a stop and of a question afterwards, and whether the device may have got it.
STEPS = {
    "before_noting": ("queued", "queued", False),
    "after_noting": ("unconfirmed", "queued", False),
    "while_writing": ("unconfirmed", "queued", True),
    "after_writing": ("unconfirmed", "queued", True),
    "after_sending": ("sent", "sent", True),
}


@pytest.fixture(autouse=True)
def way(monkeypatch) -> HeldWay:
    held = HeldWay()
    use_ways(monkeypatch, held)
    return held


def kill_senders_at(step: str, file: Path, *commands: Command) -> None:
    senders = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.command_child", step, str(command.pk), str(file)],
            cwd=ROOT,
            env=environment(),
            stderr=subprocess.PIPE,
        )
        for command in commands
    ]
    for sender in senders:
        _output, errors = sender.communicate(timeout=allowed(60))
        assert sender.returncode == -signal.SIGKILL, errors.decode()[-2000:]
    # The sweep passes over rows that are locked, and PostgreSQL takes a moment to see that a sender is gone.
    wait_until(lambda: count_unlocked(commands) == len(commands), what="the locks of the senders to end")


@transaction.atomic
def count_unlocked(commands: Sequence[Command]) -> int:
    rows = Command.objects.filter(pk__in=[command.pk for command in commands])
    return len(rows.select_for_update(skip_locked=True))


@pytest.mark.parametrize("step", STEPS)
def test_what_a_killed_sender_leaves_is_called_what_it_is(step, device, make_device, make_user, fleet, tmp_path):
    manager, other, file = manager_of(make_user, fleet), make_device(), tmp_path / "device"
    file.touch()
    a_fix(device, age_seconds=-30)
    stop, question = ask(device, manager, "engine_stop", expires_in_seconds=300), ask(other, manager)
    kill_senders_at(step, file, stop, question)
    sweep_commands(now=timezone.now() + timedelta(seconds=20))
    expected_stop, expected_question, has_written = STEPS[step]
    assert (state_of(stop)[0], state_of(question)[0]) == (expected_stop, expected_question)
    assert bool(file.read_text()) is has_written
    assert_repeated_as_allowed(step, stop, question)


def assert_repeated_as_allowed(step: str, stop: Command, question: Command) -> None:
    """The stop is never written again once it may have been, the question is, with another token."""
    wire = Wire()
    for command in (stop, question):
        long_ago(command, next_attempt_at=1)
        send(command, wire)
    written = [one.text.split()[0] for one in wire.written]
    if step == "before_noting":
        assert written == ["engine_stop", "position_request"]
    else:
        assert written == (["position_request"] if step != "after_sending" else [])
    tokens = list(question.attempts.values_list("token", flat=True))
    assert len(set(tokens)) == len(tokens)
