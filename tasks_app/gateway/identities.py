"""Devices by identifier, cached for some seconds whether there is one or not, and looked up together."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tasks_app.gateway.threads import Pool, in_database, report
from tasks_app.queries.tracker_devices import TrackerDevice, tracker_devices

logger = logging.getLogger(__name__)

# A new device is accepted, and one that was switched off refused, after so long at most (see also Sweeper for connected ones).
FRESH_SECONDS = 10.0
# The longest unused are forgotten first, identifiers without a device sooner than others.
MAX_KNOWN, MAX_UNKNOWN = 100_000, 10_000
# Lookups that wait; a further identifier is left unanswered.
MAX_WAITING = 20_000
MAX_TOGETHER = 1000
GATHER_SECONDS = 0.005
# A database that takes longer counts as away, until it answers.
ANSWER_SECONDS = 2.0

# Called with whether the database answered.
Callback = Callable[[bool], None]


@dataclass(frozen=True, slots=True)
class Identity:
    """The result of a lookup, and its time; `device` is None where no device has it."""

    device: TrackerDevice | None
    found_at: float


class Identities:
    """The cache, and the lookups. While PostgreSQL is away, devices that were found before go on, however long ago."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._pool = Pool("lookup")
        self._known: OrderedDict[str, Identity] = OrderedDict()
        self._unknown: OrderedDict[str, Identity] = OrderedDict()
        self._waiting: dict[str, list[Callback]] = {}
        self._wake = asyncio.Event()
        self._is_away = False
        self._lookup: asyncio.Task[bool] | None = None

    def get(self, identifier: str) -> Identity | None:
        """Return what is known of an identifier now; None where it has to be asked for."""
        found = self._known.get(identifier) or self._unknown.get(identifier)
        if found is None:
            return None
        is_fresh = self._clock() - found.found_at < FRESH_SECONDS
        return found if is_fresh or (self._is_away and found.device is not None) else None

    def was_known(self, identifier: str) -> bool:
        """Return whether a device had this identifier when it was last asked for."""
        return identifier in self._known

    def ask(self, identifier: str, then: Callback) -> bool:
        """Look an identifier up, and call `then`; return False, and do nothing, where too many wait."""
        if identifier not in self._waiting and len(self._waiting) >= MAX_WAITING:
            return False
        self._waiting.setdefault(identifier, []).append(then)
        self._wake.set()
        return True

    async def run(self) -> None:
        """Look up what is asked for, until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(GATHER_SECONDS)
            names = list(self._waiting)[:MAX_TOGETHER]
            callbacks = [then for name in names for then in self._waiting.pop(name)]
            if not self._waiting:
                self._wake.clear()
            is_answered = await self.refresh(names)
            for then in callbacks:
                try:
                    then(is_answered)
                except Exception:  # a fault of one connection leaves the others their answers
                    logger.exception("A connection failed")

    async def refresh(self, identifiers: Iterable[str]) -> bool:
        """Look these identifiers up; return whether the database answered, soon enough for those who wait."""
        while self._lookup is not None and not self._lookup.done():
            if not await self._has_answered():
                return False
        self._lookup = asyncio.create_task(self._look_up(list(identifiers)))
        return await self._has_answered()

    async def _has_answered(self) -> bool:
        """Wait for the present lookup; return False, and take the database for away, where it takes too long."""
        lookup = self._lookup
        assert lookup is not None
        await asyncio.wait({lookup}, timeout=ANSWER_SECONDS)
        if lookup.done():
            return lookup.result()
        if not self._is_away:
            logger.warning("Devices cannot be looked up: the database does not answer.")
        self._is_away = True
        return False

    async def _look_up(self, names: list[str]) -> bool:
        try:
            found = await self._pool.run(in_database, tracker_devices, names)
        except Exception as error:  # noqa: BLE001 - the gateway outlives whatever it is, and reports it
            if not self._is_away:
                report("Devices cannot be looked up", error)
            self._is_away = True
            return False
        self._is_away = False
        now = self._clock()
        for name in names:
            self._keep(name, Identity(found.get(name), now))
        return True

    def close(self) -> None:
        """End the thread."""
        self._pool.close()

    def _keep(self, name: str, identity: Identity) -> None:
        kept, other, most = self._known, self._unknown, MAX_KNOWN
        if identity.device is None:
            kept, other, most = self._unknown, self._known, MAX_UNKNOWN
        other.pop(name, None)
        kept[name] = identity
        kept.move_to_end(name)
        if len(kept) > most:
            kept.popitem(last=False)
