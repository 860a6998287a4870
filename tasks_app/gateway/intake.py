"""Frames of trackers, gathered: what arrives while others is taken in is the next to be taken in, in one call.

A parcel is taken in when its session is open, its fixes are in the position buffer, those that cannot be right are in the
quarantine, and the job of its command's answer is enqueued. Only then it is acknowledged. Else its connection tries again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Protocol

from django.utils import timezone
from redis import RedisError

from tasks_app.engine import QueueFull, QueueUnavailable, get_task
from tasks_app.engine.storable import storable_text
from tasks_app.gateway.threads import AWAY, Pool, in_database, report
from tasks_app.ingest.trackers.base import CommandAnswer, Decoded
from tasks_app.services.intake import TrackerMessages, quarantine_of_trackers, take_in_of_trackers
from tasks_app.services.trackers import SessionOpening, open_sessions

logger = logging.getLogger(__name__)

GATHER_SECONDS = 0.003
MAX_TOGETHER = 500
HANDED_BACK_AT_ONCE = 32
# Parcels and messages that wait; what arrives then waits undecoded in its connection.
MAX_WAITING_PARCELS = 20_000
MAX_WAITING_MESSAGES = 50_000
# For so long after a command a state of the relay may be its effect.
EFFECT_SECONDS = 900.0
# Of an answer; no more of its text is kept, and no command has a longer name.
MAX_ANSWER_CHARACTERS, MAX_NAME_CHARACTERS = 1000, 200
ANSWER_TASK, RELAY_TASK = "record_command_answer", "record_relay_state"


class Sender(Protocol):
    """The connection that a parcel came by."""

    def outcome(self, parcel: Parcel) -> None:
        """Acknowledge the parcel if it was taken in, else try again later."""


@dataclass(slots=True)
class Parcel:
    """Frames of one device that one connection sent at once; `opening` where its session has to be opened first."""

    sender: Sender
    protocol: str
    unique_id: str
    frames: list[TrackerMessages]
    decoded: list[tuple[bytes, Decoded]]
    answers: list[CommandAnswer] = field(default_factory=list)
    opening: SessionOpening | None = None
    received_at: float = 0.0
    # When a command was last written to this connection.
    commanded_at: float = float("-inf")
    message_count: int = 0
    fence: int = 0
    is_taken: bool = False
    # Of its answers, those of which jobs were made: when its frames are tried again, they are left out.
    answered: int = 0
    # A fault of ours: it will never be taken in.
    is_broken: bool = False

    def __post_init__(self) -> None:
        self.message_count = sum(len(frame.messages) for frame in self.frames)

    @property
    def has_rejected(self) -> bool:
        """Whether fixes of it have to be quarantined."""
        return any(frame.rejected for frame in self.frames)


class Intake:
    """Takes in parcels: one thread for Redis, one for the quarantine, which nobody else waits for."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._redis = Pool("intake")
        self._database = Pool("quarantine")
        self._waiting: deque[Parcel] = deque()
        self._messages = 0
        self._running = 0
        self._wake = asyncio.Event()
        self._quarantines: set[asyncio.Task[None]] = set()
        self._is_away = False

    @property
    def is_idle(self) -> bool:
        """Whether every parcel has its outcome."""
        return not (self._waiting or self._running or self._quarantines)

    def offer(self, parcel: Parcel) -> bool:
        """Take in a parcel, of which its sender hears; return False, and do nothing, where too many wait."""
        if len(self._waiting) >= MAX_WAITING_PARCELS or self._messages >= MAX_WAITING_MESSAGES:
            return False
        self._waiting.append(parcel)
        self._messages += parcel.message_count
        self._wake.set()
        return True

    async def run(self) -> None:
        """Take in what is offered, until cancelled."""
        while True:
            await self._wake.wait()
            if len(self._waiting) < MAX_TOGETHER:
                await asyncio.sleep(GATHER_SECONDS)
            parcels = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_TOGETHER))]
            self._messages -= sum(parcel.message_count for parcel in parcels)
            if not self._waiting:
                self._wake.clear()
            self._running = len(parcels)
            await self._take_in(parcels)
            self._running = 0

    def close(self) -> None:
        """End the threads."""
        self._redis.close()
        self._database.close()

    async def _take_in(self, parcels: list[Parcel]) -> None:
        if rejected := [parcel for parcel in parcels if parcel.has_rejected]:
            task = asyncio.create_task(self._quarantine(rejected))
            self._quarantines.add(task)
            task.add_done_callback(self._quarantines.discard)
            parcels = [parcel for parcel in parcels if not parcel.has_rejected]
        await self._run(parcels)

    async def _quarantine(self, parcels: list[Parcel]) -> None:
        """Quarantine what cannot be right before the rest of these parcels is taken in."""
        try:
            await self._database.run(one_by_one_if_broken, partial(in_database, _quarantine), parcels)
        except Exception as error:  # noqa: BLE001 - the gateway outlives whatever it is, and reports it
            report("Fixes that cannot be right are not quarantined, nor acknowledged", error)
            await _hand_back(parcels)
            return
        await _hand_back([parcel for parcel in parcels if parcel.is_broken])
        await self._run([parcel for parcel in parcels if not parcel.is_broken])

    async def _run(self, parcels: list[Parcel]) -> None:
        if not parcels:
            return
        try:
            await self._redis.run(one_by_one_if_broken, partial(take_in_parcels, self._node), parcels)
            self._is_away = False
        except Exception as error:  # noqa: BLE001 - the gateway outlives whatever it is, and reports it
            if not self._is_away:
                report("Nothing is taken in nor acknowledged", error)
            self._is_away = True
        await _hand_back(parcels)


async def _hand_back(parcels: Sequence[Parcel]) -> None:
    """Have the outcomes taken note of, and what arrives meanwhile read in between."""
    for number, parcel in enumerate(parcels, 1):
        if number % HANDED_BACK_AT_ONCE == 0:
            await asyncio.sleep(0)
        try:
            parcel.sender.outcome(parcel)
        except Exception:  # a fault of one connection leaves the others their outcomes
            logger.exception("A connection of %s failed", parcel.unique_id)


def one_by_one_if_broken(work: Callable[[Sequence[Parcel]], None], parcels: Sequence[Parcel]) -> None:
    """Do this work for all parcels; for each by itself if one of them breaks it, which is then marked as broken."""
    try:
        work(parcels)
        return
    except AWAY:
        raise
    except Exception:  # whatever breaks it, it is found out which parcel does
        logger.exception("Frames of %d trackers cannot be taken in together", len(parcels))
    for parcel in parcels:
        if parcel.is_taken:  # before another one broke it
            continue
        try:
            work([parcel])
        except AWAY as error:
            report(f"Frames of {parcel.unique_id} are not taken in", error)
        except Exception:  # it costs this connection only, which is closed
            logger.exception("Frames of %s cannot be taken in", parcel.unique_id)
            parcel.is_broken = True


def _quarantine(parcels: Sequence[Parcel]) -> None:
    frames = [frame for parcel in parcels for frame in parcel.frames if frame.rejected]
    quarantine_of_trackers(frames, received_at=timezone.now())


def take_in_parcels(node: str, parcels: Sequence[Parcel]) -> None:
    """Take in these parcels and note in each that it was, or not. Raises errors of Redis where none could be."""
    received_at = timezone.now()
    ready = _open(node, parcels)
    frames = [frame for parcel in ready for frame in parcel.frames if frame.messages]
    taken = iter(take_in_of_trackers(frames, received_at=received_at)) if frames else iter(())
    for parcel in ready:
        # All of them are asked, so that each parcel gets the answers of its own frames.
        outcomes = [next(taken) for frame in parcel.frames if frame.messages]
        parcel.is_taken = all(outcomes) and _enqueue_answers(parcel, received_at)


def _open(node: str, parcels: Sequence[Parcel]) -> list[Parcel]:
    """Open the sessions of those parcels that need one; return the parcels that have theirs."""
    opening = [parcel for parcel in parcels if parcel.opening is not None]
    if not opening:
        return list(parcels)
    fences = open_sessions(node, [parcel.opening for parcel in opening if parcel.opening is not None])
    failed = set()
    for parcel, fence in zip(opening, fences, strict=True):
        if isinstance(fence, RedisError):
            failed.add(id(parcel))
        else:
            parcel.fence = fence
    if failed and len(failed) == len(parcels):
        raise next(fence for fence in fences if isinstance(fence, RedisError))
    return [parcel for parcel in parcels if id(parcel) not in failed]


def _enqueue_answers(parcel: Parcel, received_at: datetime) -> bool:
    """Enqueue the jobs of the answers in this parcel; return False where the queue takes none, or not all of them."""
    try:
        for answer in parcel.answers[parcel.answered :]:
            _enqueue_answer(parcel, answer, received_at)
            parcel.answered += 1
        _enqueue_relay_state(parcel, received_at)
    except (QueueFull, QueueUnavailable) as error:
        logger.warning("An answer of %s waits: %s", parcel.unique_id, error)
        return False
    return True


def _enqueue_answer(parcel: Parcel, answer: CommandAnswer, received_at: datetime) -> None:
    arguments = {
        "device_id": parcel.unique_id,
        "protocol": parcel.protocol,
        "text": storable_text(answer.text, MAX_ANSWER_CHARACTERS),
        "token": storable_text(answer.token, MAX_NAME_CHARACTERS),
        "name": storable_text(answer.name, MAX_NAME_CHARACTERS),
        "is_success": answer.is_success,
        "received_at": received_at.isoformat(),
    }
    get_task(ANSWER_TASK).apply_async((), arguments, priority="high")


def _enqueue_relay_state(parcel: Parcel, received_at: datetime) -> None:
    """Enqueue the newest state of the relay in frames without a place, where a command may have switched it."""
    states = [one.is_relay_cut for _, one in parcel.decoded if one.is_relay_cut is not None]
    if states and parcel.received_at - parcel.commanded_at < EFFECT_SECONDS:
        arguments = {
            "device_id": parcel.unique_id,
            "is_relay_cut": states[-1],
            "received_at": received_at.isoformat(),
        }
        get_task(RELAY_TASK).apply_async((), arguments, priority="high")
