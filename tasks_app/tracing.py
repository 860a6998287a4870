"""Spans of a trace: a request, the jobs that it enqueues, their attempts, the deliveries that come of them.

Nothing is traced until a tracer is put in place (`trackerproject.traces`), and asking costs one comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, Protocol

Kind = Literal["server", "producer", "consumer", "client"]


class Span(Protocol):
    """A span that has begun."""

    def name(self, name: str) -> None:
        """Give it the name that is known by now."""

    def note(self, name: str, value: Any) -> None:
        """Add an attribute."""


class Tracer(Protocol):
    """The part of OpenTelemetry that is used here."""

    def span(
        self, name: str, kind: Kind, parents: Sequence[str], attributes: dict[str, Any]
    ) -> AbstractContextManager[Span]:
        """Begin a span under the first of `parents` (traceparent texts), else under the present one; the others are links."""

    def here(self) -> str:
        """Return the traceparent of the present span, "" if there is none."""

    def flush(self) -> object:
        """Send the spans that have ended."""


class _Nothing:
    """The span of everything while nothing is traced."""

    def name(self, name: str) -> None:
        """Ignore the name."""

    def note(self, name: str, value: Any) -> None:
        """Ignore the attribute."""


_NOTHING: AbstractContextManager[Span] = nullcontext(_Nothing())
_tracer: Tracer | None = None


def trace_with(tracer: Tracer | None) -> None:
    """Trace everything with this tracer from now on, nothing with None."""
    global _tracer
    _tracer = tracer


def span(
    name: str, kind: Kind, parents: Sequence[str] = (), attributes: dict[str, Any] | None = None
) -> AbstractContextManager[Span]:
    """Return a span for a `with` statement; of an error that leaves it the class is kept."""
    return _NOTHING if _tracer is None else _tracer.span(name, kind, parents, attributes or {})


def is_tracing() -> bool:
    """Return whether spans are kept."""
    return _tracer is not None


def trace_here() -> str:
    """Return the traceparent of the present span, "" if there is none."""
    return "" if _tracer is None else _tracer.here()


def flush_spans() -> None:
    """Send the spans that have ended. Call before a process ends without Python's own steps at exit."""
    if _tracer is not None:
        _tracer.flush()
