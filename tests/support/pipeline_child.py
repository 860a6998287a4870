"""`python -m tests.support.pipeline_child`: a process that stores the batches it reads, one JSON list of items a line.

It answers each line with the geofences the first device is in then, and the events that were recorded.
"""

from __future__ import annotations

import json
import sys

import django

django.setup()

from django.utils import timezone  # noqa: E402

from tasks_app.models import DeviceState  # noqa: E402
from tasks_app.services.positions.processing import process_batch  # noqa: E402


def main() -> None:
    for line in sys.stdin:
        items = json.loads(line)
        result = process_batch(items, received_at=timezone.now())
        state = DeviceState.objects.get(device__unique_id=items[0]["device_id"])
        print(json.dumps({"geofence_ids": state.geofence_ids, "events": result["events"]}), flush=True)


if __name__ == "__main__":
    main()
