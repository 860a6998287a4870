"""A process killed between the commit of its events and the job that asks the rules loses no alert."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from django.utils import timezone

from notifications_app.models import EventDispatch, Notification
from notifications_app.services.events.event_outbox import sweep_event_outbox
from tasks_app.models import Event
from tests.support.cluster import ROOT, allowed, environment
from tests.support.notifications import make_geofence, make_rule

STORE_AND_DIE = """
import json, os, signal, sys
import django
django.setup()
from django.utils import timezone
from notifications_app.services.events import event_outbox
from tasks_app.services.positions import process_batch

event_outbox.enqueue_outbox_rows = lambda *_args, **_options: os.kill(os.getpid(), signal.SIGKILL)
process_batch(json.loads(sys.argv[1]), received_at=timezone.now())
"""


@pytest.mark.django_db(transaction=True)
def test_events_of_a_process_killed_after_its_commit_are_told_once(device, fleet, operator, run_jobs):
    make_geofence(fleet)
    make_rule(fleet, [operator], kinds=["geofence_enter"], channels=["in_app"])
    now = timezone.now()
    fixes = [
        {
            "device_id": device.unique_id,
            "timestamp": (now - timedelta(minutes=5 - minute)).isoformat(),
            "latitude": -23.55 - 0.01 * (4 - minute),
            "longitude": -46.63,
        }
        for minute in range(5)
    ]
    command = [sys.executable, "-c", STORE_AND_DIE, json.dumps(fixes)]
    died = subprocess.run(command, cwd=ROOT, env=environment(), timeout=allowed(60), check=False)
    assert died.returncode == -signal.SIGKILL
    assert Event.objects.filter(kind="geofence_enter").count() == 1
    assert EventDispatch.objects.count() == 1
    assert run_jobs("notifications") == 0
    for _ in range(2):
        sweep_event_outbox(now=timezone.now() + timedelta(minutes=2))
        run_jobs("notifications")
    assert Notification.objects.get().subject == "Van 1 entered Depot"
    assert not EventDispatch.objects.exists()
