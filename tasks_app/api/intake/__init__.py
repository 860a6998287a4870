"""Endpoints that take positions in: batches, files, and one per protocol of devices."""

from tasks_app.api.intake.batches import ProcessBatchView, ProcessPositionView
from tasks_app.api.intake.imports import ImportPositionsView, ImportView
from tasks_app.api.intake.together import take_in_together
from tasks_app.api.intake.urls import ingest_urls

__all__ = [
    "ImportPositionsView",
    "ImportView",
    "ProcessBatchView",
    "ProcessPositionView",
    "ingest_urls",
    "take_in_together",
]
