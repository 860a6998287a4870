"""Trackers that connect directly: their sessions, what gateways saw of them, the rows of their access, and metrics."""

from tasks_app.services.trackers.access import Connected, encrypt_passwords_again, note_connections
from tasks_app.services.trackers.frames import MAX_RAW_BYTES, forget_unknown, keep_raw_frames, note_unknown
from tasks_app.services.trackers.metrics import (
    ACKNOWLEDGED,
    ACKNOWLEDGEMENT_SECONDS,
    BYTES,
    CLOSED,
    CONNECTIONS,
    FRAMES,
    OPENED,
    REFUSED,
    UNACKNOWLEDGED,
)
from tasks_app.services.trackers.sessions import (
    HeldSession,
    NodeNote,
    SessionOpening,
    beat,
    close_sessions,
    hand_command,
    hold_sessions,
    leave,
    open_sessions,
    read_notes,
)

__all__ = [
    "ACKNOWLEDGED",
    "ACKNOWLEDGEMENT_SECONDS",
    "BYTES",
    "CLOSED",
    "CONNECTIONS",
    "FRAMES",
    "MAX_RAW_BYTES",
    "OPENED",
    "REFUSED",
    "UNACKNOWLEDGED",
    "Connected",
    "HeldSession",
    "NodeNote",
    "SessionOpening",
    "beat",
    "close_sessions",
    "encrypt_passwords_again",
    "forget_unknown",
    "hand_command",
    "hold_sessions",
    "keep_raw_frames",
    "leave",
    "note_connections",
    "note_unknown",
    "open_sessions",
    "read_notes",
]
