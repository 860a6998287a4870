"""Reads of notifications."""

from notifications_app.queries.inbox import visible_notifications
from notifications_app.queries.inbox_cache import unread_count

__all__ = ["unread_count", "visible_notifications"]
