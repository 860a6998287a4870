"""Digests of held alerts, and the daily summary."""

from notifications_app.services.digests.changed_times import move_what_waits
from notifications_app.services.digests.daily_summary import fan_out_daily_summaries, send_summary, start_due_summaries
from notifications_app.services.digests.held_alerts import send_due_digests

__all__ = ["fan_out_daily_summaries", "move_what_waits", "send_due_digests", "send_summary", "start_due_summaries"]
