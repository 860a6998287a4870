"""Pages: first byte, bytes and requests with few and many devices, lists of a million jobs, frames of the live map."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from benchmarks.figures import Figure
from benchmarks.setting import ROOT, Setting
from trackerproject.dev.chromium import find_chromium

SIZES = (20, 1_000, 10_000)
QUICK_SIZES = (20, 200)
ENDED_JOBS = 1_000_000
QUEUED_JOBS = 100_000
PAGE_MS, LIST_MS, LOAD_MS = 150.0, 300.0, 600.0
FRAMES_PER_SECOND = 30.0
UNITS = {"first_byte": "ms", "load": "ms", "bytes": "bytes", "requests": "requests"}


def run(setting: Setting) -> Iterator[Figure]:
    """Every figure with its limit as the peer; the processor time of those that are over it is printed."""
    sizes = QUICK_SIZES if setting.quick else SIZES
    environment = {"STATIC_ROOT": str(setting.log_dir / "static")}
    collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
    subprocess.run(collect, cwd=ROOT, env=setting.environment() | environment, check=True)
    counts = (setting.scaled(ENDED_JOBS), setting.scaled(QUEUED_JOBS), *sizes)
    values = setting.measure("benchmarks.page_times", *counts, environment=environment)
    for key, value in values.items():
        case, what = split(key)
        if what in UNITS:
            limit = limit_of(case, what)
            if limit and value > limit:
                setting.console.print(over(case, what, value, limit, values))
            yield Figure("pages", key, value, "limit" if limit else None, limit, UNITS[what])
    if not find_chromium():
        setting.console.print(
            "no Chromium on PATH (or in CHROMIUM_PATH): no requests and loads of pages, no frames of the map"
        )
        return
    frames = setting.measure("benchmarks.moving_map", sizes[-1], environment=environment)
    for case in ("standing", "moving"):
        name = f"map_{sizes[-1]}_{case}"
        yield Figure("pages", f"{name}_pan", frames[f"{case}_frames"], "limit", FRAMES_PER_SECOND, "frames/s")
        yield Figure("pages", f"{name}_pan_p95", frames[f"{case}_p95"], None, None, "ms/frame")


def split(key: str) -> tuple[str, str]:
    """Return the page and what was measured of it."""
    what = next(what for what in (*UNITS, "cpu") if key.endswith(f"_{what}"))
    return key.removesuffix(f"_{what}"), what


def limit_of(case: str, what: str) -> float | None:
    if what == "load":
        return LOAD_MS
    if what == "first_byte":
        return LIST_MS if case.startswith("jobs_") else PAGE_MS
    return None


def over(case: str, what: str, value: float, limit: float, values: dict[str, float]) -> str:
    """A line that lets one judge whether the page or the machine was slow."""
    cpu = values.get(f"{case}_cpu")
    spent = f", {cpu:.0f} ms of it of the web process' processor time" if cpu is not None else ""
    trivial = next(value for key, value in values.items() if key.startswith("page_that_is_trivial"))
    return (
        f"over the limit: {case} {what} {value:.0f} ms (limit {limit:.0f}){spent}; a trivial page took {trivial:.0f} ms"
    )
