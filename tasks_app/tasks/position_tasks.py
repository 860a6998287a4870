"""Tasks of the position pipeline."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from tasks_app.engine import BatchCall, current_job, task
from tasks_app.services.intake import ask_for_drains, device_of, drain_buffer, lane_key_of_batch, split_batch
from tasks_app.services.partitions import ensure_upcoming_partitions
from tasks_app.services.positions import SentPositions, combine_results, process_batch, process_batches

# One call stores some 10 000 fixes at most: a message has about 200 bytes for each. Parts of large batches come to 1 000 bytes
# with their signature and their place in the batch; the bytes must not leave a few of MAX_BATCH for a call of their own.
MAX_BATCH = 2560
MAX_BATCH_BYTES = 2 * 1024 * 1024


def _process_position_batches(calls: list[BatchCall]) -> list[dict[str, Any]]:
    sent = [SentPositions(call.arguments["position_data_list"], call.requested_by_id) for call in calls]
    return process_batches(sent, received_at=timezone.now())


def _process_single_positions(calls: list[BatchCall]) -> list[dict[str, Any]]:
    sent = [SentPositions([call.arguments["position_data"]], call.requested_by_id) for call in calls]
    return process_batches(sent, received_at=timezone.now())


@task(
    queue="positions",
    permission="tasks_app.add_position",
    needs_operate=False,
    lane=lane_key_of_batch,
    split=split_batch,
    combine=combine_results,
    batch=_process_position_batches,
    max_batch=MAX_BATCH,
    max_batch_bytes=MAX_BATCH_BYTES,
)
def process_position_batch(position_data_list: list[dict[str, Any]]) -> dict[str, Any]:
    """Store a batch of positions, move device states forward and record what happened."""
    return process_batch(position_data_list, received_at=timezone.now(), user_id=current_job().requested_by_id)


@task(
    queue="positions",
    permission="tasks_app.add_position",
    needs_operate=False,
    lane=device_of,
    batch=_process_single_positions,
    max_batch=MAX_BATCH,
    max_batch_bytes=MAX_BATCH_BYTES,
)
def process_single_position(position_data: dict[str, Any]) -> dict[str, Any]:
    """Store one position, like a batch of one."""
    return process_batch([position_data], received_at=timezone.now(), user_id=current_job().requested_by_id)


# One a second in each lane: the history keeps those of the schedule, and failures.
@task(queue="positions", schedulable=True, lane=lambda device_id="": device_id or None, keeps_successes=False)
def drain_position_inbox(device_id: str = "") -> dict[str, int]:
    """Store the single fixes that wait in the lane of this device; without a device, enqueue that for every lane."""
    return drain_buffer(device_id) if device_id else ask_for_drains()


@task(queue="cleanup", schedulable=True)
def prepare_position_partitions() -> dict[str, list[str]]:
    """Make the position table's partitions of the coming days; return the days that had none."""
    return {"created": [str(day) for day in ensure_upcoming_partitions(now=timezone.now())]}
