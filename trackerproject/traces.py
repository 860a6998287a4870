"""Traces by OpenTelemetry. Where they go is said by its own variables, as OTEL_EXPORTER_OTLP_ENDPOINT (docs/metrics.md)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tasks_app.request_ids import log_fields
from tasks_app.tracing import Kind, trace_with

_KINDS = {
    "server": SpanKind.SERVER,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "client": SpanKind.CLIENT,
}
_propagator = TraceContextTextMapPropagator()
# A call for hundreds of small jobs is linked to the requests of the first ones.
MAX_LINKS = 32


class OpenTelemetrySpan:
    """A span, as `tasks_app.tracing` has it."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def name(self, name: str) -> None:
        """Give it the name that is known by now."""
        self._span.update_name(name)

    def note(self, name: str, value: Any) -> None:
        """Add an attribute."""
        self._span.set_attribute(name, value)


class OpenTelemetryTracer:
    """Makes spans; those that end go to `processor`."""

    def __init__(self, processor: SpanProcessor) -> None:
        provider = TracerProvider(resource=_resource())
        provider.add_span_processor(processor)
        self._tracer = provider.get_tracer("tracker")
        self.flush = provider.force_flush

    @contextmanager
    def span(
        self, name: str, kind: Kind, parents: Sequence[str], attributes: dict[str, Any]
    ) -> Iterator[OpenTelemetrySpan]:
        """Begin a span under the first parent, else under the present span."""
        known = [parent for parent in parents if parent]
        context = _propagator.extract({"traceparent": known[0]}) if known else None
        others = list(dict.fromkeys(known))[1 : MAX_LINKS + 1]
        with self._tracer.start_as_current_span(
            name,
            context=context,
            kind=_KINDS[kind],
            attributes=attributes,
            links=[Link(found) for other in others if (found := _context_of(other)).is_valid],
            # The text of an error may hold secrets of a job's arguments.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield OpenTelemetrySpan(span)
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(StatusCode.ERROR)
                raise

    @staticmethod
    def here() -> str:
        """Return the traceparent of the present span."""
        carrier: dict[str, str] = {}
        _propagator.inject(carrier)
        return carrier.get("traceparent", "")


def _resource() -> Resource:
    """Return what OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say of this service."""
    name = os.environ.get("OTEL_SERVICE_NAME", "tracker")
    return Resource.create({"service.name": name})


def _context_of(parent: str) -> SpanContext:
    return trace.get_current_span(_propagator.extract({"traceparent": parent})).get_span_context()


def _log_fields() -> dict[str, str]:
    context = trace.get_current_span().get_span_context()
    return {"trace_id": f"{context.trace_id:032x}"} if context.is_valid else {}


def start_tracing() -> None:
    """Trace from now on. Each process sends its spans itself: OpenTelemetry begins anew after a fork."""
    trace_with(OpenTelemetryTracer(BatchSpanProcessor(OTLPSpanExporter())))
    log_fields.append(_log_fields)
