"""Signals that are recorded while a test runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.dispatch import Signal


@contextmanager
def recorded_signals(*signals: Signal) -> Iterator[dict[Signal, list[dict[str, Any]]]]:
    """Keep what is sent by these signals: a list of the arguments, with `sender`, for each."""
    sent: dict[Signal, list[dict[str, Any]]] = {signal: [] for signal in signals}
    receivers = []
    for signal in signals:

        def keep(sender: Any, signal: Signal, **arguments: Any) -> None:
            sent[signal].append({"sender": sender, **arguments})

        signal.connect(keep)
        receivers.append((signal, keep))
    try:
        yield sent
    finally:
        for signal, keep in receivers:
            signal.disconnect(keep)
