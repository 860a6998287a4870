"""Many workers: how soon and with how many moves lanes are shared out anew, how even the load is; the cost of a fix."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from statistics import median

from benchmarks.figures import Figure
from benchmarks.lane_simulation import Simulation, busiest_share
from benchmarks.setting import Setting

WORKERS = 64
LANES = 256
TURNS = 40
# A worker that dies is noticed by its supervisor, a host by its missing heartbeats.
WORKER_DEATH_SECONDS = 2.0
HOST_DEATH_SECONDS = 15.0
FIXES = 100_000
SINGLES = 1_000
DEVICES = 100_000


def run(setting: Setting) -> Iterator[Figure]:
    """The simulation first: it takes no server."""
    yield from sharing_figures(5 if setting.quick else TURNS)
    yield from load_figures()
    yield from cost_figures(setting)


def sharing_figures(turns: int) -> Iterator[Figure]:
    """Seconds until the lanes are even, the median of some turns; moves beside the fewest that would do."""
    for name, (change, fewest) in CHANGES.items():
        found = [one_turn(change, random.Random(turn)) for turn in range(turns)]
        seconds, moves = (median(values) for values in zip(*found, strict=True))
        yield Figure("scale", f"even_after_{name}", seconds, None, None, "s")
        yield Figure("scale", f"lanes_moved_{name}", moves, "fewest", float(fewest), "lanes")


def one_turn(change: Callable[[Simulation], None], chance: random.Random) -> tuple[float, float]:
    simulation = Simulation(LANES, chance)
    if change is not start:
        start(simulation)
        simulation.seconds_until_even()
    simulation.moves = 0
    change(simulation)
    return simulation.seconds_until_even(), float(simulation.moves)


def names(first: int, count: int) -> list[str]:
    return [f"worker-{number}" for number in range(first, first + count)]


def start(simulation: Simulation) -> None:
    simulation.join(names(0, WORKERS))


def join(simulation: Simulation) -> None:
    simulation.join(names(WORKERS, 16))


def stop(simulation: Simulation) -> None:
    simulation.stop(names(0, 16))


def worker_death(simulation: Simulation) -> None:
    simulation.die(names(0, 1), WORKER_DEATH_SECONDS)


def host_death(simulation: Simulation) -> None:
    simulation.die(names(0, 16), HOST_DEATH_SECONDS)


# What happens, and the fewest lanes that must change hands.
CHANGES: dict[str, tuple[Callable[[Simulation], None], int]] = {
    "start_of_64": (start, LANES),
    "join_of_16": (join, LANES // (WORKERS + 16) * 16),
    "stop_of_16": (stop, LANES * 16 // WORKERS),
    "death_of_1": (worker_death, LANES // WORKERS),
    "death_of_a_host_of_16": (host_death, LANES * 16 // WORKERS),
}


def load_figures() -> Iterator[Figure]:
    """How evenly devices load workers; "theirs" is the best there is."""
    for what, skew in (("even", 0.0), ("skewed", 0.5)):
        for lanes, workers in ((16, 4), (16, 16), (64, 16), (256, 64), (1024, 64)):
            share = busiest_share(DEVICES, lanes, workers, skew)
            yield Figure("scale", f"load_{what}_{lanes}_lanes_{workers}_workers", share, "even", 1.0, "of all workers")


def cost_figures(setting: Setting) -> Iterator[Figure]:
    """Processor time of each part per fix."""
    cost = setting.measure("benchmarks.fix_cost", setting.scaled(FIXES) // 1000 * 1000, setting.scaled(SINGLES))
    for case, microseconds in cost.items():
        yield Figure("scale", f"cost_{case}", microseconds, None, None, "us/fix")
