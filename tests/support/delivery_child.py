"""`python -m tests.support.delivery_child STEP ID...`: a process that sends deliveries and dies (SIGKILL) at a step.

Steps: before_claim, after_claim, after_send (the other side has it, nothing is stored), after_store.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.utils import timezone  # noqa: E402

from notifications_app.services.deliveries import sending  # noqa: E402


def die(*_args: Any, **_kwargs: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying_after(call: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        call(*args, **kwargs)
        die()

    return wrapper


PLACES: dict[str, Callable[[], None]] = {
    "before_claim": lambda: setattr(sending, "claim_delivery", die),
    "after_claim": lambda: setattr(sending, "claim_delivery", dying_after(sending.claim_delivery)),
    "after_send": lambda: setattr(sending, "_record_success", die),
    "after_store": lambda: setattr(sending, "_record_success", dying_after(sending._record_success)),
}

if __name__ == "__main__":
    PLACES[sys.argv[1]]()
    for delivery_id in sys.argv[2:]:
        sending.deliver(int(delivery_id), now=timezone.now())
