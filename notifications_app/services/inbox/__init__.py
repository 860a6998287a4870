"""A person's own notifications: marking them, and the cache of the newest."""

from notifications_app.services.inbox.inbox_cache import note_change
from notifications_app.services.inbox.read_state import acknowledge, mark_read

__all__ = ["acknowledge", "mark_read", "note_change"]
