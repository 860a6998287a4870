"""The soak: load, faults, the wait for the last job, the check of the ledger."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID, uuid4

import psutil
import redis
from django.core.management import call_command
from django.db import Error as DatabaseError
from django.db import connection, connections
from django.db.models import QuerySet

from tasks_app.engine.connection import client
from tasks_app.engine.errors import EngineError
from tasks_app.engine.keys import GROUP
from tasks_app.engine.live import queue_stats
from tasks_app.engine.streams import JobQueue
from tasks_app.models import Job
from trackerproject.dev.local_servers.places import Places
from trackerproject.dev.soak.faults import QUEUES, Saboteur, SoakCluster, listens
from trackerproject.dev.soak.ledger import count_effects, create_ledger
from trackerproject.dev.soak.tasks import ledger_job, ledger_notification
from trackerproject.dev.soak.trackers import SoakTrackers

FAULT_EVERY_SECONDS = (2.0, 7.0)
# A host must be frozen for longer than the 8 s after which it is called dead.
FROZEN_SECONDS = 11.0
JOBS_PER_SECOND = 60
# About half of what four workers can do: what waits at the end waits because of a fault.
WORK_SECONDS = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.01, 0.3)
DRAIN_SECONDS = 90.0
STOP_SECONDS = 35.0
STOPS_AT_ONCE = 4


class Soak:
    """One run."""

    def __init__(self, logs: Path, seed: int) -> None:
        self.clusters = [SoakCluster(name, logs / f"qcluster-{name}.log") for name in ("a", "b")]
        # .local/soak/log -> the directory of the clone
        self.trackers = SoakTrackers(logs / "gateway.log")
        self.saboteur = Saboteur(self.clusters, self.trackers, Places.of(logs.parents[2], logs.parent.name), seed)
        self.accepted: list[UUID] = []
        self.refused = 0
        self._random = random.Random(seed + 1)  # noqa: S311 - a plan that can be repeated
        self._unsure: list[tuple[UUID, tuple[float, str]]] = []

    def run(self, seconds: float, stops: int) -> int:
        """Return the exit code."""
        self._prepare()
        with self._clusters_running():
            self._break_things(seconds)
            drained_in = self._drain()
            self.saboteur.thaw()
            codes = [self.trackers.stop()]
            codes += [cluster.stop(STOP_SECONDS) for cluster in self.clusters if cluster.process]
        problems = self._report(drained_in, codes)
        problems += stop_often(self.clusters[0].log.with_name("qcluster-stops.log"), stops)
        for problem in problems:
            print(f"soak: WRONG: {problem}")
        print("soak: everything is in order" if not problems else f"soak: {len(problems)} things are wrong", flush=True)
        return 1 if problems else 0

    def _prepare(self) -> None:
        for cluster in self.clusters:
            cluster.log.unlink(missing_ok=True)
        call_command("migrate", verbosity=0)
        Job.objects.all().delete()
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE django_q_schedule CASCADE")
        create_ledger()
        client().flushdb()
        self.trackers.prepare()

    @contextmanager
    def _clusters_running(self) -> Iterator[None]:
        try:
            self._keep_running()
            yield
        finally:
            self.trackers.stop()
            for cluster in self.clusters:
                if cluster.process is not None and cluster.process.poll() is None:
                    cluster.process.kill()
                    cluster.process.wait()

    def _keep_running(self) -> None:
        """Start what has ended."""
        for cluster in self.clusters:
            cluster.keep_running()
        self.trackers.keep_running()

    # --- Load and faults ---

    def _break_things(self, seconds: float) -> None:
        started_at = time.monotonic()
        next_fault = self._random.uniform(*FAULT_EVERY_SECONDS)
        thaw_at = 0.0
        while (elapsed := time.monotonic() - started_at) < seconds:
            tick_ends = time.monotonic() + 0.25
            self._keep_running()
            self._enqueue(int(JOBS_PER_SECOND * 0.25))
            self.trackers.send_some()
            if thaw_at and elapsed > thaw_at:
                self.saboteur.thaw()
                thaw_at = 0.0
            if elapsed > next_fault and not thaw_at:
                name = self.saboteur.strike()
                thaw_at = elapsed + FROZEN_SECONDS if name.endswith("frozen") else 0.0
                next_fault = elapsed + self._random.uniform(*FAULT_EVERY_SECONDS)
                if name:
                    print(f"{elapsed:6.1f} s  {name}", flush=True)
            time.sleep(max(0.0, tick_ends - time.monotonic()))

    def _enqueue(self, count: int) -> None:
        """Enqueue jobs, repeating those without an answer under the same id until they are accepted."""
        fresh = [(uuid4(), (self._random.choice(WORK_SECONDS), "")) for _ in range(count)]
        fresh += [(uuid4(), (3.0, "long"))] if self._random.random() < 0.05 else []
        calls, self._unsure = [*self._unsure, *fresh], []
        for job_id, arguments in calls:
            task = ledger_job if job_id.int % 3 else ledger_notification
            countdown = 1.0 if job_id.int % 10 == 0 else None
            try:
                if self._unsure:
                    raise EngineError  # Redis is away: do not wait for it once per job.
                task.apply_async(arguments, job_id=job_id, countdown=countdown)
            except EngineError:
                self.refused += 1
                self._unsure.append((job_id, arguments))
            else:
                self.accepted.append(job_id)

    def _drain(self) -> float:
        """Wait until every accepted job has ended; return the seconds it took."""
        self.saboteur.thaw()
        started_at = time.monotonic()
        while time.monotonic() - started_at < DRAIN_SECONDS:
            self._keep_running()
            if self._unsure:
                self._enqueue(0)
            elif patiently(self._is_settled):
                break
            time.sleep(0.25)
        return time.monotonic() - started_at

    def _is_settled(self) -> bool:
        """Whether every job has ended, and all that trackers sent is stored."""
        if ledger_jobs().count() < len(self.accepted) or not self.trackers.is_settled():
            return False
        return not any(
            stats.depth + stats.running + stats.scheduled + stats.retrying for stats in queue_stats(client())
        )

    # --- The books ---

    def _report(self, drained_in: float, codes: list[int]) -> list[str]:
        states = {state: ledger_jobs().filter(state=state).count() for state in ("succeeded", "failed", "cancelled")}
        known = {str(job_id) for job_id in self.accepted}
        stored = {str(job_id) for job_id in ledger_jobs().values_list("pk", flat=True)}
        repeated = ledger_jobs().filter(attempt_count__gt=1).count()
        effects = count_effects()
        orphans = [pid for cluster in self.clusters for pid in cluster.orphans()]
        left = {
            stats.name: stats.depth + stats.running + stats.scheduled + stats.retrying
            for stats in queue_stats(client())
        }
        consumers = sum(count_consumers(JobQueue(name, client())) for name in QUEUES)
        rows: list[tuple[str, object]] = [
            *sorted(self.saboteur.counts.items()),
            ("faults in all", sum(self.saboteur.counts.values())),
            ("cluster starts", sum(cluster.starts for cluster in self.clusters)),
            ("jobs accepted", len(self.accepted)),
            ("enqueues refused, then repeated", self.refused),
            ("jobs succeeded / failed / cancelled", " / ".join(str(count) for count in states.values())),
            ("jobs that needed more than one attempt", repeated),
            ("effects", effects),
            ("results lost", len(known - stored)),
            ("last job ended after", f"{drained_in:.1f} s"),
            ("left in the queues", sum(left.values())),
            ("consumers left", consumers),
            ("orphan processes", len(orphans)),
            ("exit codes of the last stop", codes),
            *self.trackers.rows(),
        ]
        print("\n".join(f"  {name:<42} {value}" for name, value in rows), flush=True)
        checks = {
            "accepted = finished": known == stored,
            "every job succeeded": states["succeeded"] == len(known),
            "one effect per job": effects == len(known),
            "queues are empty": not any(left.values()),
            "no consumer is left": consumers == 0,
            "no process is left": not orphans,
            "the last stop exits 0": not any(codes),
        }
        return [f"not so: {name}" for name, holds in checks.items() if not holds] + self.trackers.problems()


def ledger_jobs() -> QuerySet[Job]:
    """The jobs that keep the ledger; what trackers send makes others."""
    return Job.objects.filter(task__startswith="ledger_")


def count_consumers(queue: JobQueue) -> int:
    """Consumers the groups of a queue still know."""
    return sum(len(client().xinfo_consumers(stream, GROUP)) for stream in queue.keys.streams if client().exists(stream))


def patiently(question: Callable[[], bool]) -> bool:
    """Return the answer of the servers, False while they are unavailable."""
    try:
        return question()
    except (DatabaseError, redis.RedisError):
        connections.close_all()
        return False


def stop_often(log: Path, times: int) -> list[str]:
    """Stop clusters again and again, some side by side, at any moment of their lives, alone or with their whole group."""
    generator = random.Random(times)  # noqa: S311 - a plan that can be repeated
    log.unlink(missing_ok=True)
    clusters = [SoakCluster(f"stop {number}", log) for number in range(STOPS_AT_ONCE)]
    longest, problems = 0.0, []
    for _ in range(-(-times // STOPS_AT_ONCE)):
        for cluster in clusters:
            cluster.keep_running()
        patient_until = time.monotonic() + STOP_SECONDS
        while not all(listens(cluster.pid) for cluster in clusters) and time.monotonic() < patient_until:
            time.sleep(0.01)
        ledger_job.enqueue_many([(0.02, "stop")] * generator.randrange(40))
        time.sleep(generator.uniform(0.0, 4.0))
        for cluster in clusters:
            signal_cluster(cluster, generator)
        before = time.monotonic()
        for cluster in clusters:
            code = cluster.wait(STOP_SECONDS)
            if code:
                problems.append(f"a stop exited with {code}; see {log}")
        longest = max(longest, time.monotonic() - before)
    if times:
        print(f"  {'stops, longest':<42} {sum(cluster.starts for cluster in clusters)}, {longest:.1f} s", flush=True)
    return problems + [f"process {pid} outlived its stop" for cluster in clusters for pid in cluster.orphans()]


def signal_cluster(cluster: SoakCluster, choice: random.Random) -> None:
    """SIGTERM or SIGINT, once or twice, to the supervisor or to all."""
    processes = cluster.processes()
    for process in (processes if choice.random() < 0.5 else processes[:1]) * choice.choice((1, 2)):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(choice.choice((signal.SIGTERM, signal.SIGINT)))
