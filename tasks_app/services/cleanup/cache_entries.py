"""Clean-up of unused cache entries. The queues live on the same server: their keys are out of reach."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import redis
from django.conf import settings
from django.core.cache import cache
from django.utils.translation import gettext as _

from tasks_app.engine import PermanentError, current_job
from tasks_app.engine.connection import open_client
from tasks_app.services.cleanup.runs import InvalidLimit, Run, run_exclusively

MAX_HOURS = 87_600
_SCAN_KEYS = 500
_GLOB = re.compile(r"([*?\[\]\\])")


def remove_unused_cache_entries(
    *, pattern: str, max_age_hours: float, dry_run: bool = False, max_seconds: float | None = None
) -> dict[str, Any]:
    """Remove entries whose cache key fits the glob `pattern` and that were not read or written for `max_age_hours`.

    Only keys under settings.CACHE_KEY_PREFIX are looked at, by SCAN. The server knows when a key was last used, not when
    it was made (OBJECT IDLETIME), so an entry in use stays; one with a time to live goes by itself anyway. 0 hours
    removes all that fit. Returns scanned and the figures of the run. Raises InvalidLimit, JobCancelled.
    """
    match = _redis_pattern(pattern)
    if isinstance(max_age_hours, bool) or not 0 <= max_age_hours <= MAX_HOURS:
        raise InvalidLimit(_("max_age_hours must be from 0 to %(most)d.") % {"most": MAX_HOURS})

    def work(run: Run) -> dict[str, Any]:
        return {"scanned": _remove(match, max_age_hours * 3600, run)}

    return run_exclusively("cache", work, dry_run=dry_run, max_seconds=max_seconds)


def _redis_pattern(pattern: str) -> str:
    """The pattern of whole Redis keys: our prefix literally, then the caller's pattern."""
    if not settings.CACHE_KEY_PREFIX:
        raise InvalidLimit(_("CACHE_KEY_PREFIX is empty: every key of the server would be ours."))
    # Redis matches a pattern of many stars in exponential time, and answers nobody meanwhile.
    if not 1 <= len(pattern) <= 200 or pattern.count("*") > 4:
        raise InvalidLimit(_("A pattern has 1 to 200 characters and at most 4 asterisks."))
    return _GLOB.sub(r"\\\1", cache.make_key("")) + pattern


def _remove(match: str, idle_seconds: float, run: Run) -> int:
    """How many keys were looked at."""
    scanned = 0
    run.add("cache", 0)
    with open_client(settings.REDIS_URL) as client:
        for keys in _scan(client, match):
            if not run.has_time():
                break
            unused = _unused(client, keys, idle_seconds)
            scanned += len(keys)
            if unused and not run.dry_run:
                client.unlink(*unused)
            run.add("cache", len(unused), sum(unused.values()))
            current_job().progress(scanned)
    return scanned


def _scan(client: redis.Redis, match: str) -> Iterator[list[bytes]]:
    """Keys that fit, a page at a time, none twice: SCAN may repeat keys, also across pages."""
    position = 0
    seen: set[Any] = set()
    while True:
        position, keys = client.scan(position, match=match, count=_SCAN_KEYS)
        fresh: set[Any] = set(keys) - seen
        seen |= fresh
        if fresh:
            yield list(fresh)
        if position == 0:
            return


def _unused(client: redis.Redis, keys: list[bytes], idle_seconds: float) -> dict[bytes, int]:
    """The keys not used for that long, with the bytes each takes."""
    pipeline = client.pipeline(transaction=False)
    for key in keys:
        pipeline.object("IDLETIME", key)
        pipeline.memory_usage(key)
    try:
        answers = pipeline.execute()
    except redis.ResponseError as error:
        raise PermanentError(_("The server does not tell how long keys are unused (an LFU policy?).")) from error
    figures = zip(keys, answers[::2], answers[1::2], strict=True)
    return {key: size or 0 for key, idle, size in figures if idle is not None and idle >= idle_seconds}
