"""The page of connected trackers, and that of the last frames of one."""

from tasks_app.admin.trackers.pages import may_see_trackers, tracker_frames, trackers

__all__ = ["may_see_trackers", "tracker_frames", "trackers"]
