"""A list in Redis to which tasks write what they do, in order, and across processes."""

from __future__ import annotations

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client


def ledger_key() -> str:
    return f"{engine_config().prefix}:ledger"


def note(text: str) -> None:
    client().rpush(ledger_key(), text)


def ledger() -> list[str]:
    return [entry.decode() for entry in client().lrange(ledger_key(), 0, -1)]
