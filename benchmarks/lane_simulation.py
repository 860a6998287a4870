"""A simulation of workers that share the lanes of a queue out, with the engine's own rules and times. No server, no clock.

Each worker looks about once a second, as `engine.lanes.leases` does: it knows the workers that looked lately and the holders of
all lanes, leaves what is more than its share and takes free lanes up to it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tasks_app.engine.lanes import lane_number
from tasks_app.engine.lanes.leases import LOOK_SECONDS, RECENT_MS
from tasks_app.engine.lanes.sharing import fair_share, lanes_to_leave, lanes_to_take

STEP_SECONDS = 0.05
# A turn of a worker's loop, which looks when one is due, ends somewhere within this time.
JITTER_SECONDS = 0.3


@dataclass(slots=True)
class Simulation:
    """Workers and lanes at a time. `holders` has a name for each lane, "" for a free one."""

    lanes: int
    chance: random.Random
    now: float = 0.0
    holders: list[str] = field(default_factory=list)
    looks_at: dict[str, float] = field(default_factory=dict)
    looked_at: dict[str, float] = field(default_factory=dict)
    # Lanes of dead workers, and when recovery frees them.
    frees_at: dict[str, float] = field(default_factory=dict)
    moves: int = 0

    def __post_init__(self) -> None:
        self.holders = [""] * self.lanes

    def join(self, names: Iterable[str]) -> None:
        for name in names:
            self.looks_at[name] = self.now + self.chance.uniform(0, LOOK_SECONDS)

    def stop(self, names: Iterable[str]) -> None:
        """Workers that are asked to stop leave their lanes at once."""
        for name in names:
            self._forget(name)
            self._free(name)

    def die(self, names: Iterable[str], recovered_after_seconds: float) -> None:
        for name in names:
            del self.looks_at[name]
            self.frees_at[name] = self.now + recovered_after_seconds

    def seconds_until_even(self, limit_seconds: float = 120.0) -> float:
        """Run until every lane has a holder that lives, and no worker has two lanes more than another."""
        began = self.now
        while not self.is_even():
            if self.now - began > limit_seconds:
                raise SystemExit(f"the lanes are not even after {limit_seconds:g} seconds")
            self.step()
        return self.now - began

    def is_even(self) -> bool:
        counts = self.counts()
        return sum(counts.values()) == self.lanes and max(counts.values()) - min(counts.values()) <= 1

    def counts(self) -> Counter[str]:
        """How many lanes each living worker holds."""
        held = Counter(dict.fromkeys(self.looks_at, 0))
        held.update(name for name in self.holders if name in self.looks_at)
        return held

    def step(self) -> None:
        self.now += STEP_SECONDS
        for name in [name for name, at in self.frees_at.items() if at <= self.now]:
            self._free(name)
            del self.frees_at[name]
        for name in [name for name, at in self.looks_at.items() if at <= self.now]:
            self._look(name)
            self.looks_at[name] = self.now + LOOK_SECONDS + self.chance.uniform(0, JITTER_SECONDS)

    def _look(self, name: str) -> None:
        self.looked_at[name] = self.now
        recent = [one for one, at in self.looked_at.items() if self.now - at <= RECENT_MS / 1000]
        share = fair_share(name, recent, self.lanes)
        held = [lane for lane, holder in enumerate(self.holders) if holder == name]
        for lane in lanes_to_leave(held, share):
            self.holders[lane] = ""
        free = [lane for lane, holder in enumerate(self.holders) if not holder]
        for lane in lanes_to_take(free, len(held), share):
            self.holders[lane] = name
            self.moves += 1

    def _forget(self, name: str) -> None:
        del self.looks_at[name]
        self.looked_at.pop(name, None)

    def _free(self, name: str) -> None:
        self.holders = ["" if holder == name else holder for holder in self.holders]


def busiest_share(devices: int, lanes: int, workers: int, skew: float) -> float:
    """How much of its part the average worker works when the busiest works all the time: 1 is the best.

    The n-th device sends n ** -skew times as much as the first. Which lanes a worker holds is drawn.
    """
    lane_loads = [0.0] * lanes
    for number in range(devices):
        lane_loads[lane_number(f"device-{number}", lanes)] += (number + 1) ** -skew
    random.Random(workers).shuffle(lane_loads)
    loads = [sum(lane_loads[worker::workers]) for worker in range(workers)]
    return sum(loads) / workers / max(loads)
