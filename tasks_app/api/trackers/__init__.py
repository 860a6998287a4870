"""Trackers that are connected to the gateway."""

from tasks_app.api.trackers.views import TrackerListView

__all__ = ["TrackerListView"]
