"""Where the changes of this thread come from: a request, or a command of the shell. Without either nobody's are audited.

Imported by manage.py before Django is set up, so it imports nothing of Django.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

# These run the system's own work: what they change is not a person's doing.
SYSTEM_COMMANDS = frozenset({"qcluster", "gateway", "migrate", "test"})
INTERACTIVE_COMMANDS = frozenset({"shell", "dbshell"})


@dataclass(frozen=True, slots=True)
class CommandSource:
    """A command of the shell, by its name."""

    command: str

    @property
    def way(self) -> str:
        return "shell" if self.command in INTERACTIVE_COMMANDS else "command"


@dataclass(frozen=True, slots=True)
class RequestSource:
    """A request. Its user, address and route are read when something is recorded: most requests record nothing."""

    request: Any


Source = CommandSource | RequestSource
_source: ContextVar[Source | None] = ContextVar("audit_source", default=None)


def present_source() -> Source | None:
    """Where changes come from now; None for the system itself."""
    return _source.get()


@contextmanager
def changes_of(source: Source | None) -> Iterator[None]:
    """Context in which changes are this source's; None: nobody's."""
    token = _source.set(source)
    try:
        yield
    finally:
        _source.reset(token)


def changes_of_command(argv: list[str]) -> Any:
    """The same for the command line of manage.py."""
    name = argv[1] if len(argv) > 1 else ""
    return changes_of(None if not name or name in SYSTEM_COMMANDS else CommandSource(name))
