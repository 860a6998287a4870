"""The supervisor: the main process of `manage.py qcluster`. It starts, watches, kills and replaces processes.

It is single-threaded, opens no database connection and talks to no server, so nothing outside can block it; its children
die with it (the kernel sees to that). It repairs these failures of django-q2's Sentinel: shared queues and locks that die
with their holder, orphans after a kill, time limits counted in loop turns, shutdown that waits for ever.

    supervisor ─┬─ housekeeping   heartbeats, delayed jobs, recovery            (Redis only)
                ├─ scheduler     due schedules, rows of jobs ended elsewhere   (Redis and PostgreSQL)
                └─ workers       each pulls from its own queue                 (Redis and PostgreSQL)
"""

from __future__ import annotations

import gc
import json
import logging
import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from uuid import uuid4

from django.apps import apps
from django.db import connections
from django.db.models import Value

from tasks_app.engine.clusters.housekeeping import Housekeeping
from tasks_app.engine.clusters.orders import Order, most_workers, read_order
from tasks_app.engine.clusters.processes import fork_child
from tasks_app.engine.clusters.scheduler import SchedulerProcess
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import helper_client, worker_client
from tasks_app.engine.consumers import HOST
from tasks_app.engine.records import job_store
from tasks_app.engine.slots import Mode, Pulse, Slots
from tasks_app.engine.workers.joblog import capture_logs
from tasks_app.engine.workers.watchdog import Watchdog
from tasks_app.engine.workers.worker import Worker
from tasks_app.process_signals import outlive_user_signals, stop_signals

logger = logging.getLogger(__name__)

SCHEDULER = "scheduler"
LOOP_SECONDS = 0.5
# Python's default of 700 is for processes that keep most of what they make.
OBJECTS_BETWEEN_COLLECTIONS = 10_000
# A process that dies younger than this is restarted with a growing delay.
YOUNG_SECONDS = 5.0
MAX_RESTART_DELAY_SECONDS = 10.0
# Where Redis does not answer, housekeeping asks it a few times more.
STOP_CHILDREN_SECONDS = 10.0
# A worker without a job whose process has not run for so long is frozen, and may hold claims that it never begins.
FROZEN_SECONDS = 8.0
# Notes that housekeeping has not read yet.
MAX_NOTES_BYTES = 1024 * 1024


@dataclass(slots=True)
class Child:
    """One place in the process tree, and the process that fills it (pid 0: none)."""

    name: str
    start: Callable[[], int]
    slot: int | None = None
    pid: int = 0
    started_at: float = 0.0
    start_after: float = 0.0
    quick_deaths: int = 0
    kill_reason: str = ""
    # Left empty: a worker that was not asked for yet, is to stop, or has ended its burst.
    is_off: bool = False


class Cluster:
    """All processes for some queues on this host."""

    def __init__(self, queues: list[str], workers: int | None = None, *, burst: bool = False) -> None:
        config = engine_config()
        self.burst = burst
        self.queues = [config.queue(name).name for name in queues]
        wanted = {name: workers or config.queue(name).workers for name in self.queues}
        places = wanted if burst else {name: most_workers(count) for name, count in wanted.items()}
        self.queue_of_slot = [name for name in self.queues for _ in range(places[name])]
        self.slots = Slots(len(self.queue_of_slot))
        # Each child opens connections of its own with one of them; this process opens none.
        self._client, self._helper_client = worker_client(), helper_client()
        self._deaths_read, self._deaths_write = os.pipe()
        self._wake_read, self._wake_write = os.pipe()
        self._orders_read, self._orders_write = os.pipe()
        for descriptor in (
            self._deaths_write,
            self._wake_read,
            self._wake_write,
            self._orders_read,
            self._orders_write,
        ):
            os.set_blocking(descriptor, False)
        self._notes = self._half_order = b""
        self._stop_asked = False
        self._draining = False
        self._looked_at = self._trusts_pulses_after = 0.0
        self.children = [
            Child("housekeeping", self._run_housekeeping),
            Child(SCHEDULER, self._run_scheduler),
            *(Child(f"{queue} worker", lambda: 1, slot=slot) for slot, queue in enumerate(self.queue_of_slot)),
        ]
        for name in self.queues:
            for child in self._workers_of(name)[wanted[name] :]:
                child.is_off = True

    @property
    def name(self) -> str:
        """The name under which orders are left for this cluster."""
        return f"{HOST}:{os.getpid()}"

    def _workers_of(self, queue: str) -> list[Child]:
        return [child for child in self.children if child.slot is not None and self.queue_of_slot[child.slot] == queue]

    # --- The main loop ---

    def run(self) -> int:
        """Run until SIGTERM, SIGINT or SIGHUP (its terminal was closed); return the exit code (0: stopped in order)."""
        connections.close_all()
        load_ahead()
        # Children share the memory of everything loaded so far, until the garbage collector would touch it.
        gc.freeze()
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in stop_signals():
            signal.signal(number, self._ask_to_stop)
        outlive_user_signals()
        signal.signal(signal.SIGCHLD, lambda signum, frame: None)
        workers = sum(not child.is_off for child in self.children if child.slot is not None)
        logger.info("cluster of %s: %d workers", ", ".join(self.queues), workers)
        while not self._stop_asked and not self._burst_is_over():
            self._start_missing(self.children)
            self._wait(LOOP_SECONDS)
            self._reap()
            self._kill_overdue()
        return self._shut_down()

    def _burst_is_over(self) -> bool:
        """Return whether every worker of a burst has left; each leaves when its queue is empty, and is not replaced."""
        return self.burst and all(child.is_off for child in self.children if child.slot is not None)

    def _ask_to_stop(self, signum: int, frame: FrameType | None) -> None:
        self._stop_asked = True

    def _wait(self, seconds: float) -> None:
        """Sleep until a signal (SIGCHLD, SIGTERM, SIGINT) or an order arrives, or the time is up; obey the orders."""
        ready, _, _ = select.select([self._wake_read, self._orders_read], [], [], seconds)
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)
        if self._orders_read in ready:
            *lines, self._half_order = (self._half_order + os.read(self._orders_read, 65536)).split(b"\n")
            for order in filter(None, map(read_order, lines)):
                self._obey(order)

    def _start_missing(self, children: list[Child]) -> None:
        now = time.monotonic()
        for child in children:
            if child.pid or child.is_off or now < child.start_after:
                continue
            child.started_at = now
            child.kill_reason = ""
            if child.slot is None:
                child.pid = fork_child(child.start)
            else:
                self._start_worker(child, child.slot)

    def _start_worker(self, child: Child, slot: int) -> None:
        queue = self.queue_of_slot[slot]
        consumer = f"{self.name}:{queue}:{slot}:{uuid4().hex[:8]}"
        self.slots.prepare(slot, consumer)
        child.pid = fork_child(lambda: self._run_worker(queue, consumer, slot))
        self.slots.assign(slot, child.pid)

    def _reap(self) -> None:
        self._send_notes()
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = next((child for child in self.children if child.pid == pid), None)
            if child:
                self._on_child_exit(child, os.waitstatus_to_exitcode(status))

    def _on_child_exit(self, child: Child, exit_code: int) -> None:
        if child.slot is not None:
            self._give_back_jobs(child, child.slot, exit_code)
        child.pid = 0
        child.is_off = child.is_off or (self.burst and child.slot is not None and exit_code == 0)
        if self._draining or child.is_off:
            return
        reason = child.kill_reason or describe_exit(exit_code)
        logger.warning("%s %s; starting another", child.name, reason)
        young = time.monotonic() - child.started_at < YOUNG_SECONDS
        child.quick_deaths = child.quick_deaths + 1 if young else 0
        if child.quick_deaths > 1:
            child.start_after = time.monotonic() + min(MAX_RESTART_DELAY_SECONDS, 0.5 * 2 ** (child.quick_deaths - 2))

    def _give_back_jobs(self, child: Child, slot: int, exit_code: int) -> None:
        """Kill the processes that the worker's task started, and ask housekeeping to recover its jobs."""
        _, consumer = self.slots.consumers()[slot]
        is_ours = self._draining and exit_code == -signal.SIGKILL
        note = {
            "queue": self.queue_of_slot[slot],
            "consumer": consumer,
            "reason": child.kill_reason or describe_exit(exit_code),
            "running": [] if is_ours else self.slots.running(slot),
            "written": [] if is_ours else self.slots.being_written(slot),
        }
        self.slots.clear(slot)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        if len(self._notes) > MAX_NOTES_BYTES:
            logger.warning("housekeeping does not listen: %s is given up when its heartbeat has been missing", consumer)
            return
        self._notes += json.dumps(note).encode() + b"\n"
        self._send_notes()

    def _send_notes(self) -> None:
        """Write as many notes to housekeeping as the pipe takes; the rest waits for the next turn."""
        with suppress(BlockingIOError):
            while self._notes:
                self._notes = self._notes[os.write(self._deaths_write, self._notes) :]

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        if now - self._looked_at > FROZEN_SECONDS / 2:
            # This process was frozen, very likely together with its children.
            self._trusts_pulses_after = now + FROZEN_SECONDS
        self._looked_at = now
        for child in self.children:
            if child.slot is None or not child.pid or child.kill_reason:
                continue
            kill_at = self.slots.kill_at(child.slot)
            if kill_at and now > kill_at:
                child.kill_reason = "did not end at its time limit and was killed"
                kill_group(child.pid)
            elif not kill_at and now > max(self._trusts_pulses_after, self.slots.pulse_at(child.slot) + FROZEN_SECONDS):
                child.kill_reason = "was frozen and was killed"
                kill_group(child.pid)

    # --- Orders ---

    def _obey(self, order: Order) -> None:
        """Do what an order says, within the bounds of `orders`."""
        workers = self._workers_of(order.queue)
        names = {index: name for index, (_, name) in self.slots.consumers().items()}
        named = next((child for child in workers if child.pid and names.get(child.slot or 0) == order.worker), None)
        if self._draining:
            return
        if order.verb == "grow":
            self._add_worker(workers)
        elif order.verb == "shrink":
            self._take_away(workers, min((child for child in workers if not child.is_off), key=self._use, default=None))
        elif order.verb == "stop":
            self._take_away(workers, named)
        elif named and named.slot is not None and self.slots.mode(named.slot) is not Mode.STOPPING:
            logger.info("%s %s: %s", named.name, named.pid, order.verb)
            self.slots.set_mode(named.slot, Mode.QUIET if order.verb == "quiet" else Mode.WORKING)

    def _add_worker(self, workers: list[Child]) -> None:
        free = next((child for child in workers if child.is_off and not child.pid), None)
        if free is None:
            logger.warning("no place is left for another worker")
            return
        logger.info("another %s starts", free.name)
        free.is_off, free.quick_deaths, free.start_after = False, 0, 0.0

    def _take_away(self, workers: list[Child], child: Child | None) -> None:
        """Let a worker end after the job it has, and start no other in its place; the last one of its queue stays."""
        if child is None or child.slot is None or sum(not other.is_off for other in workers) < 2 or child.is_off:
            logger.warning("no worker is stopped: it is gone, or the last one of its queue")
            return
        logger.info("%s %s stops", child.name, child.pid)
        child.is_off = True
        self.slots.set_mode(child.slot, Mode.STOPPING)
        self._signal([child], signal.SIGUSR2)

    def _use(self, child: Child) -> tuple[bool, bool, int]:
        """Order the workers: one that rests comes first, then an idle one, of several the last."""
        slot = child.slot or 0
        return (self.slots.mode(slot) is not Mode.QUIET, bool(self.slots.job_id(slot)), -slot)

    # --- Stopping ---

    def _shut_down(self) -> int:
        """Drain the workers within the grace period, then stop the other processes; return the exit code."""
        self._draining = True
        workers = [child for child in self.children if child.slot is not None]
        others = [child for child in self.children if child.slot is None]
        logger.info("stopping: waiting for running jobs")
        # Housekeeping gives back what the workers leave; nobody waits for the scheduler.
        self._signal([child for child in others if child.name == SCHEDULER], signal.SIGUSR2)
        in_order = self._stop_children(workers, engine_config().grace_seconds)
        in_order = self._stop_children(others, STOP_CHILDREN_SECONDS) and in_order
        logger.info("stopped")
        return 0 if in_order else 1

    def _stop_children(self, children: list[Child], seconds: float) -> bool:
        """Ask these children to stop, wait, kill those that are left; return whether none had to be killed."""
        deadline = time.monotonic() + seconds
        self._signal(children, signal.SIGUSR2)
        while any(child.pid for child in children) and time.monotonic() < deadline:
            self._wait(min(LOOP_SECONDS, max(0.0, deadline - time.monotonic())))
            self._reap()
            self._kill_overdue()
            # A process may have been too young to handle the first signal.
            self._signal(children, signal.SIGUSR2)
        stubborn = [child for child in children if child.pid]
        for child in stubborn:
            consequence = "; its job runs again elsewhere" if child.slot is not None else ""
            logger.warning("%s did not stop in %g s and is killed%s", child.name, seconds, consequence)
            kill_group(child.pid)
        while any(child.pid for child in children):
            self._wait(LOOP_SECONDS)
            self._reap()
        return not stubborn

    @staticmethod
    def _signal(children: list[Child], number: signal.Signals) -> None:
        for child in children:
            if child.pid:
                os.kill(child.pid, number)

    # --- Main functions of the children ---

    def _run_housekeeping(self) -> int:
        orders = (f"{HOST}:{os.getppid()}", self._orders_write)
        places = (self.slots, self._deaths_read, self.queue_of_slot)
        return Housekeeping(self.queues, *places, orders, self._helper_client).run()

    def _run_scheduler(self) -> int:
        return SchedulerProcess(self.queues, self._helper_client).run()

    def _run_worker(self, queue: str, consumer: str, slot: int) -> int:
        worker = Worker(queue, consumer, self._client, slots=self.slots, slot_index=slot)
        # The messages of one fetch are thousands of dicts, which all go together: looking through them meanwhile finds nothing.
        gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)

        def stop(signum: int, frame: FrameType | None) -> None:
            worker.stopping = True

        signal.signal(signal.SIGUSR2, stop)
        capture_logs()
        # A line that cannot be written (its stream closed, an argument without text) is no reason to lose jobs.
        logging.raiseExceptions = False
        Watchdog(worker).install()
        Pulse(worker.slot).start()
        worker.run_forever(until_empty=self.burst)
        return 0


def load_ahead() -> None:
    """Load and compute, without asking any server, what every child would for itself, so that they share it."""
    job_store()
    for model in apps.get_models():
        # Django compiles expressions, and gathers the columns of a model, for the first query that needs them.
        rows = model._default_manager.alias(one=Value(1)).filter(pk__isnull=False).order_by("-pk")
        _ = str(rows.query)


def kill_group(pid: int) -> None:
    """Send SIGKILL to a child that was not yet waited for, and to its process group."""
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def describe_exit(exit_code: int) -> str:
    """Return a description of how a process ended."""
    if exit_code < 0:
        return f"was killed by {signal.Signals(-exit_code).name}"
    return f"exited with code {exit_code}"
