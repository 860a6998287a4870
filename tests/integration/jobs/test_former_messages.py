"""Messages as the version before lanes, groups and batched tasks signed and stored them, run by this one.

They were recorded from that version; a host with it may stand beside one with this version on the same Redis.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from tasks_app.engine.connection import client
from tasks_app.engine.lanes import queue_parts
from tasks_app.engine.payload import unseal
from tasks_app.engine.streams import JobQueue
from tasks_app.models import Job, Position
from tasks_app.queries.position_buffer import buffer_size, former_buffer_key
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "key-of-the-vectors-0123456789012345678901234567890123456789"
FIRST_FIX_AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
UNIQUE_HASH = "200651a8b2d5912f692db89468a7d47d86a3ed6844f48f1b15f2be1d9c9a7e5e"
# Last digit of the job's id, task, priority, time of enqueueing in ms, and its signed message.
VECTORS = [
    (
        *(1, "probe_add", "high", 1795961943849),
        b'bcc5cfc833da8a10671a41fc157cfdc909f2fd1b830695b85cdfea6d085466c9.{"task":"probe_add","call":[[1],{"b":2}],'
        b'"created_ms":1795961943849,"requested_by_id":7,"schedule_id":null,'
        b'"retry_of":"00000000-0000-0000-0000-000000000007","timeout_seconds":30}',
    ),
    (
        *(2, "probe_add", "normal", 1795961943852),
        b'71b8ca225245fff6be33789250945c8f841038d6a3be265108d90d5c372e4ce5.{"task":"probe_add","call":[[5],{}],'
        b'"created_ms":1795961943852,"requested_by_id":null,"schedule_id":null,"retry_of":null,"timeout_seconds":null}',
    ),
    (
        *(3, "process_position_batch", "normal", 1795961943853),
        b'8d0ad38f43bb59b300cf0a3583ef3c4199619a84d58b6bff34f84e58d6f70768.{"task":"process_position_batch","call":[[['
        b'{"device_id":"van-1","timestamp":"2026-11-20T12:00:00+00:00","latitude":-23.5,"longitude":-46.63},'
        b'{"device_id":"van-2","timestamp":"2026-11-20T12:00:00+00:00","latitude":-23.5,"longitude":-46.63}]],{}],'
        b'"created_ms":1795961943853,"requested_by_id":null,"schedule_id":null,"retry_of":null,"timeout_seconds":null}',
    ),
    (
        *(4, "process_single_position", "normal", 1795961943854),
        b'96325fcfe1ba61e83621f485801a4967e126897868d30306d735868b06c7f0ee.{"task":"process_single_position","call":[['
        b'{"device_id":"van-1","timestamp":"2026-11-20T12:00:01+00:00","latitude":-23.5,"longitude":-46.63}],{}],'
        b'"created_ms":1795961943854,"requested_by_id":null,"schedule_id":null,"retry_of":null,"timeout_seconds":null}',
    ),
    (
        *(5, "drain_position_inbox", "normal", 1795961943854),
        b'9ad7e7c33f25ca3c05eae302095917aeccc3fa1e25e6e0712842b0e2ff629f83.{"task":"drain_position_inbox","call":[[],{}],'
        b'"created_ms":1795961943854,"requested_by_id":null,"schedule_id":3,"retry_of":null,"timeout_seconds":null}',
    ),
    (
        *(6, "probe_fail_for_good", "low", 1795961943854),
        b'f7c69e57a1f87436a1354a2882ce84df187612655b64e148b786a890e77c376c.{"task":"probe_fail_for_good","call":[["no"],{}],'
        b'"created_ms":1795961943854,"requested_by_id":null,"schedule_id":null,"retry_of":null,"timeout_seconds":null}',
    ),
]
BUFFERED = (
    b'{"received_at":"2026-11-20T12:00:03Z","fix":{"device_id":"van-1","fix_time":"2026-11-20T12:00:02Z","latitude":-23.5,'
    b'"longitude":-46.63,"speed_kph":null,"course_degrees":null,"altitude_meters":null,"accuracy_meters":null,'
    b'"attributes":{},"unknown":[]},"unlocated":null}'
)
DELAYED = 2


def job_id(number: int) -> str:
    return str(UUID(int=number))


@pytest.fixture(autouse=True)
def stored_jobs(settings):
    """Store the vectors as the former version had done it: hashes, stream entries, a delayed job with a unique key."""
    settings.SECRET_KEY = SECRET
    keys = JobQueue("positions", client()).keys
    streams = dict(zip(("high", "normal", "low"), keys.streams, strict=True))
    for number, task, priority, created_ms, message in VECTORS:
        fields = {"p": message, "t": task, "enq": created_ms, "by": "", "pri": priority, "att": 0, "lost": 0}
        if number == DELAYED:
            unique = f"{keys.tag}unique:{UNIQUE_HASH}"
            fields |= {"st": "scheduled", "due": created_ms, "uk": unique}
            client().zadd(keys.delayed, {job_id(number): created_ms})
            client().set(unique, job_id(number))
        else:
            fields |= {"st": "queued", "sid": client().xadd(streams[priority], {"i": job_id(number)})}
        client().hset(keys.job(job_id(number)), mapping=fields)


def test_each_runs_once_and_is_kept_as_it_was_asked_for(run_jobs, device):
    assert probe.probe_add.apply_async([9], unique_key="once") == UUID(int=DELAYED)
    run_jobs()
    rows = {job.pk.int: job for job in Job.objects.all()}
    assert {number: (row.task, row.state, row.priority) for number, row in rows.items()} == {
        number: (task, "failed" if task == "probe_fail_for_good" else "succeeded", priority)
        for number, task, priority, _, _ in VECTORS
    }
    assert (rows[1].result, rows[1].requested_by_id, rows[1].retry_of) == (3, 7, UUID(int=7))
    assert (rows[2].result, rows[3].result["stored"], rows[4].result["stored"]) == (6, 1, 1)
    assert rows[5].schedule_id == 3
    assert rows[3].created_at == datetime.fromtimestamp(1795961943.853, UTC)
    stored = list(Position.objects.order_by("fix_time").values_list("fix_time", flat=True))
    assert stored == [FIRST_FIX_AT, FIRST_FIX_AT + timedelta(seconds=1)]


def test_fixes_in_the_one_buffer_of_that_version_are_stored_by_the_drain_of_either(run_jobs, device):
    client().xadd(former_buffer_key(), {"f": BUFFERED})
    client().xadd(former_buffer_key(), {"f": b"{"})
    client().set(f"{former_buffer_key()}:drain", 1)
    run_jobs()
    assert (client().xlen(former_buffer_key()), client().exists(f"{former_buffer_key()}:drain")) == (0, 0)
    assert buffer_size() == 1
    make_lanes_due()
    run_jobs()
    assert Position.objects.filter(fix_time=FIRST_FIX_AT + timedelta(seconds=2)).count() == 1
    assert buffer_size() == 0


def make_lanes_due() -> None:
    for part in queue_parts("positions", client()):
        for waiting in client().zrange(part.keys.delayed, 0, -1):
            client().zadd(part.keys.delayed, {waiting: 1})
            client().hset(part.keys.job(waiting.decode()), "due", 1)


def test_that_version_can_read_a_plain_job_of_this_one():
    """It has no lanes and no groups: a plain job has no field that it does not know, and none is missing that it needs."""
    former = {"task", "call", "created_ms", "requested_by_id", "schedule_id", "retry_of", "timeout_seconds"}
    job = probe.probe_add.apply_async([1], requested_by=7, timeout_seconds=5)
    message = client().hget(JobQueue("positions", client()).keys.job(str(job)), "p")
    assert unseal("positions", str(job), message).timeout_seconds == 5
    assert {"task", "call", "created_ms"} <= set(msgspec.json.decode(message.partition(b".")[2])) <= former
