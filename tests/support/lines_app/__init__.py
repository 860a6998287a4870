"""An app for real processes in tests: makes the line protocol one of the registry, under its own port."""

from tasks_app.ingest.trackers.registry import PROTOCOLS
from tests.support.line_protocol import LINES

PROTOCOLS[LINES.name] = LINES
