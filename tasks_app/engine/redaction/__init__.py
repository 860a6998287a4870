"""Hiding secrets: which names are of secrets, arguments as they are shown, and texts that may hold their values."""

from tasks_app.engine.redaction.calls import TOO_DEEP, is_complete, redact, redact_call, shorten
from tasks_app.engine.redaction.secret_names import HIDDEN, is_secret
from tasks_app.engine.redaction.texts import hide_values, redact_text, redact_traceback, secret_values

__all__ = [
    "HIDDEN",
    "TOO_DEEP",
    "hide_values",
    "is_complete",
    "is_secret",
    "redact",
    "redact_call",
    "redact_text",
    "redact_traceback",
    "secret_values",
    "shorten",
]
