"""Notes that nothing waits for, written together every second: signs of life, connections, frames, unknown identifiers.

While a server is away it is kept for the next time, within bounds. A gateway that is killed loses its last second of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import islice

from django.utils import timezone

from tasks_app.gateway.threads import Pool, in_database, report
from tasks_app.queries.trackers import RawFrame
from tasks_app.services.devices import hear_from_all
from tasks_app.services.trackers import (
    MAX_RAW_BYTES,
    Connected,
    keep_raw_frames,
    note_connections,
    note_unknown,
)

WRITE_SECONDS = 1.0
# A device that only shows that it lives is written down once in so long; a fix does it anyway.
HEARD_EVERY_SECONDS = 20.0
MAX_HEARD_TOGETHER = 1000
MAX_FRAMES_WAITING = 20_000
MAX_UNKNOWN_WAITING = 2_000


class Notes:
    """Gathers notes, and writes them from a thread for Redis and one for PostgreSQL."""

    def __init__(self, clock: Callable[[], float], *, raw_frames: int) -> None:
        self._clock = clock
        self._raw_frames = raw_frames
        self._redis = Pool("notes")
        self._database = Pool("signs of life")
        self._heard: set[int] = set()
        self._heard_at: dict[int, float] = {}
        self._connected: dict[int, Connected] = {}
        self._frames: dict[str, deque[RawFrame]] = {}
        self._frame_count = 0
        self._unknown: dict[str, tuple[str, str, int]] = {}

    def heard(self, device_pk: int) -> None:
        """Note that a device showed that it lives."""
        now = self._clock()
        if now - self._heard_at.get(device_pk, -HEARD_EVERY_SECONDS) >= HEARD_EVERY_SECONDS:
            self._heard_at[device_pk] = now
            self._heard.add(device_pk)

    def connected(self, device_pk: int, protocol: str) -> None:
        """Note that a device connected: commands that wait for it are sent."""
        self._connected[device_pk] = Connected(device_pk, protocol, timezone.now())

    def left(self, device_pk: int) -> None:
        """Forget when a device was heard."""
        self._heard_at.pop(device_pk, None)

    def frame(self, unique_id: str, direction: str, data: bytes, note: str) -> None:
        """Keep a frame of a device, the newest ones; none while too many wait to be written."""
        if not self._raw_frames or not data or self._frame_count >= MAX_FRAMES_WAITING:
            return
        kept = self._frames.get(unique_id)
        if kept is None:
            kept = self._frames[unique_id] = deque(maxlen=self._raw_frames)
        self._frame_count += len(kept) < self._raw_frames
        kept.append(RawFrame(timezone.now(), direction, bytes(data[:MAX_RAW_BYTES]), note))

    def unknown(self, identifier: str, protocol: str, address: str) -> None:
        """Remember an identifier that no device has."""
        count = self._unknown[identifier][2] if identifier in self._unknown else 0
        if count or len(self._unknown) < MAX_UNKNOWN_WAITING:
            self._unknown[identifier] = (protocol, address, count + 1)

    async def run(self) -> None:
        """Write what was noted, until cancelled."""
        await asyncio.gather(self._repeat(self.write_to_redis), self._repeat(self.write_to_database))

    async def write_to_redis(self) -> None:
        """Write frames and unknown identifiers."""
        frames, self._frames, self._frame_count = self._frames, {}, 0
        unknown, self._unknown = self._unknown, {}
        if not frames and not unknown:
            return
        try:
            await self._redis.run(_write_to_redis, frames, unknown, self._raw_frames)
        except Exception as error:  # noqa: BLE001 - the gateway outlives whatever it is, and reports it
            report("Frames of trackers are not kept", error)

    async def write_to_database(self) -> None:
        """Write signs of life and connections; what cannot be written waits for the next time."""
        heard = set(islice(self._heard, MAX_HEARD_TOGETHER))
        self._heard -= heard
        connected, self._connected = self._connected, {}
        if not heard and not connected:
            return
        try:
            await self._database.run(in_database, _write_to_database, heard, list(connected.values()))
        except Exception as error:  # noqa: BLE001 - the gateway outlives whatever it is, and reports it
            report("Signs of life and connections are not written yet", error)
            self._heard |= heard
            self._connected = connected | self._connected

    def close(self) -> None:
        """End the threads."""
        self._redis.close()
        self._database.close()

    async def _repeat(self, write: Callable[[], object]) -> None:
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await write()  # type: ignore[misc]


def _write_to_redis(
    frames: dict[str, deque[RawFrame]], unknown: dict[str, tuple[str, str, int]], raw_frames: int
) -> None:
    keep_raw_frames(frames, most=raw_frames)
    note_unknown(unknown, now=timezone.now())


def _write_to_database(heard: set[int], connected: list[Connected]) -> None:
    if heard:
        hear_from_all(device_pks=heard, now=timezone.now())
    note_connections(connected)
