"""The benchmarks by name. A new one is one module and one line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks import api, cleanup, engine, gateway, ingest, notifications, pages, reports, scale
from benchmarks.figures import Figure
from benchmarks.setting import Setting

BENCHMARKS: dict[str, Callable[[Setting], Iterator[Figure]]] = {
    "engine": engine.run,
    "ingest": ingest.run,
    "cleanup": cleanup.run,
    "notifications": notifications.run,
    "reports": reports.run,
    "scale": scale.run,
    "pages": pages.run,
    "api": api.run,
    "gateway": gateway.run,
}
