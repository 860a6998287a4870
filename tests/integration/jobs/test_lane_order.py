"""The order of a lane, whatever its workers do: drawn steps of two workers against the real scripts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tasks_app.engine import JobState
from tasks_app.engine.connection import client
from tasks_app.engine.lanes import Lane, open_new_lanes
from tests.support.probe import lanes as probe

WORKERS = ("one", "two")
KEY = "van"


class LaneMachine(RuleBasedStateMachine):
    """Jobs 0, 1, 2... are accepted in this order; `ran` lists those whose success was stored."""

    def __init__(self) -> None:
        super().__init__()
        for key in client().scan_iter("*:positions*"):
            client().delete(key)
        open_new_lanes("positions", client())
        self.lane = Lane("positions", client(), probe.lane_of(KEY))
        self.ids: list[str] = []
        self.gone: set[str] = set()
        self.ran: list[str] = []
        self.hands: dict[str, list[Any]] = {name: [] for name in WORKERS}

    def run(self, name: str, *arguments: Any) -> Any:
        return self.lane._run_call(self.lane._call(name, *arguments))

    @rule(count=st.integers(1, 3))
    def accept(self, count: int) -> None:
        self.ids += [str(job_id) for job_id in probe.lane_note.enqueue_many([(KEY, "")] * count)]

    @rule(worker=st.sampled_from(WORKERS), count=st.integers(1, 3))
    def take_and_fetch(self, worker: str, count: int) -> None:
        self.run("take", worker)
        self.hands[worker] += self.lane.fetch(worker, count).claims

    @rule(worker=st.sampled_from(WORKERS))
    def run_first(self, worker: str) -> None:
        """A frozen worker may run what is no longer its own; its effect is fenced by PostgreSQL, its end by Redis."""
        if self.hands[worker]:
            claim = self.hands[worker].pop(0)
            if self.lane.finish([(claim, JobState.SUCCEEDED)]):
                self.ran.append(claim.job_id)

    @rule(worker=st.sampled_from(WORKERS), is_due=st.booleans())
    def fail_first(self, worker: str, is_due: bool) -> None:
        if self.hands[worker]:
            claim, *followers = self.hands[worker]
            self.lane.release(followers)
            self.lane.retry(claim, 0 if is_due else 600, [])
            self.hands[worker] = []

    @rule(worker=st.sampled_from(WORKERS))
    def leave(self, worker: str) -> None:
        self.run("leave", worker)
        self.hands[worker] = []

    @rule(worker=st.sampled_from(WORKERS), forgets=st.booleans())
    def die(self, worker: str, forgets: bool) -> None:
        """It is killed, or only taken for dead: then it keeps what it has in its hands."""
        self.run("recover", worker, "was killed", 1000, "")
        if forgets:
            self.hands[worker] = []

    @rule(worker=st.sampled_from(WORKERS))
    def read_own_again(self, worker: str) -> None:
        self.hands[worker] = self.lane.fetch(worker, 1, own=True).claims

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.ids and self.lane.cancel(job_id := data.draw(st.sampled_from(self.ids)), {}) == "cancelled":
            self.gone.add(job_id)

    @rule(data=st.data())
    def run_now(self, data: st.DataObject) -> None:
        if self.ids:
            self.lane.run_now(data.draw(st.sampled_from(self.ids)))

    @rule()
    def promote(self) -> None:
        self.lane.promote()

    @invariant()
    def jobs_end_in_the_order_in_which_they_were_accepted(self) -> None:
        ran = set(self.ran)
        assert self.ran == [job_id for job_id in self.ids if job_id in ran]
        last = self.ids.index(self.ran[-1]) if self.ran else -1
        passed = [job_id for job_id in self.ids[: last + 1] if job_id not in ran | self.gone]
        asked_to_stop = [job_id for job_id in passed if client().zscore(self.lane.keys.ended, job_id) is not None]
        assert passed == asked_to_stop

    @invariant()
    def each_job_stands_in_one_place(self) -> None:
        keys = self.lane.keys
        queued, running = (set(client().zrange(key, 0, -1)) for key in (keys.queued, keys.running))
        assert not queued & running
        ended = set(client().zrange(keys.ended, 0, -1))
        lives = {job_id.encode() for job_id in self.ids} - {job_id.encode() for job_id in self.ran} - ended
        assert queued | running == lives


TestLaneMachine = LaneMachine.TestCase
TestLaneMachine.settings = hypothesis_settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLaneMachine.pytestmark = [pytest.mark.usefixtures("clean_redis")]
