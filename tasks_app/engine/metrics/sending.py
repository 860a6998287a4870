"""Adding up in Redis what the processes count.

`<p>` is `Q_CLUSTER["name"]`.

    {<p>:metrics}:<metric>   HASH   values of the labels, with bars between (of a histogram, then the bucket's number or "sum")
                                    -> count; of a gauge, host, process and the values -> "<number> <seconds, Redis time>"

A process that is killed takes with it what it counted in its last second.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import threading
import time
from collections import defaultdict
from typing import Any

import redis

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.consumers import HOST
from tasks_app.engine.metrics.kinds import OTHER, Labels, Metric, pending
from tasks_app.engine.scripts import run_script

logger = logging.getLogger(__name__)

# Gauges are written at this interval; one that was not for so long is of a process that is gone.
GAUGE_SECONDS = 5.0
LOST_AFTER_SECONDS = 20.0
MAX_LABEL_CHARS = 100
_UNFIT = re.compile(r"[^ -{}~]")


def metric_key(name: str) -> str:
    """Return the Redis key of a metric."""
    return f"{{{engine_config().prefix}:metrics}}:{name}"


def field_of(labels: Labels, part: str = "") -> str:
    """Return the field of a series, or of a part of it."""
    return "|".join((*labels, part) if part else labels)


def _fit(label: object) -> str:
    return _UNFIT.sub("_", str(label)[:MAX_LABEL_CHARS])


class Sender:
    """Sends what this process counts."""

    def __init__(self) -> None:
        # Counts that were taken up and not added in Redis yet; the metrics bound their number, however long it is away.
        self._counts: dict[tuple[Metric, Labels, str], int] = defaultdict(int)
        self._lock = threading.Lock()
        self._wrote_gauges_at = 0.0
        self._has_failed = False

    def start(self) -> None:
        """Send at intervals, and once more at the end of the process."""
        seconds = engine_config().metrics_every_seconds
        if not seconds:
            return
        atexit.register(self.send_last)
        threading.Thread(target=self._run, args=(seconds,), name="metrics", daemon=True).start()

    def _run(self, seconds: float) -> None:
        while True:
            time.sleep(seconds)
            try:
                self.send()
            except Exception:
                logger.exception("metrics: unexpected; going on")

    def send(self) -> None:
        """Add up in Redis what was counted; while it is away, keep it for the next time."""
        with self._lock:
            self._take_up()
            try:
                if self._counts:
                    self._add()
                    self._counts.clear()
                self._write_gauges()
                self._has_failed = False
            except redis.RedisError as error:
                if not self._has_failed:
                    logger.warning("metrics are kept until Redis takes them: %s", error)
                self._has_failed = True

    def send_last(self) -> None:
        """Send once more, as the process ends; nothing is waited for where Redis was away just now."""
        if not self._has_failed:
            self.send()

    def forget(self) -> None:
        """Forget all that was not sent."""
        pending.forget()
        self._counts.clear()
        self._wrote_gauges_at = 0.0

    def after_fork(self) -> None:
        """Begin anew in a child: its parent's lock may have been taken, and its counts are its parent's to send."""
        self._lock = threading.Lock()
        self._has_failed = False
        self.forget()

    def _take_up(self) -> None:
        while pending.counted:
            metric, labels, value = pending.counted.popleft()
            for part, number in metric.parts(value):
                self._counts[metric, labels, part] += number

    def _add(self) -> None:
        numbers: dict[str, int] = {}
        arguments: list[Any] = []
        for (metric, labels, part), count in self._counts.items():
            number = numbers.setdefault(metric.name, len(numbers) + 1)
            fit = tuple(map(_fit, labels))
            instead = field_of((*fit[:-1], OTHER), part) if metric.most_series else ""
            arguments += (number, field_of(fit, part), instead, metric.most_series, count)
        run_script(client(), "add_to_metrics", list(map(metric_key, numbers)), arguments)

    def _write_gauges(self) -> None:
        if not pending.gauges or time.monotonic() - self._wrote_gauges_at < GAUGE_SECONDS:
            return
        by_metric: dict[str, list[Any]] = defaultdict(list)
        for (gauge, labels), value in list(pending.gauges.items()):
            by_metric[gauge.name] += (field_of((f"{HOST}:{os.getpid()}", *map(_fit, labels))), value)
        for name, arguments in by_metric.items():
            run_script(client(), "set_gauge", [metric_key(name)], arguments)
        self._wrote_gauges_at = time.monotonic()


_sender = Sender()
pending.start = _sender.start
os.register_at_fork(after_in_child=_sender.after_fork)


def send_counts() -> None:
    """Send now what this process has counted."""
    _sender.send()


def send_last_counts() -> None:
    """Send what this process has counted. Call before a process ends without Python's own steps at exit."""
    _sender.send_last()


def forget_counts() -> None:
    """Forget what this process has counted and not sent."""
    _sender.forget()
