"""Reads of notifications."""

from notifications_app.queries.inbox import unread_count, visible_notifications

__all__ = ["unread_count", "visible_notifications"]
