"""A batch of many devices: split by lane where it is accepted, one job for who sent it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from tasks_app.engine import get_task
from tasks_app.engine.connection import client
from tasks_app.engine.errors import InvalidArguments
from tasks_app.engine.lanes import queue_parts
from tasks_app.engine.workers.worker import Worker
from tasks_app.models import Device, Fleet, Job, Position
from tasks_app.queries.position_lanes import lane_of
from tasks_app.services.jobs.store import claim_lanes

pytestmark = pytest.mark.django_db(transaction=True)

BATCH = "/api/tasks/position/process-batch"
TASK = get_task("process_position_batch")


@pytest.fixture
def devices(make_device) -> list[Device]:
    """Some devices of several lanes."""
    found = [make_device(unique_id=f"van-{number}") for number in range(12)]
    assert len({lane_of(device.unique_id) for device in found}) > 3
    return found


def position(device_id, seconds=0, **changes):
    at = timezone.now() - timedelta(seconds=60 - seconds)
    return {"device_id": device_id, "timestamp": at.isoformat(), "latitude": -23.5, "longitude": -46.6, **changes}


def positions_of(devices, per_device=2):
    return [position(device.unique_id, seconds) for seconds in range(per_device) for device in devices]


def waiting_by_lane() -> dict[int | None, int]:
    redis = client()
    sizes = {
        part.keys.lane: redis.zcard(part.keys.queued)
        for part in queue_parts("positions", redis)
        if part.keys.lane is not None
    }
    return {lane: size for lane, size in sizes.items() if size}


def test_it_waits_in_the_lanes_of_its_devices_and_its_answer_is_one_job(api, devices, run_jobs):
    answer = api.post(BATCH, positions_of(devices), format="json")
    assert answer.status_code == 202, answer.json()
    assert set(waiting_by_lane()) == {lane_of(device.unique_id) for device in devices}
    assert api.get(answer.json()["status_url"]).json()["state"] == "running"
    run_jobs("positions")
    shown = api.get(answer.json()["status_url"]).json()
    assert shown["state"] == "succeeded"
    assert {name: shown["result"][name] for name in ("received", "stored", "rejected_count")} == {
        "received": 24,
        "stored": 24,
        "rejected_count": 0,
    }
    assert Position.objects.count() == 24


def test_rejected_positions_are_named_by_their_numbers_in_the_request(api, devices, run_jobs):
    items = [position("van-0", latitude=95), *positions_of(devices, 1)]
    answer = api.post(BATCH, items, format="json")
    assert [one["index"] for one in answer.json()["rejected"]] == [0]
    # Switched off after it was accepted.
    Device.objects.filter(unique_id__in=["van-3", "van-7"]).update(is_active=False)
    run_jobs("positions")
    result = Job.objects.get(pk=answer.json()["task_id"]).result
    assert (result["stored"], [one["index"] for one in result["rejected"]]) == (10, [4, 8])


def test_a_batch_of_one_device_is_a_job_like_any_other(api, devices, run_jobs):
    answer = api.post(BATCH, [position("van-0", seconds) for seconds in range(3)], format="json")
    assert waiting_by_lane() == {lane_of("van-0"): 1}
    run_jobs("positions")
    assert Job.objects.get().result["stored"] == 3
    assert str(Job.objects.get().pk) == answer.json()["task_id"]


def test_whoever_calls_the_task_gets_the_same(devices, operator, run_jobs):
    job = TASK.apply_async((positions_of(devices),), requested_by=operator)
    assert len(waiting_by_lane()) > 3
    run_jobs("positions")
    assert job.state == "succeeded"
    assert job.result["stored"] == 24
    assert Job.objects.get(requested_by_id=operator.pk).pk == job


def test_a_batch_that_is_split_takes_no_unique_key(devices):
    with pytest.raises(InvalidArguments, match="takes no unique key"):
        TASK.apply_async((positions_of(devices),), unique_key="one")
    with pytest.raises(InvalidArguments, match="apply_async"):
        TASK.enqueue_many([(positions_of(devices),)])
    assert waiting_by_lane() == {}


def test_the_whole_is_cancelled_with_its_parts(staff_api, devices, run_jobs):
    answer = staff_api.post(BATCH, positions_of(devices), format="json")
    cancelled = staff_api.post(f"{answer.json()['status_url']}/cancel", {"reason": "wrong file"}, format="json")
    assert cancelled.status_code in (200, 202), cancelled.json()
    run_jobs("positions")
    assert Job.objects.get(pk=answer.json()["task_id"]).state == "cancelled"
    assert waiting_by_lane() == {}
    assert not Position.objects.exists()


class Holds:
    """Counts the statements that hold lanes."""

    count = 0

    def __call__(self, execute, sql, params, many, context):
        self.count += "FOR SHARE" in str(sql)
        return execute(sql, params, many, context)


def test_the_parts_whose_lanes_one_worker_holds_are_stored_by_one_call(devices, operator):
    TASK.apply_async((positions_of(devices),), requested_by=operator)
    worker = Worker("positions", "test:0:positions:0", client())
    worker.jobs.add(worker.queue.fetch("test:0:positions:0", 100).claims)
    with connection.execute_wrapper(holds := Holds()):
        worker._run_waiting()
    worker.shut_down()
    assert Position.objects.count() == 24
    assert holds.count == 1


def test_the_other_parts_are_stored_where_one_lane_turns_out_to_be_anothers(devices, operator, run_jobs):
    job = TASK.apply_async((positions_of(devices),), requested_by=operator)
    worker = Worker("positions", "test:0:positions:0", client())
    worker.jobs.add(worker.queue.fetch("test:0:positions:0", 100).claims)
    # As if this worker had slept for so long that another one took the lane.
    claim_lanes("positions", [lane_of("van-3")], "other")
    lost = {device.unique_id for device in devices if lane_of(device.unique_id) == lane_of("van-3")}
    worker._run_waiting()
    worker.shut_down()
    stored = set(Position.objects.values_list("device__unique_id", flat=True))
    assert stored == {device.unique_id for device in devices} - lost
    run_jobs("positions")
    assert (job.state, Position.objects.count()) == ("succeeded", 24)
    assert not Job.objects.exclude(attempt_count=1).exists()


def test_an_odd_position_beside_them_changes_nothing_about_ordinary_ones(api, devices, run_jobs):
    sent = positions_of(devices)
    ordinary = api.post(BATCH, sent, format="json").json()
    with_odd = api.post(
        BATCH, [*positions_of(devices), position(devices[0].unique_id, latitude=91)], format="json"
    ).json()
    run_jobs("positions")
    first, second = (api.get(one["status_url"]).json() for one in (ordinary, with_odd))
    assert (ordinary["accepted"], with_odd["accepted"]) == (24, 24)
    assert [one["index"] for one in with_odd["rejected"]] == [24]
    assert first["result"]["stored"] == second["result"]["stored"] == 24
    assert Position.objects.count() == 48


def test_ordinary_positions_of_devices_of_others_are_refused_by_their_place(api, devices, make_device):
    foreign = make_device(unique_id="foreign", fleet=Fleet.objects.create(name="Others"))
    switched_off = make_device(unique_id="off", is_active=False)
    sent = [position(foreign.unique_id), position(devices[0].unique_id), position(switched_off.unique_id)]
    answer = api.post(BATCH, sent, format="json").json()
    assert answer["accepted"] == 1
    assert [(one["index"], one["code"]) for one in answer["rejected"]] == [
        (0, "unknown_device"),
        (2, "inactive_device"),
    ]
