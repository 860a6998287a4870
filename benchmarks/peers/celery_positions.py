"""Celery storing positions: a batch as JSON through Redis, Django's bulk_create, nothing derived, acknowledged late."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

from benchmarks.peers.celery import app, connection, unfinished
from benchmarks.peers.positions import clear_tables, job_arguments, stored_jobs
from benchmarks.peers.protocol import Peer
from tasks_app.models import Device, Position


@app.task(name="store_positions")
def store_positions(items: list[dict[str, Any]]) -> int:
    """One query for the devices, then all rows; nothing is checked."""
    unique_ids = {item["device_id"] for item in items}
    pks = dict(Device.objects.filter(unique_id__in=unique_ids).values_list("unique_id", "pk"))
    now = datetime.now(UTC)
    rows = [position(item, pks[item["device_id"]], now) for item in items]
    return len(Position.objects.bulk_create(rows, ignore_conflicts=True))


def position(item: dict[str, Any], device_pk: int, received_at: datetime) -> Position:
    return Position(
        device_id=device_pk,
        fix_time=datetime.fromisoformat(item["timestamp"]),
        received_at=received_at,
        latitude=item["latitude"],
        longitude=item["longitude"],
        altitude_meters=item["altitude"],
        speed_kph=item["speed"],
        course_degrees=item["course"],
        accuracy_meters=item["accuracy"],
        attributes=item["attributes"],
    )


def enqueue_bulk(jobs: int) -> None:
    with app.producer_pool.acquire(block=True) as producer:
        for items in job_arguments(jobs):
            store_positions.apply_async([items], producer=producer)


def clear() -> None:
    connection.flushdb()
    clear_tables()


PEER = Peer(
    name="celery-positions",
    enqueue_bulk=enqueue_bulk,
    unfinished=unfinished,
    worker_command=lambda workers: [
        *(sys.executable, "-m", "celery", "-A", "benchmarks.peers.celery_positions", "worker"),
        *("--pool", "prefork", "--concurrency", str(workers), "--loglevel", "WARNING"),
    ],
    clear=clear,
    stored=stored_jobs,
)
