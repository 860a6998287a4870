"""Ten thousand batches of several processes that cross each other: stored once, exactly, without a deadlock."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from django.db import connection

from tasks_app.models import Device, DeviceState, Event, FilterSettings, Geofence, Position
from tests.support.cluster import ROOT, allowed, environment
from tests.support.crossing import FIRST_AT, FIXES_PER_BATCH, all_batches

PROCESSES, BATCHES_EACH, DEVICES = 4, 2500, 24
MAX_SECONDS = 300


def deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_stat_force_next_flush(), deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
        return cursor.fetchone()[1]


@pytest.mark.django_db(transaction=True)
def test_ten_thousand_crossing_batches_are_stored_once_without_a_deadlock(fleet):
    Device.objects.bulk_create(
        Device(fleet=fleet, unique_id=f"cross-{number}", name=f"Van {number}") for number in range(DEVICES)
    )
    Geofence.objects.create(
        fleet=fleet, name="Way", area={"type": "Circle", "coordinates": [-46.63, -23.52], "radius_meters": 900}
    )
    FilterSettings.objects.create(fleet=fleet, max_accuracy_meters=1000)
    before, began = deadlocks(), time.monotonic()
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.crossing", str(number), str(BATCHES_EACH), str(DEVICES)],
            cwd=ROOT,
            # What a commit survives is not in question here, and waiting for the disk 10 000 times takes minutes.
            env=environment(PGOPTIONS="-c synchronous_commit=off"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for number in range(PROCESSES)
    ]
    totals = {"stored": 0, "duplicates": 0, "repeated": 0}
    for process in running:
        output, errors = process.communicate(timeout=allowed(MAX_SECONDS))
        assert process.returncode == 0, errors.decode()[-3000:]
        totals = {name: totals[name] + value for name, value in json.loads(output).items()}
    seconds = time.monotonic() - began
    sent = [fix for number in range(PROCESSES) for one in all_batches(number, BATCHES_EACH, DEVICES) for fix in one]
    assert len(sent) == PROCESSES * BATCHES_EACH * FIXES_PER_BATCH
    assert totals == {"stored": len(set(sent)), "duplicates": len(sent) - len(set(sent)), "repeated": 0}
    stored = Position.objects.values_list("device__unique_id", "fix_time")
    assert {(name, (at - FIRST_AT).total_seconds()) for name, at in stored} == set(sent)
    newest = dict(sorted(sent))
    states = DeviceState.objects.values_list("device__unique_id", "fix_time")
    assert {name: (at - FIRST_AT).total_seconds() for name, at in states} == newest
    assert Event.objects.exists()
    assert deadlocks() == before
    print(f"{PROCESSES * BATCHES_EACH} batches in {seconds:.1f} s")
