"""The number of lanes of a queue, as Redis knows it. Every process must mean the same number, or a key would have two lanes.

Each lane carries the number it was opened with, which the script that makes jobs compares with the caller's. A cluster that
starts with another number closes all lanes, which only an empty lane permits, and opens the new ones.
"""

from __future__ import annotations

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import RedisClient
from tasks_app.engine.errors import QueueLanesChanged
from tasks_app.engine.job_fields import read_number
from tasks_app.engine.keys import QueueKeys
from tasks_app.engine.lanes.lane import Lane
from tasks_app.engine.scripts import run_script, run_scripts


def known_lanes(name: str, client: RedisClient) -> int:
    """Return the number of lanes in force, 0 for none."""
    return read_number(client.get(QueueKeys(engine_config().prefix, name).lane_count))


def open_new_lanes(name: str, client: RedisClient) -> None:
    """Open the lanes of a queue that Redis knows nothing of. Raises QueueLanesChanged if it has another number of lanes."""
    wanted = engine_config().queue(name).lanes
    known = read_number(_note(name, client, wanted, replace=False))
    if known != wanted:
        raise lanes_changed(name, known, wanted)
    _step("fill", name, client, wanted, wanted)


def change_lanes(name: str, client: RedisClient) -> None:
    """Give the queue as many lanes as its setting says; for clusters, before their workers start.

    Raises QueueLanesChanged while jobs are left in lanes of another number.
    """
    wanted, known = engine_config().queue(name).lanes, known_lanes(name, client)
    if not wanted and not known:
        return
    count = max(wanted, known)
    if known != wanted:
        if held := _step("close", name, client, count, 0):
            _step("open", name, client, known, known)
            _step("open", name, client, count, 0, first=known)
            raise lanes_changed(name, known, wanted, held)
        _note(name, client, wanted, replace=True)
    _step("open", name, client, wanted, wanted)
    _step("open", name, client, count, 0, first=wanted)
    if not wanted:
        client.delete(QueueKeys(engine_config().prefix, name).lane_count)


def lanes_changed(name: str, known: int, wanted: int, held: int | None = None) -> QueueLanesChanged:
    """Return the error of a process whose setting does not fit."""
    jobs = "" if held is None else f", and {held} jobs are left in them"
    return QueueLanesChanged(
        f"Queue {name!r} has {known} lanes{jobs}; the setting of this process says {wanted}. Set {known} lanes, let the cluster"
        f" work off the queue, then start the cluster, and after it everything else, with {wanted}."
    )


def _note(name: str, client: RedisClient, wanted: int, *, replace: bool) -> bytes:
    """Write the number of lanes where there is none, or in place of the one there is; return the one in force."""
    key = QueueKeys(engine_config().prefix, name).lane_count
    answer: bytes = run_script(client, "lane_count", [key], [wanted, int(replace)])
    return answer


def _step(step: str, name: str, client: RedisClient, lanes: int, number: int, *, first: int = 0) -> int:
    """Take one step on the lanes from `first` up to `lanes`; return how many jobs they hold."""
    calls = [Lane(name, client, lane).open_call(step, number) for lane in range(first, lanes)]
    return sum(run_scripts(client, calls)) if calls else 0
