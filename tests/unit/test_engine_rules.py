"""The engine's decisions and formats, without a server."""

from __future__ import annotations

import hmac
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.engine import InvalidArguments, JobState, UnknownTask, get_task, parse_state, registered_tasks, task
from tasks_app.engine.arguments import encode_json
from tasks_app.engine.config import engine_config
from tasks_app.engine.context import CurrentJob, current_job
from tasks_app.engine.enqueueing import JobOptions
from tasks_app.engine.errors import BadPayload, JobCancelled, PermanentError
from tasks_app.engine.payload import Payload, seal, seal_text, unseal
from tasks_app.engine.redaction import is_complete, redact, shorten
from tasks_app.engine.retry import RetryPolicy, retry_delay_seconds
from tasks_app.engine.slots import MAX_WRITTEN, Slots, WorkerSlot

DOUBLING = RetryPolicy(max_attempts=5, base_seconds=1, cap_seconds=60)
LONG = RetryPolicy(max_attempts=1000, base_seconds=5, cap_seconds=3600)


@pytest.mark.parametrize(
    ("policy", "attempt", "error", "jitter", "delay"),
    [
        (DOUBLING, 1, ValueError(), 0.5, 1.0),
        (DOUBLING, 2, ValueError(), 0.5, 2.0),
        (DOUBLING, 4, ValueError(), 0.5, 8.0),
        (DOUBLING, 1, ValueError(), 0.0, 0.75),  # the spread's lower end
        (DOUBLING, 5, ValueError(), 0.5, None),  # that was the last one
        (DOUBLING, 6, ValueError(), 0.5, None),
        (DOUBLING, 1, PermanentError(), 0.5, None),
        (DOUBLING, 1, JobCancelled(), 0.5, None),
        (DOUBLING, 1, UnknownTask(), 0.5, None),
        (LONG, 20, ValueError(), 0.5, 3600.0),  # capped
        (LONG, 999, ValueError(), 0.5, 3600.0),  # and never an overflow
    ],
)
def test_it_decides_when_to_try_again(policy, attempt, error, jitter, delay):
    assert retry_delay_seconds(policy, attempt, error, jitter) == delay


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"queue": "nope"}, "its queues are 'nope', but there are positions, "),
        ({"other_queues": "nope"}, "its queues are 'positions', 'nope'"),
        ({"name": ""}, "its name is a text of 1 to 100 characters"),
        ({"name": "x" * 101}, "its name is a text of 1 to 100"),
        ({"timeout_seconds": 0}, "timeout_seconds=0: more than 0"),
        ({"timeout_seconds": "60"}, "timeout_seconds='60'"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds=nan"),
        ({"max_attempts": 0}, "max_attempts=0: a whole number from 1 is meant"),
        ({"max_attempts": 1.5}, "max_attempts=1.5"),
        ({"max_attempts": "3"}, "max_attempts='3'"),
    ],
)
def test_a_task_that_could_never_run_is_refused_where_it_is_declared(options, words):
    def refused_task() -> None: ...

    with pytest.raises(ImproperlyConfigured, match=words):
        task(**{"queue": "positions", **options})(refused_task)
    assert "refused_task" not in {one.name for one in registered_tasks()}


def test_a_coroutine_is_refused_where_it_is_declared():
    async def refused_coroutine() -> None: ...

    with pytest.raises(ImproperlyConfigured, match="nothing would await"):
        task(queue="positions")(refused_coroutine)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("queued", "queued"),
        ("Queued", "queued"),
        ("STARTED", "running"),
        ("REVOKED", "cancelled"),
        ("FAILURE", "failed"),
    ],
)
def test_it_understands_celerys_names_of_states(text, state):
    assert parse_state(text) == JobState(state)


def test_it_refuses_a_state_nobody_knows():
    with pytest.raises(ValueError, match="nonsense"):
        parse_state("nonsense")


def sealed(queue: str = "positions", job_id: str = "j1", call_json: str = '[[1,"é"],{"a":null}]') -> bytes:
    return seal(queue, job_id, Payload(task="t", call=([], {}), created_ms=1, requested_by_id=7), call_json)


def test_it_reads_what_it_sealed():
    payload = unseal("positions", "j1", sealed())
    assert (payload.task, payload.call, payload.requested_by_id) == ("t", ([1, "é"], {"a": None}), 7)


@pytest.mark.parametrize("size", [0, 1, 55, 56, 64, 1000])
def test_a_message_begins_with_its_hmac(settings, size):
    settings.SECRET_KEY = "a key of the test"
    key = hmac.digest(b"a key of the test", b"tasks_app.engine.payload.v1", "sha256")
    mac = hmac.digest(key, b"positions\nj1\n" + b"x" * size, "sha256")
    assert seal_text("positions", "j1", b"x" * size) == mac.hex().encode() + b"." + b"x" * size


@pytest.mark.parametrize(
    ("queue", "job_id", "message"),
    [
        ("reports", "j1", sealed()),  # replayed on another queue
        ("positions", "j2", sealed()),  # under another id
        ("positions", "j1", sealed()[:-1]),  # cut
        ("positions", "j1", sealed().replace(b"[1,", b"[2,")),  # changed
        ("positions", "j1", b""),
        ("positions", "j1", b"\x80\x04garbage"),
        ("positions", "j1", sealed()[:64] + sealed()[65:]),  # without its dot
        ("positions", "j1", sealed(call_json="[[1],{]")),  # signed by us, yet not JSON
        ("positions", "j1", sealed(call_json="[" * 100_000)),
    ],
)
def test_it_refuses_a_message_that_is_not_exactly_ours(queue, job_id, message):
    with pytest.raises(BadPayload):
        unseal(queue, job_id, message)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.binary(), st.lists, max_leaves=10))
def test_it_encodes_json_or_says_why_not(value):
    try:
        text = encode_json(value)
    except InvalidArguments:
        return
    assert "NaN" not in text or "NaN" in str(value)
    text.encode("utf-8")


@pytest.mark.parametrize(
    ("options", "due"),
    [
        (JobOptions(), 0),
        (JobOptions(countdown=0), 0),
        (JobOptions(countdown=-5), 0),
        (JobOptions(countdown=1.5), 2500),
        (JobOptions(eta=datetime(1970, 1, 1, 0, 1, tzinfo=UTC)), 60_000),
        (JobOptions(eta=datetime(1969, 1, 1, tzinfo=UTC)), 0),
        (JobOptions(eta=datetime(1970, 1, 1, 1, tzinfo=UTC).astimezone(tz=None)), 3_600_000),
    ],
)
def test_it_computes_when_a_job_is_due(options, due):
    assert options.due_ms(now_ms=1000) == due


@pytest.mark.parametrize(
    "options",
    [
        JobOptions(countdown=1, eta=datetime.now(UTC)),
        JobOptions(eta=datetime.now()),
        JobOptions(countdown=float("nan")),
        JobOptions(countdown=float("inf")),
        JobOptions(eta=datetime.now(UTC) + timedelta(days=4000)),
    ],
)
def test_it_refuses_impossible_times(options):
    with pytest.raises(InvalidArguments):
        options.due_ms(now_ms=1000)


def test_it_hides_secrets_at_any_depth():
    value = {"api_key": "k", "list": [{"Password": "p", "name": "n"}], "tokens": 3, "passenger": "Ana"}
    hidden = {"api_key": "[hidden]", "list": [{"Password": "[hidden]", "name": "n"}], "tokens": "[hidden]"}
    assert redact(value) == {**hidden, "passenger": "Ana"}
    assert not is_complete(redact(value))


def test_it_shortens_long_lists_and_knows_it_did():
    assert shorten({"a": list(range(100)), "b": [1, 2]}) == {"a": [0, 1, 2, {"omitted_items": 97}], "b": [1, 2]}
    assert is_complete({"a": [1, 2]})
    assert not is_complete(shorten(list(range(100))))


def test_slots_tell_who_does_what_until_when():
    slots = Slots(2)
    slot = WorkerSlot(slots, 1)
    slots.prepare(1, "host:1:positions:1:abc")
    assert slots.consumers() == {}
    slots.assign(1, 4711)
    job_id = str(uuid.uuid4())
    slot.begin([job_id], 12.5)
    assert slots.consumers() == {1: (4711, "host:1:positions:1:abc")}
    assert (slots.job_id(1), slots.kill_at(1)) == (job_id, 12.5)
    slot.end()
    assert (slots.job_id(1), slots.kill_at(1)) == ("", 0.0)
    before = slots.pulse_at(1)
    slot.pulse()
    assert slots.pulse_at(1) > before
    slots.clear(1)
    assert slots.consumers() == {}


def test_slots_tell_whose_rows_are_being_written():
    slots, ids = Slots(2), [str(uuid.uuid4()) for _ in range(MAX_WRITTEN + 5)]
    WorkerSlot(slots, 0).begin_writing(ids[:3])
    WorkerSlot(slots, 1).begin_writing(ids)
    assert slots.being_written(0) == ids[:3]
    assert slots.being_written(1) == ids[:MAX_WRITTEN]
    WorkerSlot(slots, 0).end_writing()
    slots.clear(1)
    assert slots.being_written(0) == slots.being_written(1) == []


def test_current_job_is_harmless_outside_of_a_worker():
    job = current_job()
    job.progress(1, 2, "x")
    job.raise_if_cancelled()
    assert job.id is None


def test_progress_is_written_first_last_and_seldom_between():
    written: list[int] = []
    job = CurrentJob(report_progress=lambda progress: written.append(progress["current"]))
    for number in range(1, 1001):
        job.progress(number, 1000)
    assert (written[0], written[-1]) == (1, 1000)
    assert len(written) < 20
    assert job.last_progress == {"current": 1000, "total": 1000, "message": ""}


def test_two_tasks_cannot_have_one_name():
    def probe_add() -> None: ...

    from tests.support.probe import tasks  # noqa: F401 - registers the first

    with pytest.raises(ImproperlyConfigured, match="probe_add"):
        task(queue="positions")(probe_add)


@pytest.mark.parametrize(
    "name", ["os.system", "builtins.eval", "", "process_position_batch.x", "x.process_position_batch"]
)
def test_nothing_but_a_registered_task_is_found(name):
    with pytest.raises(UnknownTask):
        get_task(name)


def test_a_task_is_found_by_its_dotted_path_too():
    assert get_task("tasks_app.tasks.position_tasks.process_position_batch").name == "process_position_batch"


# The names, queues and leading arguments of the original system: callers rely on them.
CATALOGUE = {
    "positions": {
        "process_position_batch": ["position_data_list"],
        "process_single_position": ["position_data"],
        "drain_position_inbox": [],
        "calculate_device_statistics": ["device_id"],
        "update_device_status": ["device_id"],
        "check_offline_devices": [],
    },
    "reports": {
        "generate_device_report": ["device_id", "start", "end", "kind"],
        "generate_fleet_report": ["start", "end", "device_ids"],
        "generate_daily_reports": [],
        "export_report_data": ["report_id", "format"],
    },
    "cleanup": {
        "cleanup_old_positions": ["days_to_keep"],
        "cleanup_old_events": ["days_to_keep"],
        "cleanup_expired_sessions": [],
        "cleanup_cache": ["pattern", "max_age_hours"],
        "cleanup_duplicate_positions": [],
        "cleanup_orphaned_data": [],
        "cleanup_job_history": [],
        "optimize_database": [],
    },
    "notifications": {
        "send_geofence_alert": ["device_id", "geofence_id", "event_type", "position_data"],
        "send_device_offline_alert": ["device_id", "offline_duration_minutes"],
        "send_speed_alert": ["device_id", "speed", "speed_limit", "position_data"],
        "send_maintenance_reminder": ["device_id", "plan_id"],
        "send_daily_summary": ["user_id"],
        "send_system_alert": ["subject", "message", "level"],
        "deliver_notification": [],
        "check_maintenance": [],
    },
}


@pytest.mark.parametrize(
    ("queue", "name", "arguments"),
    [(queue, name, arguments) for queue, tasks in CATALOGUE.items() for name, arguments in tasks.items()],
)
def test_every_task_of_the_design_exists_on_its_queue(queue, name, arguments):
    found = get_task(name)
    assert found.queue == queue
    assert list(found.arguments.signature.parameters)[: len(arguments)] == arguments
    assert found.summary


@pytest.mark.parametrize(
    ("queue", "timeout_seconds", "attempts", "first_delay", "cap"),
    [
        ("positions", 60, 5, 1, 60),
        ("reports", 900, 2, 30, 30),
        ("cleanup", 3600, 2, 60, 60),
        ("notifications", 60, 8, 5, 3600),
    ],
)
def test_every_queue_has_its_limits(queue, timeout_seconds, attempts, first_delay, cap):
    config = engine_config().queue(queue)
    limits = (config.timeout_seconds, config.max_attempts, config.backoff_seconds, config.backoff_cap_seconds)
    assert limits == (timeout_seconds, attempts, first_delay, cap)


def test_every_task_says_what_it_does():
    assert [found.name for found in registered_tasks() if not found.summary] == []
