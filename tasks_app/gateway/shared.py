"""The shared objects of a gateway: its settings, bounds and counts, and the parts that work for all connections."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Callable

from tasks_app.engine.consumers import HOST
from tasks_app.gateway.config import GatewayConfig
from tasks_app.gateway.identities import Identities
from tasks_app.gateway.intake import Intake
from tasks_app.gateway.limits import ConnectionLimits, MinuteThrottle, RefusalThrottle
from tasks_app.gateway.notes import Notes
from tasks_app.gateway.sessions import Sessions
from tasks_app.gateway.tally import Tally

# Of one device. Each is a job before all others, and no device is sent so many commands.
ANSWERS_PER_MINUTE = 60


class Shared:
    """Objects of one gateway process that all its connections use; made and used in its event loop."""

    def __init__(self, config: GatewayConfig) -> None:
        self.config = config
        self.node = f"{HOST}:{os.getpid()}:{secrets.token_hex(4)}"
        self.clock = time.monotonic
        self.limits = ConnectionLimits(config.max_connections, config.max_connections_per_address)
        # Apart, since addresses of datagrams may be forged: those of a network's trackers, for one.
        self.throttles = {name: RefusalThrottle(config.refusals_per_minute) for name in ("tcp", "udp")}
        self.tally = Tally()
        self.identities = Identities(self.clock)
        self.intake = Intake(self.node)
        self.notes = Notes(self.clock, raw_frames=config.raw_frames)
        self.sessions = Sessions(self.tally, self.notes, self.limits)
        # The gateway stops: nothing more is decoded.
        self.is_draining = False
        self._answers = MinuteThrottle(ANSWERS_PER_MINUTE)
        self._loop = asyncio.get_running_loop()

    def may_answer(self, protocol: str, device_id: str) -> bool:
        """Return whether an answer is more than a sign of life: none is beyond those of its device in this minute."""
        if not self._answers.is_over(device_id, self.clock()):
            return True
        self.tally.refused[protocol, "too_many_answers"] += 1
        return False

    def answered(self, *, device_id: str, count: int) -> None:
        """Count answers of a device that were taken in."""
        for _ in range(count):
            self._answers.note(device_id, self.clock())

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        """Call a function after a while."""
        self._loop.call_later(seconds, function)
