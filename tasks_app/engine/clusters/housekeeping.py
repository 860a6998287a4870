"""The housekeeping process of a cluster: heartbeats, delayed jobs, jobs of dead workers and hosts. Needs no database."""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import time
from types import FrameType
from typing import Any

import redis

from tasks_app.engine.clusters.clocks import ClockGuard
from tasks_app.engine.clusters.orders import take_orders
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import RedisClient, helper_client
from tasks_app.engine.consumers import describe_worker
from tasks_app.engine.lanes import holders_without_beat, queue_parts, recover_lanes
from tasks_app.engine.metrics.jobs import JOBS_RECOVERED, WORKER_LOSSES, cause_of_loss
from tasks_app.engine.scripts import run_scripts
from tasks_app.engine.slots import Slots
from tasks_app.engine.streams import JobQueue

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 60.0
# A Redis that is away when the cluster stops is waited for so long; less than the supervisor waits for this process.
GIVE_UP_SECONDS = 2.0
# Interval between two looks at the delayed jobs when none is known to be due earlier.
IDLE_SECONDS = 0.5


class Housekeeping:
    """Sends heartbeats, queues delayed jobs and recovers the jobs of the dead.

    `deaths_fd` is the pipe on which the supervisor names workers that died, one JSON line each; `orders` are the name of the
    cluster and the pipe on which the supervisor reads orders that were left for it.
    """

    def __init__(
        self,
        queues: list[str],
        slots: Slots,
        deaths_fd: int,
        queue_of_slot: list[str],
        orders: tuple[str, int] | None = None,
        client: RedisClient | None = None,
    ) -> None:
        self._client = client or helper_client()
        self._orders = orders
        self._looked_for_orders_at = 0.0
        self.slots = slots
        self.deaths_fd = deaths_fd
        self.queue_of_slot = queue_of_slot
        self.stopping = False
        self._gives_up_at = 0.0
        self._queue_names = queues
        self._deaths: list[dict[str, Any]] = []
        self._beat_at = 0.0
        self._swept_at = time.monotonic()
        self._clocks = {name: ClockGuard() for name in queues}
        # Queue -> since when its Redis answers without a pause (time.monotonic).
        self._answered_since: dict[str, float] = {}
        self._partial = b""

    def run(self) -> int:
        """Work until SIGUSR2; before leaving, recover the jobs of every worker that was named, unless Redis is away."""
        signal.signal(signal.SIGUSR2, self._stop)
        queues = {name: JobQueue(name, self._client) for name in self._queue_names}
        wait_seconds = 0.0
        while True:
            self._read_deaths(wait_seconds)
            if self.stopping and not self._deaths:
                return 0
            try:
                wait_seconds = self._turn(queues)
            except redis.RedisError as error:
                logger.warning("Redis: %s; trying again", error)
                wait_seconds = IDLE_SECONDS
            except Exception:
                # Without this process no delayed job would run and no lost one be recovered.
                logger.exception("housekeeping: unexpected; trying again")
                wait_seconds = IDLE_SECONDS
            if self.stopping and self._deaths and time.monotonic() > self._gives_up_at:
                logger.warning("leaving %d workers to be found without a heartbeat", len(self._deaths))
                return 0

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        if not self.stopping:
            self._gives_up_at = time.monotonic() + GIVE_UP_SECONDS
        self.stopping = True

    def _read_deaths(self, wait_seconds: float) -> None:
        ready, _, _ = select.select([self.deaths_fd], [], [], wait_seconds)
        if not ready:
            return
        *lines, self._partial = (self._partial + os.read(self.deaths_fd, 65536)).split(b"\n")
        self._deaths += [note for line in lines if (note := _read_note(line))]

    def _turn(self, queues: dict[str, JobQueue]) -> float:
        self._recover_named(queues)
        if self.stopping:
            return IDLE_SECONDS
        if self._orders and time.monotonic() - self._looked_for_orders_at >= IDLE_SECONDS:
            self._pass_on_orders(queues, *self._orders)
        if time.monotonic() - self._beat_at >= engine_config().heartbeat_seconds:
            self._beat(queues)
            self._beat_at = time.monotonic()
        return self._promote(queues)

    def _recover_named(self, queues: dict[str, JobQueue]) -> None:
        """Recover the jobs of the workers that were named.

        A death that Redis refuses waits for the next turn, alone; while it cannot be reached, so do the others of that queue.
        """
        deaths, self._deaths = self._deaths, []
        away: set[str] = set()
        for death in deaths:
            try:
                if death["queue"] not in away:
                    self._recover(queues, death, dead_after_seconds=0)
                    continue
            except redis.RedisError as error:
                logger.warning("the jobs of %s are not given back yet: %s; trying again", death["consumer"], error)
                if not isinstance(error, redis.ResponseError):
                    away.add(death["queue"])
            self._deaths.append(death)

    def _recover(self, queues: dict[str, JobQueue], death: dict[str, Any], dead_after_seconds: float) -> None:
        queue, about = queues[death["queue"]], (death["consumer"], death["reason"])
        jobs = {"running": death["running"], "written": death.get("written", ())}
        # The lanes first: the consumer is forgotten with what it had of the streams.
        of_lanes = recover_lanes(queue, *about, **jobs)
        of_streams = queue.recover(*about, dead_after_seconds=dead_after_seconds, **jobs)
        requeued, ended = of_lanes[0] + of_streams[0], of_lanes[1] + of_streams[1]
        JOBS_RECOVERED.add(requeued, queue.name, "requeued")
        JOBS_RECOVERED.add(ended, queue.name, "ended")
        # Of a host that went silent every other one may take its workers for lost: that counts where jobs are found.
        if (cause := cause_of_loss(death["reason"])) and (not dead_after_seconds or requeued or ended):
            WORKER_LOSSES.add(1, queue.name, cause)
        if requeued or ended:
            logger.warning("%(consumer)s %(reason)s", death)
            logger.warning("its jobs: %d back in the queue, %d ended", requeued, ended)

    def _pass_on_orders(self, queues: dict[str, JobQueue], cluster: str, pipe: int) -> None:
        """Give the supervisor the orders that were left for this cluster; the next heartbeats tell what came of them."""
        self._looked_for_orders_at = time.monotonic()
        for queue in queues.values():
            for line in take_orders(queue.client, queue.keys, cluster):
                try:
                    os.write(pipe, line + b"\n")
                except BlockingIOError:
                    logger.warning("the supervisor does not read: the order %r is lost", line[:200])
                self._beat_at = 0.0

    def _beat(self, queues: dict[str, JobQueue]) -> None:
        """Send the heartbeats of this host's workers; recover the jobs of silent hosts if the clocks can be trusted.

        Each queue by itself: another one may lie on a node that can be reached.
        """
        alive: dict[str, dict[str, str]] = {name: {} for name in queues}
        for index, (pid, consumer) in self.slots.consumers().items():
            queue = self.queue_of_slot[index]
            if self._is_cut_off(index, queue):
                logger.warning("%s has no connection to Redis: its jobs and lanes are given to others", consumer)
                continue
            alive[queue][consumer] = describe_worker(
                pid,
                self.slots.job_id(index),
                self.slots.started_at(index).isoformat(),
                mode=self.slots.mode(index).name.lower(),
                most_workers=self.queue_of_slot.count(queue),
                pulse_age_seconds=max(0.0, time.monotonic() - self.slots.pulse_at(index)),
            )
        must_sweep = time.monotonic() - self._swept_at > SWEEP_SECONDS
        for name, job_queue in queues.items():
            try:
                self._beat_queue(job_queue, alive[name], must_sweep=must_sweep)
            except redis.RedisError as error:
                logger.warning("heartbeats of %s: %s; trying again", name, error)
                self._answered_since.pop(name, None)
        if must_sweep:
            self._swept_at = time.monotonic()

    def _is_cut_off(self, index: int, queue: str) -> bool:
        """Return whether Redis does not answer this worker for so long, and answers this process all the while.

        It may have no connection left, or be reached by another way. Without a heartbeat the worker is taken for dead.
        """
        now, patience = time.monotonic(), engine_config().dead_after_seconds
        first, last = self.slots.redis_failures(index)
        # One that waits for something else, as for PostgreSQL, did not fail lately.
        is_failing = first and now - first > patience > now - last
        return bool(is_failing and now - self._answered_since.get(queue, now) > patience)

    def _beat_queue(self, queue: JobQueue, alive: dict[str, str], *, must_sweep: bool) -> None:
        silent, redis_time = queue.beat(alive)
        clock = self._clocks[queue.name]
        is_first_round = clock.is_new
        self._answered_since.setdefault(queue.name, time.monotonic())
        if not clock.agree(redis_time):
            self._answered_since[queue.name] = time.monotonic()
            if not is_first_round:
                logger.warning(
                    "Redis's clock or this process stood still or jumped: no worker of %s is declared dead in this round",
                    queue.name,
                )
            return
        for consumer in silent:
            self._recover_silent(queue, consumer, "its host went silent")
        if must_sweep:
            self._sweep(queue)

    def _sweep(self, queue: JobQueue) -> None:
        """Recover the jobs and lanes of workers whose heartbeats Redis lost."""
        for consumer in {*queue.consumers_without_beat(idle_seconds=SWEEP_SECONDS), *holders_without_beat(queue)}:
            self._recover_silent(queue, consumer, "it has no heartbeat")

    def _recover_silent(self, queue: JobQueue, consumer: str, reason: str) -> None:
        death = {"queue": queue.name, "consumer": consumer, "reason": reason, "running": None}
        self._recover({queue.name: queue}, death, engine_config().dead_after_seconds)

    @staticmethod
    def _promote(queues: dict[str, JobQueue]) -> float:
        """Queue the delayed jobs that are due; return the seconds until the next look."""
        client = next(iter(queues.values())).client
        parts = queue_parts(queues, client)
        seconds = IDLE_SECONDS
        answers = run_scripts(client, [part.promote_call() for part in parts], raise_errors=False)
        for part, answer in zip(parts, answers, strict=True):
            if isinstance(answer, redis.RedisError):
                # The other queues are promoted all the same.
                logger.warning("queue %s: %s; trying again", part.name, answer)
                continue
            moved, next_ms = answer
            if moved:
                part.ring()
                seconds = 0.0
            elif next_ms >= 0:
                seconds = min(seconds, next_ms / 1000)
        return seconds


def _read_note(line: bytes) -> dict[str, Any] | None:
    """Read a note of the supervisor; None for the end of a line whose beginning a killed process has read."""
    try:
        note = json.loads(line)
        return note if isinstance(note, dict) and {"queue", "consumer", "reason", "running"} <= note.keys() else None
    except ValueError:
        logger.warning("half a note of a death: its jobs are given back when its heartbeat has been missing")
        return None
