"""The page of queues, their tasks, workers and clusters, and the steps that change them."""

from tasks_app.admin.queues import pages

__all__ = ["pages"]
