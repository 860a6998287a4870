"""A queue with lanes as one of its workers sees it: the streams, and the lanes whose leases it holds."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

from tasks_app.engine.connection import RedisClient
from tasks_app.engine.errors import LaneLost
from tasks_app.engine.job_fields import read_text
from tasks_app.engine.lanes.leases import Leases
from tasks_app.engine.lanes.parts import lanes_of
from tasks_app.engine.records import job_store
from tasks_app.engine.scripts import Call, run_scripts
from tasks_app.engine.states import JobState
from tasks_app.engine.streams import BELL_ENTRIES, ClaimedAttempt, Fetched, JobQueue

T = TypeVar("T")
# So many jobs are fetched from one lane before the next.
LEAST_OF_LANE = 16


class WorkerQueue(JobQueue):
    """The steps of a worker, each in one round trip for the streams and all its lanes."""

    def __init__(self, name: str, client: RedisClient, consumer: str) -> None:
        super().__init__(name, client)
        self._streams = JobQueue(name, client)
        self._lanes = lanes_of(name, client)
        self.leases = Leases(self._streams, self._lanes, consumer)
        # Bell and streams -> id of the last entry that this worker knows of.
        self._heard: dict[bytes, bytes] = {}
        self._lanes_first = False
        self._first_lane = 0

    # --- Fetching ---

    def fetch(self, consumer: str, count: int, *, own: bool = False) -> Fetched:
        """Begin the attempts of up to `count` jobs: in turns those of lanes and those of the streams, if there are both."""
        self.leases.look_if_due()
        if own:
            return self._fetch_own(consumer, count)
        self._lanes_first = not self._lanes_first
        fetched = (self._fetch_from_lanes if self._lanes_first else self._streams.fetch)(consumer, count)
        if fetched.claims or fetched.paused:
            return fetched
        others = (self._streams.fetch if self._lanes_first else self._fetch_from_lanes)(consumer, count)
        return Fetched(others.paused, others.claims, others.dropped + fetched.dropped)

    def _fetch_own(self, consumer: str, count: int) -> Fetched:
        fetched = self._streams.fetch(consumer, count, own=True)
        claims, dropped = self._run_fetches(dict.fromkeys(self.leases.held, count), consumer, own=True)
        return Fetched(fetched.paused, fetched.claims + claims, fetched.dropped + dropped)

    def _fetch_from_lanes(self, consumer: str, count: int) -> Fetched:
        """Fetch some jobs of each lane, a share of them at least: the parts of one call stand in many, and end it together."""
        paused, paused_tasks, waiting = self._waiting()
        dropped = 0
        while waiting and not paused:
            chosen: dict[int, int] = {}
            room = count
            share = max(LEAST_OF_LANE, -(-room // len(waiting)))
            while waiting and room > 0:
                number, there = waiting.popitem()
                chosen[number] = min(room, there, share)
                room -= chosen[number]
            claims, more_dropped = self._run_fetches(chosen, consumer, paused_tasks=paused_tasks)
            dropped += more_dropped
            if claims:
                # The lane that was served last waits for all others.
                self._first_lane = [*chosen][-1] + 1
                return Fetched(False, claims, dropped)
        return Fetched(paused, [], dropped)

    def _waiting(self) -> tuple[bool, list[str], dict[int, int]]:
        """Return whether the queue is paused, its paused tasks, and how many jobs wait in each lane that has some.

        The lane to serve next comes last.
        """
        if not self.leases.held:
            return False, [], {}
        numbers = sorted(
            self.leases.held, key=lambda number: (number - self._first_lane) % len(self._lanes), reverse=True
        )
        pipe = self.client.pipeline(transaction=False)
        pipe.exists(self.keys.paused)
        pipe.hgetall(self.keys.paused_tasks)
        for number in numbers:
            pipe.zcard(self._lanes[number].keys.queued)
        paused, marks, *counts = pipe.execute()
        tasks = [read_text(task) for task, mark in marks.items() if mark]
        return bool(paused), tasks, {number: count for number, count in zip(numbers, counts, strict=True) if count}

    def _run_fetches(
        self, counts: dict[int, int], consumer: str, *, own: bool = False, paused_tasks: Collection[str] = ()
    ) -> tuple[list[ClaimedAttempt], int]:
        if not counts:
            return [], 0
        options: dict[str, Any] = {"own": own, "paused_tasks": paused_tasks}
        calls = [self._lanes[number].fetch_call(consumer, count, **options) for number, count in counts.items()]
        claims: list[ClaimedAttempt] = []
        dropped = 0
        for number, answer in zip(counts, run_scripts(self.client, calls), strict=True):
            if not answer[0]:
                self.leases.forget(number)
                continue
            fetched = self._lanes[number].fetched(answer)
            claims += fetched.claims
            dropped += fetched.dropped
        return claims, dropped

    def wait(self, consumer: str, milliseconds: int) -> bool:
        """Block until the bell rings for this worker, a job comes to a stream or the time is up; then `fetch`.

        Nothing is delivered here: returns False, the first time at once.
        """
        if not self._heard:
            # From now on nothing is missed. What came before is there to be fetched.
            self._heard = self._newest()
            return False
        bell = self.keys.bell.encode()
        until = time.monotonic() + milliseconds / 1000
        while (seconds := until - time.monotonic()) > 0:
            block_ms = max(1, int(seconds * 1000))
            answer = dict(self.client.xread(self._heard, count=BELL_ENTRIES, block=block_ms) or [])
            self._heard |= {stream: entries[-1][0] for stream, entries in answer.items()}
            if not answer or answer.keys() - {bell} or self._is_called_by(answer[bell]):
                break
        return False

    def _newest(self) -> dict[bytes, bytes]:
        names = [self.keys.bell.encode(), *(stream.encode() for stream in self.keys.streams)]
        pipe = self.client.pipeline(transaction=False)
        for name in names:
            pipe.xrevrange(name, count=1)
        answers = pipe.execute()
        return {name: entries[0][0] if entries else b"0-0" for name, entries in zip(names, answers, strict=True)}

    def _is_called_by(self, entries: Sequence[tuple[bytes, dict[bytes, bytes]]]) -> bool:
        """Return whether these entries of the bell call this worker."""
        lanes = {fields.get(b"l") for _, fields in entries}
        if b"*" in lanes:
            self.leases.look_soon()
        mine = {b"", b"*", *(b"%d" % number for number in self.leases.held)}
        return bool(lanes & mine) or len(entries) >= BELL_ENTRIES

    # --- Ending attempts ---

    def finish(self, ended: list[tuple[ClaimedAttempt, JobState]]) -> int:
        """Remove jobs from the queue in their final state; return how many attempts still owned their job."""
        return sum(self._run_by_part(ended, lambda pair: pair[0], lambda part, pairs: part.finish_call(pairs)))

    def release(self, claims: list[ClaimedAttempt]) -> int:
        """Return claims that did not run to the queue; return how many were still owned."""
        released = sum(self._run_by_part(claims, lambda claim: claim, lambda part, some: part.release_call(some)))
        if any(claim.lane is None for claim in claims):
            self.ring()
        return released

    def still_owned(self, claims: list[ClaimedAttempt]) -> set[str]:
        """Return the stream ids of the attempts whose jobs were not taken over."""
        groups = _by_lane(claims, lambda claim: claim)
        calls = [self._part(lane).still_owned_call(some) for lane, some in groups.items()]
        owned: set[str] = set()
        for some, answers in zip(groups.values(), run_scripts(self.client, calls), strict=True):
            owned |= {claim.stream_id for claim, is_owned in zip(some, answers, strict=True) if is_owned}
        return owned

    def retry(self, claim: ClaimedAttempt, delay_seconds: float, failures: list[dict[str, Any]]) -> bool:
        """Delay the job of a failed attempt; return False if the attempt no longer owned it."""
        return self._part(claim.lane).retry(claim, delay_seconds, failures)

    def progress(self, claims: Sequence[ClaimedAttempt], progress: dict[str, Any] | None) -> list[int]:
        """Write progress of claims that run together; return as `JobQueue.progress`."""
        groups = _by_lane(claims, lambda claim: claim)
        calls = [self._part(lane).progress_call(some, progress) for lane, some in groups.items()]
        found: dict[str, int] = {}
        for some, answers in zip(groups.values(), run_scripts(self.client, calls), strict=True):
            found |= zip((claim.job_id for claim in some), answers, strict=True)
        return [found[claim.job_id] for claim in claims]

    def hold_lanes(self, lanes: Collection[int]) -> None:
        """Let no other worker have these lanes before the present transaction ends. Raises LaneLost if another has one."""
        epochs = job_store().hold_lanes(self.name, lanes)
        lost = [lane for lane in lanes if epochs.get(lane) != self.leases.held.get(lane, 0)]
        if lost:
            raise LaneLost(f"Lane {lost[0]} of queue {self.name!r} is another worker's.", lost)

    def _part(self, lane: int | None) -> JobQueue:
        return self._streams if lane is None else self._lanes[lane]

    def _run_by_part(
        self, items: list[T], claim_of: Callable[[T], ClaimedAttempt], call: Callable[[JobQueue, list[T]], Call]
    ) -> list[Any]:
        calls = [call(self._part(lane), some) for lane, some in _by_lane(items, claim_of).items()]
        return run_scripts(self.client, calls) if calls else []


def _by_lane(items: Iterable[T], claim_of: Callable[[T], ClaimedAttempt]) -> dict[int | None, list[T]]:
    groups: dict[int | None, list[T]] = defaultdict(list)
    for item in items:
        groups[claim_of(item).lane].append(item)
    return groups
