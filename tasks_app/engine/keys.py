"""Every key of the engine, in one place.

`<p>` is `Q_CLUSTER["name"]`, `<q>` a queue, `<n>` the number of a lane. All keys of a queue carry that queue's hash tag, those
of a lane the lane's, and no script touches two tags, so queues and lanes can live on different Redis shards.

    {<p>:<q>}:stream:<pri>   STREAM  pri is high, normal or low; one entry {i: <job id>} per attempt; group "workers".
                                     Never trimmed.
    {<p>:<q>}:delayed        ZSET    job id -> due time in ms: scheduled and retrying jobs
    {<p>:<q>}:job:<id>       HASH    the live job; a short tombstone {st} for a minute after its end
    {<p>:<q>}:unique:<hash>  STRING  job id that holds a unique key, until that job ends
    {<p>:<q>}:wake:<id>      STREAM  one entry when the job ends, written if a caller waits for it; expires
    {<p>:<q>}:beats          ZSET    consumer -> last heartbeat in ms (Redis time)
    {<p>:<q>}:consumers      HASH    consumer -> JSON {host, pid, started_at}
    {<p>:<q>}:ended          ZSET    job id -> s: ended without a worker (cancelled in the queue, lost too often); its hash
                                     stays whole until its row is written
    {<p>:<q>}:done           HASH    minute -> count of finished jobs (rate), last hour only
    {<p>:<q>}:groups         ZSET    groups and chains that wait for members -> when they were made, microseconds
    {<p>:<q>}:making         ZSET    those whose members are not all made -> since when, s
    {<p>:<q>}:members:<id>   SET     numbers of the members of a group that have not ended; of a chain, its present step
    {<p>:<q>}:plan:<id>      STRING  signed: the members of a group, until they are made
    {<p>:<q>}:paused         STRING  JSON {by, at, reason}: workers take nothing while it exists, neither from lanes
    {<p>:<q>}:paused_tasks   HASH    task -> JSON {by, at, reason}; empty once it is resumed, until its jobs are taken up again.
                                     Its jobs stay in the streams, pending for the consumer "aside:<task>"; a lane waits at one.
    {<p>:<q>}:orders:<c>     LIST    JSON orders for cluster <c>, <host>:<pid of its supervisor> (engine.clusters); expires

    {<p>:scheduler}:beat     STRING  host of a scheduler that ran a moment ago; expires
    {<p>:metrics}:<metric>   HASH    what all processes have counted (see engine.metrics.sending)

Of a queue with lanes:
    {<p>:<q>}:lanes          STRING  how many lanes it has (see engine.lanes.counts)
    {<p>:<q>}:lane_workers   ZSET    consumer -> when it last asked for leases, in ms (Redis time): lanes are shared among these
    {<p>:<q>}:bell           STREAM  {l: number of a lane, "" none, "*" any}: something may be there to run; wakes the workers,
                                     as a new entry of the streams does

    {<p>:<q>.<n>}:lease      STRING  consumer that may run this lane's jobs
    {<p>:<q>.<n>}:of         STRING  how many lanes the queue had when this one was opened
    {<p>:<q>.<n>}:queued     ZSET    job id -> place in line (ms * 1000 + number): queued and retrying jobs
    {<p>:<q>.<n>}:running    ZSET    job id -> the same place
    {<p>:<q>.<n>}:place      STRING  last place given away
    {<p>:<q>.<n>}:fence      STRING  counter of attempts
    {<p>:<q>.<n>}:...        delayed, job:<id>, unique:<hash>, wake:<id>, ended, done: as those of a queue. A retrying job is
                                     among the delayed, with its due time, and keeps its place among the queued.

Fields of a job hash:
    st    state: scheduled, queued, running, retrying; succeeded, failed, cancelled in a tombstone
    p     signed payload (engine.payload)
    t     task name, readable without the payload              pri   priority: high, low (missing: normal)
    sid   stream id of the present attempt, in a lane <ms>-<fence>.<n>: the fence. An acknowledgement with another id changes
          nothing.
    own   consumer that runs it
    att   attempts started          lost  workers lost while running it (each missing before the first)
    enq   created, ms               due   due time, ms
    t0    present attempt started, ms (Redis time)
    rec   1: was in the hands of a worker that died, which may have stored its end
    cx    JSON {by, reason}: cancellation asked for
    why   how the last worker that ran it died
    wr    1: a worker died while it wrote its row
    pr    JSON progress             err   JSON list of the attempts that failed
    uk    its unique key, if any    by    id of the user who asked for it, if any
    kd    of a group or chain: group, chain      n    number of its members
    ok    its members that succeeded             bad  those that failed or were cancelled
    qs    queues of it and its members, with commas
    mk    sign of the transaction that made its members with it, empty where they were made after it
    kp    1: its plan is kept until it ends, since members have callbacks; else until its members are made
    r<n>  JSON result of its member <n>, where the members are parts of one call (engine.flows.Membership)
    wk    1: a caller waits for its end, which writes to its wake stream
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

GROUP = "workers"
# The consumer for which jobs of a paused task are pending: this and the task's name.
ASIDE = "aside:"
# A place in a lane's line is a time in ms, times this, plus a number.
PLACES_PER_MS = 1000
PRIORITIES = ("high", "normal", "low")


@dataclass(frozen=True, slots=True)
class QueueKeys:
    """The keys of one queue, or of one of its lanes."""

    prefix: str
    queue: str
    lane: int | None = None

    @property
    def tag(self) -> str:
        lane = "" if self.lane is None else f".{self.lane}"
        return f"{{{self.prefix}:{self.queue}{lane}}}:"

    @property
    def streams(self) -> list[str]:
        """One per priority, in the order in which they are served."""
        return [f"{self.tag}stream:{priority}" for priority in PRIORITIES]

    @property
    def delayed(self) -> str:
        return self.tag + "delayed"

    @property
    def beats(self) -> str:
        return self.tag + "beats"

    @property
    def consumers(self) -> str:
        return self.tag + "consumers"

    @property
    def ended(self) -> str:
        return self.tag + "ended"

    @property
    def paused(self) -> str:
        return self.tag + "paused"

    @property
    def paused_tasks(self) -> str:
        return self.tag + "paused_tasks"

    def orders(self, cluster: str) -> str:
        return f"{self.tag}orders:{cluster}"

    @property
    def done(self) -> str:
        return self.tag + "done"

    @property
    def bell(self) -> str:
        return self.tag + "bell"

    @property
    def lane_count(self) -> str:
        return self.tag + "lanes"

    @property
    def lane_workers(self) -> str:
        return self.tag + "lane_workers"

    @property
    def lease(self) -> str:
        return self.tag + "lease"

    @property
    def queued(self) -> str:
        return self.tag + "queued"

    @property
    def running(self) -> str:
        return self.tag + "running"

    @property
    def lane_keys(self) -> list[str]:
        """Those that every script of a lane gets, in this order."""
        names = ("queued", "running", "delayed", "ended", "done", "place", "fence", "lease", "of")
        return [self.tag + name for name in names]

    @property
    def groups(self) -> str:
        return self.tag + "groups"

    @property
    def making(self) -> str:
        return self.tag + "making"

    def members(self, job_id: str) -> str:
        return f"{self.tag}members:{job_id}"

    def plan(self, job_id: str) -> str:
        return f"{self.tag}plan:{job_id}"

    def group(self, job_id: str) -> list[str]:
        """Return the keys that the scripts of groups take."""
        return [self.job(job_id), self.members(job_id), self.groups, self.making, self.plan(job_id)]

    @property
    def job_prefix(self) -> str:
        return self.tag + "job:"

    def job(self, job_id: str) -> str:
        return self.job_prefix + job_id

    def wake(self, job_id: str) -> str:
        return f"{self.tag}wake:{job_id}"

    def unique(self, unique_key: str) -> str:
        return f"{self.tag}unique:{hashlib.sha256(unique_key.encode()).hexdigest()}"


def scheduler_key(prefix: str) -> str:
    """Return the key that exists as long as some scheduler runs."""
    return f"{{{prefix}:scheduler}}:beat"
