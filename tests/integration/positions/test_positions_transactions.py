"""Transactions that PostgreSQL breaks off are repeated whole; the pipeline through the real queue."""

from __future__ import annotations

import io
import threading

import pytest
from django.db import DatabaseError, OperationalError, connection
from django.utils import timezone

from tasks_app.models import Device, Job, Position
from tasks_app.services.transactions import run_in_transaction
from tasks_app.tasks.position_tasks import process_position_batch
from tasks_app.utils.copying import copy
from tests.support.cluster import allowed


def lock(device):
    return Device.objects.select_for_update().get(pk=device.pk)


@pytest.mark.django_db(transaction=True)
def test_after_a_deadlock_the_whole_transaction_runs_again(make_device):
    one, two = make_device(), make_device()
    both_hold_one = threading.Barrier(2, timeout=allowed(20))
    attempts, failures = [], []

    def run(first, second):
        tries = 0

        def work():
            nonlocal tries
            tries += 1
            attempts.append(first.pk)
            lock(first)
            if tries == 1:
                both_hold_one.wait()
            device = lock(second)
            device.name += "."
            device.save()

        try:
            run_in_transaction(work)
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in ((one, two), (two, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=allowed(60))
    assert failures == []
    assert len(attempts) >= 3
    assert all(Device.objects.get(pk=device.pk).name.endswith(".") for device in (one, two))


def test_an_error_that_trying_again_cannot_help_is_raised_at_once(db):
    tries = []

    def work():
        tries.append(1)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    with pytest.raises(DatabaseError, match="division by zero"):
        run_in_transaction(work)
    assert len(tries) == 1


def test_it_gives_up_after_the_last_attempt(db):
    tries = []

    def work():
        tries.append(1)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    with pytest.raises(DatabaseError, match="division by zero"):
        run_in_transaction(work, should_retry=lambda error: True, max_attempts=3, backoff_seconds=0.001)
    assert len(tries) == 3


def item(at):
    return {"device_id": "van-1", "timestamp": at.isoformat(), "latitude": -23.5, "longitude": -46.6}


def test_a_batch_goes_through_the_queue_and_its_result_is_kept(run_jobs, device):
    job_id = process_position_batch.delay([item(timezone.now()), {"device_id": "van-1"}])
    assert run_jobs("positions") == 1
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.result["stored"], job.result["rejected"][0]["code"]) == ("succeeded", 1, "missing_timestamp")
    assert Position.objects.count() == 1


def test_a_user_cannot_write_another_fleets_positions_through_a_job(run_jobs, device, charlie):
    job_id = process_position_batch.apply_async([[item(timezone.now())]], requested_by=charlie)
    run_jobs("positions")
    assert Job.objects.get(pk=job_id).result["rejected"][0]["code"] == "unknown_device"
    assert Position.objects.count() == 0


@pytest.mark.django_db
def test_a_copy_raises_the_errors_of_django():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '10ms'")
        with pytest.raises(OperationalError):
            copy(cursor, "COPY (SELECT pg_sleep(60)) TO STDOUT", io.BytesIO())
